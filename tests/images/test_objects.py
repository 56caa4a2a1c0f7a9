"""Pictures and masks that a program has in memory."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import impasto
from impasto.errors import ImageError, ImpastoWarning, RequestError
from impasto.images.read import read
from impasto.weights.canonical import VGGWeights

RGB = np.random.default_rng(3).integers(0, 256, (12, 9, 3), np.uint8)
CHW = torch.from_numpy(RGB).permute(2, 0, 1)


def png() -> bytes:
    out = io.BytesIO()
    Image.fromarray(RGB).save(out, "PNG")
    return out.getvalue()


def read_to_the_end(data: bytes) -> io.BytesIO:
    file = io.BytesIO(data)
    file.read()
    return file


class Stream(io.RawIOBase):
    """A file that cannot go back, such as a socket's."""

    def __init__(self, data: bytes) -> None:
        self.file = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self.file.read(min(size, 100))


KINDS: dict[str, Callable[[Path], Any]] = {
    "bytes in a file object": lambda _: io.BytesIO(png()),
    "a file object at its end": lambda _: read_to_the_end(png()),
    "an open file": lambda path: path.open("rb"),
    "a stream": lambda _: Stream(png()),
    "a tensor of bytes": lambda _: CHW[None],
    "channels first": lambda _: CHW.float() / 255,
    "channels first, of bytes": lambda _: CHW,
    "doubles": lambda _: CHW[None].double() / 255,
    "four channels": lambda _: torch.cat((CHW, torch.full((1, 12, 9), 255, dtype=torch.uint8))),
    "a channel's axis": lambda _: RGB,
    "an array of bytes": lambda _: bytearray(png()),
    "a view of memory": lambda _: memoryview(png()),
    "an entry of a folder": lambda path: next(each for each in os.scandir(path.parent) if each.name == path.name),
}


@pytest.mark.parametrize("kind", KINDS)
def test_photos_and_styles_come_as_objects(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png())
    np.testing.assert_array_equal(np.asarray(read(KINDS[kind](path)).to_pil().convert("RGB")), RGB)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (io.StringIO("text"), "open it by 'rb'"),
        (np.zeros((3, 8, 9), np.uint8), "move its channels to the end"),
        (torch.zeros(2, 8, 9), r"expected \(1, 3, height, width\), \(3, height, width\)"),
        (torch.full((1, 3, 4, 4), 1.01), "from 1.01 to 1.01; .*clip it"),
        (torch.full((1, 3, 4, 4), 200.0), "divide by 255"),
        (torch.zeros(3, 4, 4, dtype=torch.int64), "int64"),
        (torch.zeros(3, 4, 4).to_sparse(), "in the layout torch.sparse_coo; expected"),
        (torch.zeros(3, 4, 4, device="meta"), r"without values \(meta\); expected"),
    ],
)
def test_what_is_wrong_is_told(given: Any, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        read(given)


@pytest.mark.parametrize("above", [1.0003, 1.001])
def test_a_little_beyond_the_range_is_clipped(above: float) -> None:
    for each in (torch.full((1, 3, 4, 4), above), np.full((4, 4, 3), above, np.float32)):
        assert float(read(each).pixels.max()) == 1


def test_closed_images_and_files_are_called_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png())
    with path.open("rb") as file:
        lazy = Image.open(file)
    closed = Image.open(path)
    closed.close()
    loaded = Image.fromarray(RGB)
    loaded.close()
    for each in (lazy, closed, loaded, file):
        with pytest.raises(ImageError, match="closed"):
            read(each)


MASKS: dict[str, Callable[[Path], Any]] = {
    "bools": lambda _: RGB[..., 0] > 127,
    "H×W": lambda _: torch.from_numpy(RGB[..., 0] > 127).float(),
    "1×1×H×W": lambda _: torch.from_numpy(RGB[..., 0] > 127).float()[None, None],
    "a tensor of bools": lambda _: torch.from_numpy(RGB[..., 0] > 127),
    "a path": lambda path: path,
    "a path as text": str,
    "an open file": lambda path: io.BytesIO(path.read_bytes()),
}


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("kind", MASKS)
def test_masks_come_as_objects(
    kind: str, alone: bool, photo: Path, style: Path, tmp_path: Path, tiny_encoder: VGGWeights
) -> None:
    path = tmp_path / "mask.png"
    Image.fromarray(np.uint8(RGB[..., 0] > 127) * 255).save(path)

    def regions(mask: Any) -> torch.Tensor:
        settings = {"size": 32, "steps": 1}
        with warnings.catch_warnings(action="ignore"):  # it is stretched
            made = impasto.paint(photo, style, method="gatys", masks=mask, **settings)
        assert made.regions is not None and made.recipe.styles[0].mask
        return made.regions.coverage

    mask = MASKS[kind](path)
    assert torch.equal(regions(mask if alone else [mask]), regions([path]))


@pytest.mark.parametrize("lightest", [1, 2, 10])
def test_a_mask_of_small_numbers_is_warned_of(lightest: int, photo: Path, style: Path) -> None:
    recipe = impasto.make_recipe("gatys", [impasto.Style(path=str(style))])
    picture = read(photo)
    mask = np.zeros(picture.size[::-1], np.uint8)
    mask[5:] = lightest
    with pytest.warns(ImpastoWarning, match=rf"lightest value of mask .* is {lightest} of 255"):
        impasto.api.read_regions(recipe, picture, [mask])
    with warnings.catch_warnings(action="error"):
        impasto.api.read_regions(recipe, picture, [mask * (255 // lightest)])


@pytest.mark.parametrize("given", ["photo.jpg", Path("photo.jpg"), RGB, CHW, CHW[None], torch.zeros(1, 1, 4, 4)])
def test_a_painter_takes_tensors_and_says_where_from(given: Any, style: Path, tiny_encoder: VGGWeights) -> None:
    recipe = impasto.make_recipe("gatys", [impasto.Style(path=str(style))], settings={"size": 32, "steps": 1})
    painter = impasto.bind(recipe).painter
    for arguments in ((given,), (torch.rand(1, 3, 8, 8), None, given)):
        with pytest.raises(RequestError, match=r"impasto\.read\(\.\.\.\)\.pixels"):
            painter.paint(*arguments)
