import io
import random
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from impasto.errors import RequestError
from impasto.training.data import Batches, Cropping, Pictures, Prefetch, name_some


def jpeg(seed: int, size: tuple[int, int] = (60, 48)) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1] // 4, size[0] // 4, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).resize(size).save(out, "JPEG")
    return out.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "pictures"
    (place / "deeper").mkdir(parents=True)
    for i in range(4):
        (place / f"{i}.jpg").write_bytes(jpeg(i))
    (place / "deeper" / "4.JPG").write_bytes(jpeg(4))
    (place / "notes.txt").write_text("not a picture")
    with tarfile.open(place / "shard.tar", "w") as tar:
        for i in range(5, 8):
            data = jpeg(i)
            info = tarfile.TarInfo(f"{i}.jpg")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return place


def test_finds_files_and_members_of_shards(folder: Path) -> None:
    assert len(Pictures.find([str(folder)], "photos")) == 8
    assert len(Pictures.find([str(folder / "shard.tar")], "photos")) == 3


def test_a_weight_makes_a_place_count_more(folder: Path) -> None:
    pictures = Pictures.find([f"{folder / 'deeper'}:5", str(folder / "shard.tar")], "photos")
    assert pictures.shares == [5.0, 3.0]
    assert "deeper (1 at weight 5)" in pictures.description


def test_batches_are_a_function_of_their_number(folder: Path) -> None:
    def batches(seed: int = 0, rank: int = 0) -> Batches:
        found = Pictures.find([str(folder)], "photos")
        return Batches(found, found, Cropping(32), (3, 2), seed, rank, world=2)

    photos, paintings = batches()(7)
    assert photos.shape == (3, 3, 32, 32) and paintings.shape == (2, 3, 32, 32)
    assert photos.dtype == torch.float32 and photos.min() >= 0 and photos.max() <= 1
    used = batches()
    for number in (3, 9):
        used(number)
    assert torch.equal(used(7)[0], photos) and torch.equal(used(7)[1], paintings)
    for other in (batches(seed=1)(7), batches(rank=1)(7), batches()(8)):
        assert not torch.equal(other[0], photos)


@pytest.mark.parametrize(
    "cropping", [Cropping(40), Cropping(40, resize=44), Cropping(40, 40, squash=True), Cropping(200)]
)
def test_crops_have_their_side_and_stay_inside(cropping: Cropping) -> None:
    image = Image.new("RGB", (90, 60), (255, 0, 0))
    for seed in range(20):
        crop = cropping(image, random.Random(seed))
        assert crop.shape == (cropping.side, cropping.side, 3)
        assert (crop == (255, 0, 0)).all()  # nothing from beyond the border


def test_resize_crops_at_one_scale_and_squash_gives_up_proportions() -> None:
    ramp = np.broadcast_to(np.arange(200, dtype=np.uint8), (100, 200))
    image = Image.fromarray(ramp).convert("RGB")
    plain = Cropping(50, resize=100)(image, random.Random(0)).astype(int)
    squashed = Cropping(50, resize=100, squash=True)(image, random.Random(0)).astype(int)
    assert abs(np.diff(plain[25, 5:-5, 0])).mean() == pytest.approx(1, abs=0.1)
    assert abs(np.diff(squashed[25, 5:-5, 0])).mean() == pytest.approx(2, abs=0.1)


def test_broken_pictures_are_passed_over_and_counted(folder: Path) -> None:
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 this is no JPEG")
    (folder / "cut.jpg").write_bytes(jpeg(1)[:300])
    (folder / "tiny.png").write_bytes(jpeg(1, (12, 12)))
    pictures = Pictures.find([str(folder)], "photos")
    for seed in range(60):
        pictures.draw(random.Random(seed), Cropping(32))
    assert {Path(name).name for name in pictures.broken} == {"broken.jpg", "cut.jpg", "tiny.png"}


def test_held_out_pictures_are_never_drawn(folder: Path) -> None:
    pictures = Pictures.find([str(folder)], "photos")
    taken = pictures.hold_out(3, seed=0)
    assert len(taken) == 3 and len(pictures) == 5
    assert not {entry.name for entry in taken} & {entry.name for group in pictures.groups for entry in group}
    again = Pictures.find([str(folder)], "photos").hold_out(3, seed=0)
    assert [entry.name for entry in again] == [entry.name for entry in taken]
    assert pictures.load(taken[0], 30).shape == (1, 3, 24, 30)


def test_headers_show_most_of_what_cannot_be_read(folder: Path) -> None:
    (folder / "text.jpg").write_text("no picture")
    (folder / "empty.png").write_bytes(b"")
    (folder / "tiny.png").write_bytes(jpeg(1, (12, 12)))
    with tarfile.open(folder / "bad.tar", "w") as tar:
        info = tarfile.TarInfo("broken.jpg")
        info.size = 40
        tar.addfile(info, io.BytesIO(b"x" * 40))
    pictures = Pictures.find([str(folder)], "photos")
    pictures.check_headers(-1)
    assert not pictures.broken, "it takes no longer than it may"
    pictures.check_headers(60)
    assert {Path(name).name for name in pictures.broken} == {"text.jpg", "empty.png", "tiny.png", "broken.jpg"}
    assert len(pictures) == 12, "what is drawn by a seed stays the same"


def test_a_line_names_the_first_unreadable_files() -> None:
    assert name_some(["a.jpg"]) == "1 unreadable picture left out: a.jpg"
    assert name_some([*"abcdefg"]) == "7 unreadable pictures left out: a, b, c, d, e and 2 more"


@pytest.mark.parametrize("weight", ["0", "-1", "nan", "inf"])
def test_a_weight_that_is_none_is_told_of_as_one_of_pictures(folder: Path, weight: str) -> None:
    with pytest.raises(RequestError, match=r"photos: the weight .* how often pictures from there are drawn") as error:
        Pictures.find([f"{folder}:{weight}"], "photos")
    assert "style" not in str(error.value)


@pytest.mark.parametrize(("count", "repair"), [(5, "or --held-out 4"), (40, "or --held-out 4")])
def test_too_few_pictures_are_told_of_with_both_repairs(folder: Path, count: int, repair: str) -> None:
    with pytest.raises(RequestError, match=rf"at least {2 * count}, twice --held-out: give more, {repair}"):
        Pictures.find([str(folder)], "photos").hold_out(count, 0)


def test_pictures_are_known_by_their_names_within_their_place(folder: Path, tmp_path: Path) -> None:
    def names_hash(*places: object) -> str:
        return Pictures.find([str(place) for place in places], "photos").names_hash

    first = names_hash(folder)
    moved = folder.rename(tmp_path / "moved")
    assert names_hash(moved) == first
    assert names_hash(f"{moved}:2") != first
    (moved / "0.jpg").rename(moved / "other.jpg")
    assert names_hash(moved) != first


def test_refuses_places_without_pictures(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(RequestError, match="does not exist"):
        Pictures.find([str(tmp_path / "nowhere")], "photos")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RequestError, match="paintings: no pictures"):
        Pictures.find([str(tmp_path / "empty")], "paintings")
    with pytest.raises(RequestError, match="no photos"):
        Pictures.find([], "photos")
    (tmp_path / "bad.tar").write_bytes(b"x" * 700)
    with pytest.raises(RequestError, match=r"not a whole \.tar file"):
        Pictures.find([str(tmp_path / "bad.tar")], "photos")
    with pytest.raises(RequestError, match="expected at least 10"):
        Pictures.find([str(folder)], "photos").hold_out(5, 0)
    only_broken = tmp_path / "broken"
    only_broken.mkdir()
    for i in range(3):
        (only_broken / f"{i}.jpg").write_bytes(b"no")
    broken = Pictures.find([str(only_broken)], "photos")
    with pytest.raises(RequestError, match=r"3 are broken, such as .*0\.jpg"):
        broken.draw(random.Random(0), Cropping(32))
    with pytest.raises(RequestError, match="only 0 readable"):
        broken.hold_out(1, 0)


def test_prefetch_keeps_the_order_and_passes_errors_on() -> None:
    with Prefetch(lambda n: n * n, 3, 20, workers=3) as results:
        assert list(results) == [n * n for n in range(3, 20)]

    def fails(number: int) -> int:
        if number == 2:
            raise RequestError("no more")
        return number

    with Prefetch(fails, 0, 5, workers=2) as results:
        assert [next(results), next(results)] == [0, 1]
        with pytest.raises(RequestError):
            next(results)
