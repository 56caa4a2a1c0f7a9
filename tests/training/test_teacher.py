from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from impasto.errors import RequestError
from impasto.training import teacher
from impasto.training.lessons import PHOTOS, read_lessons
from impasto.training.teacher import TEACHERS, find_lessons, paint_ahead, teacher_recipe


def save(path: Path, size: tuple[int, int], seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), np.uint8)
    Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for n in range(3):
        save(tmp_path / PHOTOS / f"{n}.png", (60, 48), n)
        save(tmp_path / "waves" / f"{n}.jpg", (60, 48), 10 + n)
    return tmp_path


def test_a_folder_of_pairs_is_read(folder: Path) -> None:
    said: list[str] = []
    lessons = read_lessons(folder, ["waves"], said.append)
    assert len(lessons.by_style["waves"]) == 3 and not said
    assert {lesson.photo.shape for lesson in lessons.by_style["waves"]} == {(48, 60, 3)}


@pytest.mark.parametrize("odd", ["no photo", "no painting", "other proportions", "unreadable"])
def test_odd_pairs_are_left_out_and_named(folder: Path, odd: str) -> None:
    said: list[str] = []
    match odd:
        case "no photo":
            (folder / PHOTOS / "1.png").unlink()
        case "no painting":
            (folder / "waves" / "1.jpg").unlink()
        case "other proportions":
            save(folder / "waves" / "1.jpg", (48, 60))
        case _:
            (folder / "waves" / "1.jpg").write_bytes(b"no picture")
    lessons = read_lessons(folder, ["waves"], said.append)
    assert len(lessons.by_style["waves"]) == 2
    # A photo without a painting is nothing odd: a teacher need not paint all of them.
    assert ("1.jpg" in "".join(said)) == (odd != "no painting")


@pytest.mark.parametrize(
    ("odd", "reason", "file"),
    [
        ("no photo", "1 without a photo of the name", "waves/1.jpg"),
        ("proportions", "1 of other proportions than the photo", "waves/1.jpg"),
        ("painting", "1 unreadable", "waves/1.jpg"),
        ("photo", "1 unreadable", "photos/1.png"),
        ("small", "1 of less than 16 pixels a side", "waves/1.jpg"),
    ],
)
def test_what_is_left_out_is_told_with_the_reason(folder: Path, odd: str, reason: str, file: str) -> None:
    painting, photo = folder / "waves" / "1.jpg", folder / PHOTOS / "1.png"
    match odd:
        case "no photo":
            photo.unlink()
        case "proportions":
            save(painting, (48, 60))
        case "small":
            save(painting, (5, 4))
        case _:
            (painting if odd == "painting" else photo).write_bytes(b"no picture")
    said: list[str] = []
    assert len(read_lessons(folder, ["waves"], said.append).by_style["waves"]) == 2
    assert said == [f"teacher: left out: {reason}: {folder / file}"]
    for n in (0, 2):
        (folder / "waves" / f"{n}.jpg").unlink()
    with pytest.raises(RequestError, match=reason):
        read_lessons(folder, ["waves"], pytest.fail)


def test_paintings_of_a_style_that_is_not_learned_are_named(folder: Path) -> None:
    (folder / "no pictures").mkdir()
    for style in ("stars", "suns"):
        save(folder / style / "0.png", (60, 48))
    said: list[str] = []
    read_lessons(folder, ["waves"], said.append)
    assert said == ["teacher: not learned, without a --style of the name: stars, suns"]
    with pytest.raises(RequestError, match=r"no paintings in .*screams; .*there are paintings of stars, suns, waves"):
        read_lessons(folder, ["screams"], pytest.fail)


def test_a_folder_of_a_teacher_says_how_much_there_is(
    folder: Path, style: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "waves" / "1.jpg").unlink()
    find_lessons(str(folder), [], {"waves": style}, folder / "ahead")
    assert "teacher: 2 of waves to learn from" in capsys.readouterr().err


def test_paintings_of_another_size_are_brought_to_that_of_their_photos(folder: Path) -> None:
    save(folder / "waves" / "1.jpg", (121, 96))
    lessons = read_lessons(folder, ["waves"], pytest.fail)
    assert all(lesson.photo.shape == lesson.painting.shape == (48, 60, 3) for lesson in lessons.by_style["waves"])


@pytest.mark.parametrize("lacking", ["folder", "photos", "style", "pairs"])
def test_a_folder_without_lessons_is_refused(folder: Path, lacking: str) -> None:
    place, style = folder, "waves"
    match lacking:
        case "folder":
            place = folder / "nowhere"
        case "photos":
            for file in (folder / PHOTOS).iterdir():
                file.unlink()
        case "style":
            style = "stars"
        case _:
            for n in range(3):
                (folder / "waves" / f"{n}.jpg").rename(folder / "waves" / f"other-{n}.jpg")
    with pytest.raises(RequestError, match="expected"):
        read_lessons(place, [style], lambda _: None)


def test_a_crop_is_the_same_square_of_photo_and_painting(folder: Path) -> None:
    for n in range(3):
        picture = Image.open(folder / PHOTOS / f"{n}.png")
        picture.save(folder / "waves" / f"{n}.png")
        (folder / "waves" / f"{n}.jpg").unlink()
    lessons = read_lessons(folder, ["waves"], pytest.fail)
    for side in (32, 48, 64):
        photos, paintings = lessons.draw(["waves", "waves"], side, f"a/{side}")
        assert photos.shape == (2, 3, side, side) and torch.equal(photos, paintings)
        again = lessons.draw(["waves", "waves"], side, f"a/{side}")[0]
        assert torch.equal(photos, again)
    drawn = {tuple(lessons.draw(["waves"], 32, str(n))[0].flatten().tolist()) for n in range(8)}
    assert len(drawn) == 8


@pytest.mark.parametrize("name", TEACHERS)
def test_a_teacher_paints_boldly_at_its_size(name: str, style: Path) -> None:
    recipe = teacher_recipe(name, style)
    assert recipe.size == teacher.SIZE
    assert any(name in (recipe.method, rung.method) for rung in recipe.options.rungs)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, tiny_encoder: object) -> list[Path]:
    """A teacher of one small pass; the files it painted."""
    del tiny_encoder
    made: list[Path] = []

    class Done:
        def __init__(self, path: Path) -> None:
            self.path = path

        def done(self) -> "Done":
            return self

        def save(self, to: Path, *, overwrite: bool) -> None:
            assert overwrite
            Image.open(self.path).save(to)
            made.append(to)

    class Painter:
        def paint(self, path: Path) -> Done:
            return Done(path)

    monkeypatch.setattr(teacher, "bind", lambda recipe, device: Painter())
    return made


def test_paintings_that_are_there_are_not_painted_again(
    tmp_path: Path, style: Path, quick: list[Path], picture: Callable[..., torch.Tensor]
) -> None:
    photos = [np.random.default_rng(n).integers(0, 256, (48, 60, 3), np.uint8) for n in range(3)]
    paint_ahead(tmp_path / "t", "cascade", photos, {"waves": style}, lambda _: None)
    assert len(quick) == 3
    (tmp_path / "t" / "waves" / "0001.png").unlink()  # as if it had been interrupted
    said: list[str] = []
    paint_ahead(tmp_path / "t", "cascade", photos, {"waves": style, "more": style}, said.append)
    assert [(path.parent.name, path.stem) for path in quick[3:]] == [
        ("waves", "0001"),
        *(("more", f"000{n}") for n in range(3)),
    ]
    assert len(said) == 4 and "left" in said[0]
    lessons = read_lessons(tmp_path / "t", ["waves", "more"], pytest.fail)
    assert all(len(pairs) == 3 for pairs in lessons.by_style.values())


@pytest.mark.parametrize("changed", ["photos", "teacher", "style"])
def test_paintings_of_another_kind_are_not_taken_for_these(
    tmp_path: Path, style: Path, quick: list[Path], changed: str
) -> None:
    del quick
    photos = [np.zeros((48, 60, 3), np.uint8)]
    paint_ahead(tmp_path / "t", "cascade", photos, {"waves": style}, lambda _: None)
    name = "cascade"
    match changed:
        case "photos":
            photos = [np.ones((48, 60, 3), np.uint8)]
        case "teacher":
            name = "nnst"
        case _:
            save(style, (40, 40), 99)
    with pytest.raises(RequestError, match=r"other|another"):
        paint_ahead(tmp_path / "t", name, photos, {"waves": style}, lambda _: None)


def test_a_teacher_that_is_stopped_says_what_is_kept(tmp_path: Path, style: Path, quick: list[Path]) -> None:
    photos = [np.full((48, 60, 3), n, np.uint8) for n in range(3)]
    said: list[str] = []

    def stop_at_the_second(line: str) -> None:
        said.append(line)
        if len(quick) == 2 and len(said) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        paint_ahead(tmp_path / "t", "cascade", photos, {"waves": style}, stop_at_the_second)
    assert "2 of 3" in said[-1] and str(tmp_path / "t") in said[-1]
    paint_ahead(tmp_path / "t", "cascade", photos, {"waves": style}, lambda _: None)
    assert len(quick) == 3
