"""What is painted is told by what is inside the pictures."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

import impasto
from impasto.batch import paint_folder
from impasto.images.header import is_whole, read_header
from impasto.methods import METHODS

from .conftest import Batch, files, picture, statuses

ALL = {"one.a.jpg", "two.a.png", "sub/three.a.jpg"}


def test_a_second_run_paints_nothing(batch: Batch) -> None:
    assert batch().count("painted") == 3
    assert files() == ALL
    before = {name: (Path("out") / name).stat().st_mtime_ns for name in ALL}
    again = batch()
    assert again.count("skipped") == 3
    assert {name: (Path("out") / name).stat().st_mtime_ns for name in ALL} == before


@pytest.mark.parametrize(
    "change",
    [{"size": 40}, {"seed": 1}, {"strength": 0.5}, {"style_scale": 2.0}, {"quality": 80}, {"alpha": 0.5}],
    ids=lambda change: next(iter(change)),
)
def test_what_another_recipe_painted_is_painted_anew(batch: Batch, change: dict[str, Any]) -> None:
    batch("photos/one.jpg")
    assert batch("photos/one.jpg", **change).count("painted") == 1
    assert batch("photos/one.jpg", **change).count("skipped") == 1


def test_what_changes_no_picture_paints_nothing_anew(batch: Batch) -> None:
    batch("photos/one.jpg")
    assert batch("photos/one.jpg", memory="64GB").count("skipped") == 1


@pytest.mark.parametrize("what", ["photos/one.jpg", "a.png", "net", "mask"])
def test_what_was_painted_from_another_file_is_painted_anew(batch: Batch, tiny: dict[str, Any], what: str) -> None:
    more: dict[str, Any] = {}
    if what == "mask":
        picture(Path("masks/one.png"), 5)
        more["mask_dir"] = "masks"
    batch("photos/one.jpg", **more)
    assert batch("photos/one.jpg", **more).count("skipped") == 1
    if what == "net":
        data = bytearray(Path(tiny["net"]).read_bytes())
        data[-1] ^= 1
        Path(tiny["net"]).write_bytes(data)
    else:
        picture(Path("masks/one.png" if what == "mask" else what), 77, (30, 30))
    assert batch("photos/one.jpg", **more).count("painted") == 1
    assert batch("photos/one.jpg", **more).count("skipped") == 1


def test_a_copied_or_touched_photo_is_the_same(batch: Batch) -> None:
    batch("photos/one.jpg")
    os.utime("photos/one.jpg", (1, 1))
    assert batch("photos/one.jpg").count("skipped") == 1
    shutil.copy("photos/one.jpg", "one.jpg")
    assert batch("one.jpg").count("skipped") == 1
    shutil.copy("photos/two.png", "one.jpg")  # the name tells nothing
    assert batch("one.jpg").count("painted") == 1


@pytest.mark.parametrize("form", ["jpg", "png", "webp", "tif", "avif", "jxl"])
def test_a_part_of_a_file_is_never_taken_for_a_whole_one(batch: Batch, form: str) -> None:
    batch("photos/one.jpg", format=form)
    path = Path(f"out/one.a.{form}")
    whole = path.read_bytes()
    assert is_whole(whole)
    assert read_header(path).painted
    assert batch("photos/one.jpg", format=form).count("skipped") == 1
    for share in (0.0, 0.5, 0.9, 0.999):
        path.write_bytes(whole[: int(len(whole) * share)])
        assert batch("photos/one.jpg", format=form).count("painted") == 1
        assert path.read_bytes() == whole


@pytest.mark.parametrize("name", [name for name, each in METHODS.items() if name != "whitening"])
def test_every_method_knows_its_paintings(
    photos: Path, tiny_encoder: None, tiny_settings: dict[str, dict[str, str]], name: str
) -> None:
    quick: dict[str, Any] = {"gatys": {"steps": 1}, "nnst": {"steps": 1}}.get(name, {})
    settings = {"size": 32, **quick, **tiny_settings.get(name, {})}
    styles = ("a.png",) if METHODS[name].styles else ()
    statuses = [
        row.status
        for _ in range(2)
        for row in paint_folder("photos/one.jpg", "out", *styles, method=name, device="cpu", **settings).rows
    ]
    assert statuses == ["painted", "skipped"]


def test_styles_by_name_for_networks_that_know_them(photos: Path, tiny_nets: dict[str, Path]) -> None:
    names = (str(tiny_nets["johnson"]),)
    report = paint_folder("photos/one.jpg", "out", *names, method="johnson", device="cpu", size=32)
    assert statuses(report) == {"one.johnson.jpg": "painted"}
    with pytest.raises(impasto.RequestError, match="--net are both given"):
        paint_folder("photos/one.jpg", "out", *names, method="johnson", net=names[0])


def test_unfinished_files_of_a_killed_process_are_removed(batch: Batch) -> None:
    Path("out").mkdir()
    old, new = Path("out/.impasto-0123.part"), Path("out/.impasto-4567.part")
    old.touch()
    new.touch()
    os.utime(old, (time.time() - 7200,) * 2)
    batch()
    assert not old.exists()
    assert new.exists()
