"""Films are read as they are meant to look, every frame at its own time, and what is broken is told."""

from fractions import Fraction

import numpy as np
import pytest

from impasto.errors import ImageError

from .clips import FULL, LIMITED, MATRICES, RATE, panning, texture, write_clip, write_yuv


def open_film(path):
    from impasto.video.sources import open_film

    return open_film(str(path))


def all_frames(film):
    return list(film.frames(film.info.size))


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".mov"])
def test_each_frame_has_its_own_time(tmp_path, ending):
    times = [0, 40, 50, 200, 210, 500]
    film = open_film(write_clip(tmp_path / f"film{ending}", panning(6), times=times))
    found = all_frames(film)
    assert [round(frame.time * 1000) for frame in found] == times
    assert [round(frame.duration * 1000) for frame in found[:-1]] == [40, 10, 150, 10, 290]


def test_reading_begins_at_a_time(tmp_path):
    film = open_film(write_clip(tmp_path / "film.mp4", panning(75), options={"g": "25", "preset": "ultrafast"}))
    whole = all_frames(film)
    later = list(film.frames(film.info.size, Fraction(2)))
    assert [frame.time for frame in later] == [frame.time for frame in whole if frame.time >= 2]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(later, whole[50:], strict=True))


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("span", [LIMITED, FULL])
@pytest.mark.parametrize("colour", [(0.9, 0.1, 0.2), (0.1, 0.7, 0.3), (0.2, 0.3, 0.8), (1, 1, 1), (0, 0, 0)])
def test_colours_follow_matrix_and_range(tmp_path, matrix, span, colour):
    if matrix != "2020" or span == LIMITED:
        found = all_frames(open_film(write_yuv(tmp_path / "film.mp4", colour, matrix, span)))
        assert np.abs(found[0].pixels.mean((0, 1)) / 255 - colour).max() < 0.015


def test_a_small_film_without_a_matrix_has_that_of_television(tmp_path):
    film = open_film(write_yuv(tmp_path / "film.mp4", (0.1, 0.7, 0.3), "601", LIMITED, tagged=False))
    assert np.abs(all_frames(film)[0].pixels.mean((0, 1)) / 255 - (0.1, 0.7, 0.3)).max() < 0.015


@pytest.mark.parametrize(("curve", "name"), [(16, "PQ"), (18, "HLG")])
def test_high_dynamic_range_is_mapped(tmp_path, curve, name):
    ramp = np.tile(np.linspace(0, 255, 64, dtype=np.uint8)[None, :, None], (64, 1, 3))
    path = write_clip(
        tmp_path / "film.mkv", [ramp] * 2, pixels="yuv420p10le", colorspace=9, color_primaries=9, color_trc=curve
    )
    film = open_film(path)
    assert film.info.dynamic_range == name
    row = all_frames(film)[0].pixels.mean((0, 2))
    assert np.all(np.diff(row) > -2), "brighter stays brighter"
    assert row[0] < 5 and row[-1] > 245
    white = {"PQ": 0.58, "HLG": 0.75}[name]  # the code of 203 nits, diffuse white
    assert row[round(white * 63)] == pytest.approx(237, abs=6)


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_turned_film_is_upright(tmp_path, turn):
    frame = texture(48, 64)
    frame[:24, :32] = 255
    film = open_film(write_clip(tmp_path / "film.mp4", [frame] * 2, rotation=turn))
    assert film.info.size == ((48, 64) if turn in (90, 270) else (64, 48))
    expected = np.rot90(frame, turn // 90)
    assert np.abs(all_frames(film)[0].pixels.astype(int) - expected).mean() < 8


def test_pixels_become_square(tmp_path):
    film = open_film(write_clip(tmp_path / "film.mp4", panning(2, (64, 48)), aspect=Fraction(3, 2)))
    assert film.info.size == (96, 48)
    assert all_frames(film)[0].pixels.shape == (48, 96, 3)


def test_a_broken_frame_is_skipped_and_told(tmp_path):
    path = write_clip(tmp_path / "film.mkv", panning(20), codec="mjpeg", pixels="yuvj420p", options={})
    data = bytearray(path.read_bytes())
    start = data.find(b"\xff\xd8", len(data) // 2)
    data[start : start + 400] = bytes(400)
    path.write_bytes(data)
    film = open_film(path)
    assert 18 <= len(all_frames(film)) < 20
    assert "skipped" in " ".join(film.problems)


def test_a_film_that_is_cut_short_is_read_up_to_there(tmp_path):
    path = write_clip(tmp_path / "film.mkv", panning(75), options={"g": "10", "preset": "ultrafast"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    film = open_film(path)
    assert 10 < len(all_frames(film)) < 70
    assert "cut short" in " ".join(film.problems)


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".m4v"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_film_without_its_index_is_told_to_be_cut_short(tmp_path, ending, share):
    path = write_clip(tmp_path / f"film{ending}", panning(20))
    data = path.read_bytes()
    path.write_bytes(data[: int(data.index(b"moov") * share)])
    with pytest.raises(ImageError, match=r"has no index.*cut short"):
        open_film(path)


def test_frames_of_another_size_are_fitted(tmp_path):
    import av

    parts = [write_clip(tmp_path / f"{n}.ts", panning(5, size)) for n, size in enumerate([(96, 64), (64, 64)])]
    joined = tmp_path / "film.ts"
    with av.open(str(joined), "w") as made:
        stream, time = None, 0
        for part in parts:
            with av.open(str(part)) as source:
                if stream is None:
                    stream = made.add_stream_from_template(source.streams.video[0])
                for packet in source.demux(video=0):
                    if packet.size:
                        packet.pts = packet.dts = time
                        packet.stream, time = stream, time + 3600
                        made.mux(packet)
    film = open_film(joined)
    found = all_frames(film)
    assert {frame.pixels.shape for frame in found} == {(64, 96, 3)}
    assert found[-1].pixels[:, 2].max() < 20, "there is black beside a narrower frame"
    assert "scaled to fit" in " ".join(film.problems)


def test_transparency_is_read(tmp_path):
    frame = np.dstack([texture(48, 64), np.full((48, 64), 255, np.uint8)])
    frame[:, :32, 3] = 0
    path = write_clip(
        tmp_path / "film.webm", [frame] * 3, codec="libvpx-vp9", pixels="yuva420p", options={"auto-alt-ref": "0"}
    )
    film = open_film(path)
    alpha = all_frames(film)[1].alpha
    assert film.info.alpha and alpha[:, :24].max() < 30 and alpha[:, 40:].min() > 220


def test_what_is_no_film_is_refused(tmp_path):
    import av

    sound = tmp_path / "sound.mka"
    with av.open(str(sound), "w") as made:
        from .clips import _write_tone

        _write_tone(made, made.add_stream("flac", rate=48000, layout="mono"), 0.2)
    text = tmp_path / "text.mp4"
    text.write_text("no film")
    empty = tmp_path / "empty.mp4"
    empty.touch()
    for path, words in (
        (sound, "no picture track"),
        (text, "cannot be read"),
        (empty, "cannot be read"),
        (tmp_path / "none.mp4", "no file"),
    ):
        with pytest.raises(ImageError, match=words):
            open_film(path)


@pytest.mark.parametrize("ending", [".gif", ".apng", ".webp"])
def test_animated_pictures_are_read(tmp_path, ending):
    from PIL import Image

    frames = [Image.fromarray(frame) for frame in panning(4)]
    path = tmp_path / f"film{ending}"
    form = {".gif": "GIF", ".apng": "PNG", ".webp": "WEBP"}[ending]
    frames[0].save(path, form, save_all=True, append_images=frames[1:], duration=[40, 80, 120, 40])
    found = all_frames(open_film(path))
    assert [round(frame.time * 1000) for frame in found] == [0, 40, 120, 240]
    assert np.abs(found[2].pixels.astype(int) - np.asarray(frames[2])).mean() < 12


@pytest.mark.parametrize("name", ["frames/%03d.png", "frames"])
def test_numbered_pictures_are_read_in_order(tmp_path, name):
    from PIL import Image

    (tmp_path / "frames").mkdir()
    for number, frame in enumerate(panning(12), 1):
        Image.fromarray(frame).save(tmp_path / f"frames/{number:03}.png")
    found = all_frames(open_film(tmp_path / name))
    assert len(found) == 12 and found[1].time == Fraction(1, RATE)
    assert np.array_equal(found[10].pixels, panning(12)[10])
