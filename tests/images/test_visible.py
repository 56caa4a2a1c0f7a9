"""What transparency hides in a style decides no painting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import impasto
from impasto.errors import ImageError
from impasto.images.read import read
from impasto.images.visible import fill, visible
from impasto.training.data import Pictures
from impasto.weights.canonical import VGGWeights

WAYS: dict[str, dict[str, Any]] = {
    "gatys": {"steps": 2},
    "adain": {},
    "swap": {},
    "nnst": {"first_size": 24, "first_steps": 1, "steps": 1},
    "cascade": {},
}


def disc(size: int) -> np.ndarray[Any, Any]:
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return np.uint8(np.hypot(y, x) < size / 2) * 255


def transparent(path: Path, hidden: tuple[int, int, int], alpha: np.ndarray[Any, Any]) -> Path:
    """A picture of noise that shows where alpha does, and one colour elsewhere."""
    values = np.random.default_rng(5).integers(60, 200, (*alpha.shape, 3), np.uint8)
    values[alpha < 255] = hidden
    Image.fromarray(np.dstack([values, alpha])).save(path)
    return path


@pytest.mark.parametrize("method", WAYS)
def test_the_hidden_colour_decides_nothing(
    method: str, photo: Path, tmp_path: Path, tiny_encoder: VGGWeights, tiny_settings: dict[str, dict[str, str]]
) -> None:
    settings = {"size": 32, "precision": "exact", **WAYS[method], **tiny_settings.get(method, {})}
    styles = [transparent(tmp_path / f"{n}.png", c, disc(40)) for n, c in enumerate([(255, 0, 0), (0, 255, 9)])]
    first, second = (impasto.paint(photo, style, method=method, **settings).image for style in styles)
    assert torch.equal(first, second)


def test_a_transparent_border_is_cropped_away(tmp_path: Path) -> None:
    alpha = np.zeros((30, 40), np.uint8)
    alpha[5:25, 10:34] = 255
    picture = read(transparent(tmp_path / "a.png", (255, 0, 255), alpha))
    shown = visible(picture)
    assert shown.alpha is None and shown.sha256 == picture.sha256
    assert torch.equal(shown.pixels, picture.pixels[..., 5:25, 10:34])


def test_holes_are_filled_with_what_is_beside_them() -> None:
    pixels = np.zeros((1, 8, 3), np.float32)
    pixels[0, :, 0] = np.arange(8)
    alpha = np.float32([[1, 1, 1, 1, 1, 0, 0, 1]])
    assert fill(pixels, alpha)[0, :, 0].tolist() == [0, 1, 2, 3, 4, 3, 7, 7]
    assert fill(pixels, np.float32([[0, 0, 0.5, 0.2, 0.5, 0.5, 0.5, 0]]))[0, :, 0].tolist() == [2, 2, 4, 5, 6]


def test_the_statistics_are_those_of_what_shows(tmp_path: Path) -> None:
    picture = read(transparent(tmp_path / "a.png", (255, 0, 255), disc(101)))
    assert picture.alpha is not None
    seen = picture.pixels[..., picture.alpha[0, 0] == 1]
    filled = visible(picture).pixels
    assert torch.allclose(filled.mean((0, 2, 3)), seen.mean((0, 2)), atol=0.01)
    assert torch.allclose(filled.std((0, 2, 3)), seen.std((0, 2)), atol=0.01)


def test_opaque_pictures_stay_and_invisible_ones_are_refused(tmp_path: Path) -> None:
    whole = read(transparent(tmp_path / "a.png", (0, 0, 0), np.full((8, 8), 255, np.uint8)))
    assert visible(whole) is whole
    for alpha in (np.zeros((8, 8), np.uint8), np.eye(8, dtype=np.uint8)[:1] * 255):
        with pytest.raises(ImageError, match=r"transparent all over|what can be seen of the style"):
            visible(read(transparent(tmp_path / "b.png", (0, 0, 0), alpha)))


def test_training_sees_what_shows(tmp_path: Path) -> None:
    alpha = np.zeros((40, 40), np.uint8)
    alpha[10:30, 8:32] = 255
    folder = tmp_path / "photos"
    folder.mkdir()
    transparent(folder / "a.png", (255, 0, 255), alpha)
    (entry,) = Pictures.find([str(folder)], "photos").groups[0]
    picture = Pictures.none()._open(entry)
    assert picture is not None and picture.size == (24, 20) and np.asarray(picture).max() < 200
