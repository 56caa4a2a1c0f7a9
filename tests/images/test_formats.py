"""Formats beyond Pillow's, pages that are previews, and JPEG files that are cut short."""

import io

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from impasto.errors import ImageError, ImpastoWarning
from impasto.images.read import read

ACROSS, DOWN = np.meshgrid(np.arange(64), np.arange(320))
RGB = np.stack([ACROSS * 4, DOWN % 256, (ACROSS + DOWN) % 256], -1).astype(np.uint8)


def levels(data: bytes) -> np.ndarray:
    return np.asarray(read(data).to_pil())


@pytest.mark.parametrize("encode", ["jpegxl_encode", "jpegls_encode", "qoi_encode"])
def test_lossless_formats_of_imagecodecs(encode):
    settings = {"lossless": True} if encode == "jpegxl_encode" else {}
    np.testing.assert_array_equal(levels(getattr(imagecodecs, encode)(RGB, **settings)), RGB)


def test_jpeg_xr():
    assert np.abs(levels(imagecodecs.jpegxr_encode(RGB)).astype(int) - RGB).max() <= 2


@pytest.mark.parametrize("data", [b"\xff\x0a", b"\xff\xd8\xff\xe8", b"II\xbc\x01", b"qoif", b"FUJIFILMCCD-RAW"])
def test_damaged_files_are_refused(data):
    with pytest.raises(ImageError):
        read(data + b"\0" * 40)


@pytest.mark.parametrize(
    "brand", [b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"mif1", b"msf1", b"miaf"]
)
def test_heic_is_named(brand):
    with pytest.raises(ImageError, match="HEIC"):
        read(b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1" + brand)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("nested", [False, True])
def test_a_preview_is_passed_over(kind, nested):
    out = io.BytesIO()
    full = RGB.astype(kind) * (257 if kind is np.uint16 else 1)
    with tifffile.TiffWriter(out) as file:
        file.write(full[::8, ::8], photometric="rgb", subfiletype=1, subifds=int(nested))
        file.write(full, photometric="rgb", subfiletype=0)
    np.testing.assert_array_equal(levels(out.getvalue()), RGB)


def test_several_pages_are_told():
    out = io.BytesIO()
    Image.fromarray(RGB).save(out, "TIFF", save_all=True, append_images=[Image.fromarray(RGB[::-1])])
    with pytest.warns(ImpastoWarning, match="2 pages; the first"):
        np.testing.assert_array_equal(levels(out.getvalue()), RGB)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_channels_beyond_colour(kind):
    out = io.BytesIO()
    values = np.concatenate([RGB, RGB[..., :2]], 2).astype(kind) * (257 if kind is np.uint16 else 1)
    tifffile.imwrite(out, values, photometric="rgb", planarconfig="contig")
    np.testing.assert_array_equal(levels(out.getvalue()), RGB)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_doubled_orientation_spoils_nothing(kind):
    out = io.BytesIO()
    values = RGB.astype(kind) * (257 if kind is np.uint16 else 1)
    tifffile.imwrite(out, values, photometric="rgb", extratags=[(274, 3, 2, (1, 1), True)])
    np.testing.assert_array_equal(levels(out.getvalue()), RGB)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_without_its_end_mark(progressive):
    out = io.BytesIO()
    Image.fromarray(RGB).save(out, "JPEG", progressive=progressive)
    whole = levels(out.getvalue())
    with pytest.warns(ImpastoWarning, match="lacks its end mark"):
        np.testing.assert_array_equal(levels(out.getvalue()[:-2]), whole)


def test_a_jpeg_without_its_last_rows():
    out = io.BytesIO()
    Image.fromarray(RGB).save(out, "JPEG")
    with pytest.warns(ImpastoWarning, match="last .* rows"):
        assert read(out.getvalue()[:-20]).size == (64, 320)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("kept", [0.5, 0.8])
def test_a_jpeg_that_lacks_much_is_refused(progressive, kept):
    out = io.BytesIO()
    Image.fromarray(RGB).save(out, "JPEG", progressive=progressive)
    data = out.getvalue()
    with pytest.raises(ImageError, match="cut short"):
        read(data[: int(len(data) * kept)])
