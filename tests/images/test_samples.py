"""Large pictures: converted in strips, and read with fewer pixels where a small size is asked for."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

import impasto
from impasto.images import read as reading
from impasto.images.geometry import fit, fitted_size
from impasto.images.read import read
from impasto.images.samples import planes, reduction

WIDTH, HEIGHT = 2602, 1703


def _waves(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32) / WIDTH
    waves = rng.uniform(-60, 60, (3, 2))
    values = np.stack([np.sin(a * x + b * y) for a, b in waves], -1) / 2 + 0.5
    return np.uint8(values * 235 + rng.integers(0, 20, values.shape))


LARGE = _waves(1)


def encoded(form: str, values: np.ndarray = LARGE, **settings) -> bytes:
    out = io.BytesIO()
    if form == "deep PNG":
        return imagecodecs.png_encode(values.astype(np.uint16) * 257, level=1)
    if form == "deep TIFF":
        tifffile.imwrite(out, values.astype(np.uint16) * 257, photometric="rgb")
        return out.getvalue()
    Image.fromarray(values).save(out, form, **settings)
    return out.getvalue()


def assert_near(less, whole, size: int) -> None:
    """Their sides are whole numbers of pixels, so what is in a corner may be moved by a part of a pixel."""
    difference = (fit(less.pixels, size) - fit(whole.pixels, size)).abs()
    assert difference.max() < 14 / 255 and difference.mean() < 2.5 / 255


@pytest.fixture(scope="module")
def jpeg() -> bytes:
    return encoded("JPEG")


@pytest.mark.parametrize(
    ("size", "longest", "times"),
    [
        ((8660, 5773), 512, 8),
        ((8660, 5773), 1024, 4),
        ((8660, 5773), 2048, 2),
        ((8660, 5773), 4331, 1),
        ((8660, 5773), None, 1),
        ((40_000, 8000), 512, 32),
        ((2000, 2000), 64, 1),
        ((60, 45), 16, 1),
        ((4000, 3000), 1000, 2),
    ],
)
def test_how_many_pixels_are_left(size, longest, times):
    assert reduction(*size, longest) == reduction(*size[::-1], longest) == times


def test_at_least_twice_the_pixels_and_the_same_proportions_are_left():
    rng = np.random.default_rng(0)
    for width, height, longest in rng.integers((500, 500, 16), (9000, 9000, 3000), (300, 3)).tolist():
        times = reduction(width, height, longest)
        less = -(-height // times), -(-width // times)
        assert times == 1 or max(less) >= 2 * longest
        assert fitted_size(*less, longest) == fitted_size(height, width, longest)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "deep PNG", "BMP", "deep TIFF", "array", "image"])
def test_a_large_picture_is_read_with_fewer_pixels(form):
    source = {"array": LARGE, "image": Image.fromarray(LARGE)}.get(form)
    source = encoded(form) if source is None else source
    whole, less = read(source), read(source, 200)
    assert whole.size == (WIDTH, HEIGHT)
    assert less.size == (-(-WIDTH // 4), -(-HEIGHT // 4))
    assert less.sha256 == whole.sha256
    assert_near(less, whole, 200)


@pytest.mark.parametrize("orientation", [3, 6, 7])
def test_fewer_pixels_are_upright(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded("JPEG", exif=exif)
    whole, less = read(data), read(data, 200)
    assert less.size == tuple(-(-side // 4) for side in whole.size)
    assert_near(less, whole, 200)


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGBA"])
@pytest.mark.filterwarnings("ignore:.*CMYK without a colour profile")
def test_fewer_pixels_of_every_mode(mode):
    out = io.BytesIO()
    Image.fromarray(LARGE).convert(mode).save(out, "TIFF" if mode == "RGBA" else "JPEG")
    whole, less = read(out.getvalue()), read(out.getvalue(), 100)
    assert_near(less, whole, 100)
    assert mode != "RGBA" or less.alpha.shape[2:] == less.pixels.shape[2:]


def test_a_jpeg_is_decoded_with_fewer_pixels(jpeg, monkeypatch):
    decoded: list[int] = []
    take = reading._levels
    monkeypatch.setattr(reading, "_levels", lambda image: decoded.append(image.width * image.height) or take(image))
    for longest in (None, 640, 320, 160, 20):
        read(jpeg, longest)
    assert [round(decoded[0] / each) for each in decoded] == [1, 4, 16, 64, 64]


def test_a_jpeg_without_its_end_is_read_whole_and_then_reduced(jpeg):
    with pytest.warns(impasto.errors.ImpastoWarning, match="lacks"):
        less = read(jpeg[:-60], 200)
    assert less.size == read(jpeg, 200).size


@pytest.mark.parametrize("space", [None, "profile"])
def test_only_the_result_is_held_as_float(jpeg, space):
    settings = {"gamma": 1.8, "whitepoint": [0.3127, 0.329, 1.0]}
    wide = imagecodecs.cms_profile("rgb", primaries=[0.68, 0.32, 1, 0.265, 0.69, 1, 0.15, 0.06, 1], **settings)
    data = encoded("JPEG", icc_profile=wide) if space else jpeg
    read(encoded("JPEG", LARGE[:8, :8], icc_profile=wide))  # what is loaded only once
    samples, floats = LARGE.nbytes, LARGE.nbytes * 4
    for longest, most in ((None, floats + 1.5 * samples + 40e6), (200, samples)):
        tracemalloc.start()
        read(data, longest)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < most


@pytest.mark.parametrize("times", [1, 2, 5])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_strips_give_what_the_whole_gives(times, dtype, monkeypatch):
    from impasto.images import samples

    values = np.random.default_rng(0).random((37, 23, 3), np.float32)
    if dtype is not np.float32:
        values = (values * np.iinfo(dtype).max).astype(dtype)
    whole = planes(values, np.sqrt, times)
    assert whole.shape == (3, -(-37 // times), -(-23 // times))
    for strip in (1, 23, 200):
        monkeypatch.setattr(samples, "_STRIP", strip)
        np.testing.assert_array_equal(planes(values, np.sqrt, times), whole)


@pytest.mark.parametrize("method", ["gatys", "adain", "swap", "johnson", "nnst", "cascade"])
def test_a_painting_of_fewer_pixels_is_nearly_that_of_all(method, tmp_path, tiny_encoder, tiny_settings, monkeypatch):
    Path(photo := tmp_path / "photo.jpg").write_bytes(encoded("JPEG", LARGE[:1696, :2600]))
    Path(style := tmp_path / "style.jpg").write_bytes(encoded("JPEG", _waves(2)[:1696, :2600]))
    settings = {"size": 96, **tiny_settings.get(method, {})}
    if method == "gatys":
        settings["steps"] = 3
    recipe = impasto.make_recipe(
        method, [] if method == "johnson" else [impasto.Style(path=str(style))], settings=settings
    )
    session = impasto.Session(cache=0)
    less = session.paint(recipe, str(photo)).done()
    assert max(less.photo.size) < WIDTH
    assert all(max(picture.size) < WIDTH for picture in less.styles)
    whole = (
        impasto.Session(cache=0).paint(recipe, read(photo), styles=[read(style)] if recipe.styles else None).done()
    )
    assert whole.size == less.size
    difference = (whole.image - less.image).abs()
    assert difference.mean() < (
        0.1 if method == "nnst" else 0.03
    )  # the nearest of a random net's features may change


@pytest.mark.parametrize("method", ["gatys", "adain", "swap", "johnson", "nnst", "cascade"])
@pytest.mark.parametrize("size", [None, 64, 512, 2048])
def test_what_a_method_uses_is_at_least_the_size(method, size):
    recipe = impasto.make_recipe(method, [], settings={"size": size})
    used = recipe.sides_used()
    if size is None:
        assert used == (None, None)
    else:
        assert used.photo >= size
        assert method == "johnson" or used.style >= size


def test_a_session_keeps_a_style_by_the_pixels_it_was_read_with(jpeg, tmp_path):
    path = tmp_path / "style.jpg"
    path.write_bytes(jpeg)
    session = impasto.Session()
    assert session.read(path, 200) is session.read(path, 200)
    assert session.read(path, 200).size != session.read(path).size
    assert torch.equal(session.read(path).pixels, read(path).pixels)
