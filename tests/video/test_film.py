"""Films painted from beginning to end: times, sound, sizes, going on after an interruption, bad input."""

import contextlib
import errno
import warnings
from fractions import Fraction

import numpy as np
import pytest

from impasto.errors import ImageError, ImpastoWarning, MissingExtraError, OutputError, RequestError
from impasto.methods import make_recipe
from impasto.recipe import Style

from .clips import add_subtitles, moving_object, panning, texture, with_cut, write_clip


def packets(path, kind):
    import av

    with av.open(str(path)) as container:
        stream = next(each for each in container.streams if each.type == kind)
        return [bytes(packet) for packet in container.demux(stream) if packet.size]


def times(frames):
    return [round(frame.time * 1000) for frame in frames]


def same(one, other):
    return len(one) == len(other) and all(
        a.time == b.time and np.array_equal(a.pixels, b.pixels) for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".mov"])
def test_times_sound_and_title_stay(tmp_path, paint, frames_of, ending):
    shown = [0, 40, 50, 200, 210, 500, 520, 600]
    film = write_clip(
        tmp_path / f"film{ending}",
        panning(8),
        times=shown,
        sound="aac",
        title="A walk",
        chapters=[(0, 0.2, "One"), (0.2, 0.6, "Two")],
    )
    target = tmp_path / f"painted{ending}"
    report = paint(film, target)
    import av

    assert times(frames_of(target)) == shown and report.frames == 8
    assert packets(target, "audio") == packets(film, "audio")
    with av.open(str(target)) as made:
        assert made.metadata["title"] == "A walk"
        assert [chapter["metadata"]["title"] for chapter in made.chapters()] == ["One", "Two"]
    assert not list(tmp_path.glob("*.parts")) and not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(("ending", "kept"), [(".mkv", True), (".mov", False)])
def test_subtitles_stay_where_the_container_holds_them(tmp_path, paint, ending, kept):
    import av

    plain = write_clip(tmp_path / "plain.mkv", panning(20), sound="aac")
    film = add_subtitles(plain, tmp_path / "film.mkv", ["Hello.", "Привет.", "你好。"])
    target = tmp_path / f"painted{ending}"
    with contextlib.nullcontext() if kept else pytest.warns(ImpastoWarning, match=r"srt subtitles.*left out"):
        paint(film, target)
    lines = packets(film, "subtitle")
    assert [line.decode() for line in lines] == ["Hello.", "Привет.", "你好。"]
    with av.open(str(target)) as made:
        assert len(made.streams.subtitles) == kept
    assert not kept or packets(target, "subtitle") == lines


@pytest.mark.parametrize(("settings", "end"), [({}, "0.4"), ({"end": "0.2s"}, "0.2")], ids=["film", "part"])
def test_a_style_after_the_end_is_told(tmp_path, recipe, settings, end):
    from impasto.video.job import plan_film
    from impasto.video.options import FilmSettings

    film = write_clip(tmp_path / "film.mp4", panning(10))
    with pytest.warns(ImpastoWarning, match=rf"5s=b is after the end, at {end} s") as told:
        styles = FilmSettings(style_at=("0s=a", "5s=b"), **settings)
        plan_film(str(film), str(tmp_path / "painted.mp4"), recipe, styles, device="cpu")
    assert len(told) == 1


def test_a_part_of_a_film_with_its_sound(tmp_path, paint, frames_of):
    film = write_clip(tmp_path / "film.mp4", panning(50), sound="aac")
    paint(film, tmp_path / "painted.mp4", begin="0.4s", end="1.2s")
    found = frames_of(tmp_path / "painted.mp4")
    assert times(found) == list(range(0, 800, 40))
    kept = packets(tmp_path / "painted.mp4", "audio")
    assert len(kept) == pytest.approx(0.8 * 48000 / 1024, abs=2)
    assert kept == [each for each in packets(film, "audio") if each in set(kept)]


@pytest.mark.parametrize(("fps", "expected"), [(10, range(0, 400, 100)), (50, range(0, 400, 20))])
def test_another_rate(tmp_path, paint, frames_of, fps, expected):
    paint(write_clip(tmp_path / "film.mp4", panning(10)), tmp_path / "painted.mp4", fps=fps)
    assert times(frames_of(tmp_path / "painted.mp4")) == list(expected)


@pytest.mark.parametrize(
    ("codec", "ending"),
    [("h264", ".mp4"), ("hevc", ".mp4"), ("vp9", ".webm"), ("av1", ".mkv"), ("prores", ".mov"), ("ffv1", ".mkv")],
)
def test_codecs(tmp_path, paint, frames_of, codec, ending):
    import av

    film = write_clip(tmp_path / "film.mp4", panning(5))
    target = tmp_path / f"painted{ending}"
    paint(film, target, codec=codec)
    with av.open(str(target)) as made:
        assert made.streams.video[0].codec_context.codec.canonical_name == codec
    assert times(frames_of(target)) == [0, 40, 80, 120, 160]


@pytest.mark.parametrize("size", [(95, 63), (97, 64), (64, 33)])
@pytest.mark.parametrize("target", ["painted.mp4", "painted.gif"])
def test_odd_sides(tmp_path, paint, frames_of, size, target):
    frames = panning(3, size)
    film = write_clip(tmp_path / "film.mkv", frames, codec="ffv1", pixels="bgr0", options={})
    report = paint(film, tmp_path / target)
    assert all(abs(made - own) <= 1 for made, own in zip(report.size, size, strict=True))
    assert len(frames_of(tmp_path / target)) == 3


@pytest.mark.parametrize("target", ["painted.gif", "painted.apng", "painted.webp", "out/%03d.png"])
def test_pictures_come_out(tmp_path, paint, frames_of, target):
    from impasto.video.pictures import numbered

    report = paint(write_clip(tmp_path / "film.mp4", panning(5)), tmp_path / target)
    assert report.frames == 5
    assert len(frames_of(tmp_path / target)) == 5
    if "%" in target:
        assert numbered(str(tmp_path / target), 5).is_file()


def test_one_frame(tmp_path, paint, frames_of):
    report = paint(write_clip(tmp_path / "film.mp4", panning(1)), tmp_path / "painted.mp4")
    assert report.frames == 1 and len(frames_of(tmp_path / "painted.mp4")) == 1 and report.flicker == {}


def test_nothing_moves(tmp_path, paint, frames_of):
    film = write_clip(tmp_path / "film.mkv", [texture(48, 64)] * 30, codec="ffv1", pixels="bgr0", options={})
    report = paint(film, tmp_path / "painted.mkv", codec="ffv1")
    found = frames_of(tmp_path / "painted.mkv")
    assert report.flicker["result"] == 0 and np.array_equal(found[0].pixels, found[-1].pixels)


def test_transparency_is_kept_or_laid_over_white(tmp_path, paint, frames_of):
    frame = np.dstack([texture(48, 64), np.full((48, 64), 255, np.uint8)])
    frame[:, :32, 3] = 0
    film = write_clip(
        tmp_path / "film.webm", [frame] * 3, codec="libvpx-vp9", pixels="yuva420p", options={"auto-alt-ref": "0"}
    )
    paint(film, tmp_path / "kept.webm")
    assert frames_of(tmp_path / "kept.webm")[1].alpha[:, :20].max() < 40
    with pytest.warns(ImpastoWarning, match="holds no transparency"):
        paint(film, tmp_path / "flat.mp4")
    assert frames_of(tmp_path / "flat.mp4")[1].pixels[:, :20].min() > 220


def interrupted_after(count, error=KeyboardInterrupt):
    """What is called with the progress, and raises after so many frames of its run."""
    seen = []

    def watch(progress):
        seen.append(progress)
        if len(seen) == count:
            raise error

    return watch


class _Killed(BaseException):
    """Stands for the end of the process: nothing is tidied."""


@pytest.mark.parametrize("colour", ["style", "histogram"])
def test_a_killed_film_goes_on_and_ends_the_same(tmp_path, paint, recipe, frames_of, monkeypatch, colour):
    from impasto.video import film as module

    monkeypatch.setattr(module, "SEGMENT", 8)
    monkeypatch.setattr(module._Painting, "_rescue", lambda self: None)
    recipe = recipe.model_copy(update={"colour": colour})
    film = write_clip(tmp_path / "film.mp4", [*with_cut(8), *moving_object(10)], sound="aac")
    whole = paint(film, tmp_path / "whole.mp4", recipe=recipe)
    target = tmp_path / "painted.mp4"
    for count in (3, 11):
        with pytest.raises(_Killed):
            paint(film, target, recipe=recipe, run={"watch": interrupted_after(count, _Killed)})
        assert not target.exists()
    report = paint(film, target, recipe=recipe)
    assert report.continued == 8 and report.frames == 26 and report.flicker == whole.flicker
    assert same(frames_of(target), frames_of(tmp_path / "whole.mp4"))
    assert packets(target, "video") == packets(tmp_path / "whole.mp4", "video")


def test_an_interrupted_film_can_be_played_and_goes_on(tmp_path, paint, frames_of, monkeypatch):
    from impasto.video import film as module

    monkeypatch.setattr(module, "SEGMENT", 8)
    film = write_clip(tmp_path / "film.mp4", panning(20), sound="aac")
    target = tmp_path / "painted.mp4"
    report = paint(film, target, run={"watch": interrupted_after(11)})
    assert report.stopped and len(frames_of(target)) == 11
    assert len(packets(target, "audio")) == pytest.approx(11 / 25 * 48000 / 1024, abs=2), "the sound ends there too"
    whole = paint(film, target)
    assert whole.continued == 8 and len(frames_of(target)) == 20
    with pytest.raises(RequestError, match="exists already"):
        paint(film, target)


def test_parts_of_another_film_are_not_lost(tmp_path, paint, monkeypatch):
    from impasto.video import film as module

    monkeypatch.setattr(module, "SEGMENT", 4)
    film, target = write_clip(tmp_path / "film.mp4", panning(10)), tmp_path / "painted.mp4"
    paint(film, target, run={"watch": interrupted_after(6)})
    with pytest.raises(RequestError, match="parts of another film"):
        paint(film, target, steady=0.2)
    assert paint(film, target, steady=0.2, overwrite=True).continued == 0


def test_a_full_disk_leaves_what_can_be_played(tmp_path, paint, frames_of, monkeypatch):
    from impasto.video import film as module
    from impasto.video import parts

    monkeypatch.setattr(module, "SEGMENT", 4)
    real = parts.write_atomically

    def write(path, data, **more):
        if path.name == "segment-000002.part":
            raise OutputError(f"{path} cannot be written ({OSError(errno.ENOSPC, 'No space left on device')})")
        real(path, data, **more)

    monkeypatch.setattr(parts, "write_atomically", write)
    film, target = write_clip(tmp_path / "film.mp4", panning(20)), tmp_path / "painted.mp4"
    with pytest.raises(OutputError, match="No space left"):
        paint(film, target)
    assert len(frames_of(target)) == 8
    monkeypatch.setattr(parts, "write_atomically", real)
    report = paint(film, target)
    assert (report.continued, report.frames, len(frames_of(target))) == (8, 20, 20)


@pytest.mark.parametrize(
    ("sound", "ending", "words"),
    [
        ("aac", ".webm", "does not hold"),
        ("libopus", ".mov", "does not hold"),
        ("pcm_s16le", ".webm", "does not hold"),
        ("libopus", ".webm", ""),
    ],
)
def test_sound_that_does_not_fit_is_told_before_painting(tmp_path, paint, frames_of, sound, ending, words):
    film, target = write_clip(tmp_path / "film.mkv", panning(3), sound=sound), tmp_path / f"painted{ending}"
    if not words:
        paint(film, target)
        return
    with pytest.raises(RequestError, match=rf"{words}.*--no-sound"):
        paint(film, target)
    paint(film, target, sound=False)
    assert len(frames_of(target)) == 3


@pytest.mark.parametrize(
    ("settings", "target", "words"),
    [
        ({"begin": "9s"}, "painted.mp4", "--from"),
        ({"begin": "0.2s", "end": "0.1s"}, "painted.mp4", "not after"),
        ({"codec": "h264"}, "painted.webm", "does not hold h264"),
        ({"codec": "h624"}, "painted.mp4", "did you mean"),
        ({"crf": 90}, "painted.mp4", "0 to 51"),
        ({"crf": 9}, "painted.gif", "belong to films"),
        ({}, "painted.xyz", "expected one of"),
        ({}, "film.mp4", "replace"),
        ({"style_at": ("5=a", "3=b")}, "painted.mp4", "rising"),
    ],
)
def test_bad_requests(tmp_path, paint, settings, target, words):
    film = write_clip(tmp_path / "film.mp4", panning(5))
    before = set(tmp_path.iterdir())
    with pytest.raises(RequestError, match=words):
        paint(film, tmp_path / target, **settings)
    assert set(tmp_path.iterdir()) == before, "nothing is written"


def test_problems_of_the_film_are_told(tmp_path, paint):
    film = write_clip(tmp_path / "film.mkv", panning(75), options={"g": "10", "preset": "ultrafast"})
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    with pytest.warns(ImpastoWarning, match="cut short"):
        report = paint(film, tmp_path / "painted.mp4")
    assert 0 < report.frames < 75


def test_the_extra_is_named_where_it_is_missing(monkeypatch):
    from impasto import video

    monkeypatch.setattr(video.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="video"):
        video.require_extra()


def test_a_preview_comes_early_and_a_sheet_at_the_end(tmp_path, paint, frames_of):
    from PIL import Image

    film = write_clip(tmp_path / "film.mp4", panning(70))
    run = {"preview": Fraction(2, 5), "sheet": tmp_path / "sheet.png"}
    report = paint(film, tmp_path / "painted.mp4", run=run)
    assert len(frames_of(tmp_path / "painted.preview.mp4")) == 10
    assert Image.open(tmp_path / "sheet.png").width > 300 and len(report.files) == 2


@pytest.mark.parametrize("colour", ["luminance", "oklab", "histogram"])
def test_colours_and_strength(tmp_path, paint, recipe, frames_of, colour):
    film = write_clip(tmp_path / "film.mp4", panning(4))
    paint(film, tmp_path / "painted.mkv", codec="ffv1", recipe=recipe.model_copy(update={"colour": colour}))
    paint(film, tmp_path / "photo.mkv", codec="ffv1", recipe=recipe.model_copy(update={"strength": 0.0}))
    own = frames_of(film)
    assert np.abs(frames_of(tmp_path / "photo.mkv")[2].pixels.astype(int) - own[2].pixels).max() <= 1
    made = frames_of(tmp_path / "painted.mkv")[2].pixels
    assert np.abs(made.mean((0, 1)) - own[2].pixels.mean((0, 1))).max() < 60


def masked(recipe, mask):
    (part,) = recipe.options.net
    return recipe.model_copy(
        update={"options": recipe.options.model_copy(update={"net": (part.model_copy(update={"mask": str(mask)}),)})}
    )


@pytest.mark.parametrize("kind", ["picture", "film"])
def test_masks(tmp_path, paint, recipe, frames_of, kind):
    from PIL import Image

    film = write_clip(tmp_path / "film.mkv", panning(6), codec="ffv1", pixels="bgr0", options={})
    shapes = [np.zeros((64, 96, 3), np.uint8) for _ in range(6)]
    for number, shape in enumerate(shapes):
        shape[:, (48 if number < 3 or kind == "picture" else 0) :][:, :48] = 255
    if kind == "picture":
        Image.fromarray(shapes[0]).save(mask := tmp_path / "mask.png")
    else:
        mask = write_clip(tmp_path / "mask.mkv", shapes, codec="ffv1", pixels="bgr0", options={})
    paint(film, tmp_path / "painted.mkv", codec="ffv1", recipe=masked(recipe, mask))
    own, made = frames_of(film), frames_of(tmp_path / "painted.mkv")
    change = [np.abs(b.pixels.astype(int) - a.pixels).mean((0, 2)) for a, b in zip(own, made, strict=True)]
    assert change[1][:40].max() < 1.5 < change[1][56:].mean()
    left = change[5][:40].mean()
    assert left > 1.5 if kind == "film" else left < 1.5


def test_styles_follow_each_other(tmp_path, paint, tiny_shipped, picture, frames_of):
    from impasto.images.write import write
    from impasto.video.timeline import Timeline, styles_of

    for number in range(2):
        write(picture(48, 48, number), tmp_path / f"{number}.png")
    texts = (f"0s={tmp_path}/0.png", f"0.2s={tmp_path}/1.png")
    recipe = make_recipe("adain", styles_of(texts), settings={"size": 64})
    line = Timeline(recipe, texts)
    assert line.shares_at(Fraction(0)) == {0: 32} and line.shares_at(Fraction(1, 10)) == {0: 16, 1: 16}
    assert [style.path for style in line.recipe_with({1: 32}).styles] == [f"{tmp_path}/1.png"]
    film = write_clip(tmp_path / "film.mkv", [texture(64, 64)] * 8, codec="ffv1", pixels="bgr0", options={})
    report = paint(film, tmp_path / "painted.mkv", recipe=recipe, style_at=texts, codec="ffv1", steady=0)
    found = frames_of(tmp_path / "painted.mkv")
    assert report.frames == 8
    assert np.array_equal(found[6].pixels, found[7].pixels)
    assert not np.array_equal(found[0].pixels, found[2].pixels)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("gatys", {"steps": 6, "optimizer": "adam"}),
        ("nnst", {"steps": 3, "split_steps": 0, "first_steps": 3}),
        ("cascade", {"rungs": "adain:256,nnst:256:steps=3:split_steps=3:first_steps=3,swap"}),
        ("swap", {}),
        ("adain", {}),
    ],
)
def test_any_method_is_steadier_than_its_frames(tmp_path, paint, tiny_shipped, style, name, settings):
    recipe = make_recipe(name, [Style(path=str(style))], settings={**settings, "size": 64})
    film = write_clip(tmp_path / "film.mp4", panning(8, (64, 48)))
    report = paint(film, tmp_path / "painted.mp4", recipe=recipe)
    assert report.frames == 8 and report.flicker["result"] <= report.flicker["frames"] + 0.5


def test_no_frame_in_the_time_that_is_painted(tmp_path, paint):
    film = write_clip(tmp_path / "film.mp4", panning(5), times=[0, 40, 80, 120, 900])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImpastoWarning)
        with pytest.raises(ImageError, match="no frame to paint"):
            paint(film, tmp_path / "painted.mp4", begin="0.2s", end="0.5s")
