"""Files with something wrong beside their pixels, and files that are no pictures at all."""

import io
import struct
import warnings
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from impasto.errors import ImageError, ImpastoWarning
from impasto.images.metadata import read_metadata
from impasto.images.read import read
from impasto.images.write import write

RGB = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def levels(data: bytes) -> np.ndarray:
    return np.asarray(read(data).to_pil())


def chunk(kind: bytes, content: bytes, crc: int = 0) -> bytes:
    """A chunk of a PNG; `crc` makes its checksum wrong."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content) ^ crc)


def png(before: bytes = b"", after: bytes = b"", depth: int = 8) -> bytes:
    """A PNG of `RGB` with chunks before and after its pixels."""
    values = RGB if depth == 8 else RGB.astype(">u2") * 257
    rows = b"".join(b"\0" + row.astype(values.dtype).tobytes() for row in values)
    header = struct.pack(">IIBBBBB", 9, 6, depth, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header), before, chunk(b"IDAT", zlib.compress(rows)), after, chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def profile_chunk(profile: bytes, crc: int = 0) -> bytes:
    return chunk(b"iCCP", b"name\0\0" + zlib.compress(profile), crc)


DAMAGED_CHUNKS = {
    "checksum of a text": chunk(b"tEXt", b"Comment\0text", crc=1),
    "text that unpacks to megabytes": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(5_000_000))),
    "EXIF that unpacks to megabytes": chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(bytes(5_000_000))),
    "text of a workflow": chunk(b"iTXt", b"workflow\0\1\0\0\0" + zlib.compress(b"node" * 500_000)),
    "many texts": chunk(b"tEXt", b"Comment\0" + b"x" * 900_000) * 80,
    "text without an end": chunk(b"iTXt", b"impasto"),
    **{f"{kind.decode()} of {size} bytes": chunk(kind, bytes(size)) for kind, size in [
        (b"gAMA", 1), (b"cHRM", 7), (b"pHYs", 3), (b"sRGB", 0), (b"tRNS", 1), (b"acTL", 2), (b"cICP", 1), (b"eXIf", 4)
    ]},
}  # fmt: skip


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("damaged", DAMAGED_CHUNKS.values(), ids=DAMAGED_CHUNKS.keys())
def test_what_is_wrong_beside_the_pixels_of_a_png_spoils_nothing(damaged, place, depth):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(levels(png(**{place: damaged}, depth=depth)), RGB)


@pytest.mark.parametrize(
    "chunks",
    [profile_chunk(SRGB, crc=1), chunk(b"iCCP", b""), chunk(b"iCCP", b"name"), chunk(b"iCCP", b"name\0\0garbage"),
     profile_chunk(bytes(20_000_000))],
)  # fmt: skip
def test_a_damaged_profile_of_a_png_counts_as_srgb(chunks):
    with pytest.warns(ImpastoWarning, match="profile is damaged or too large; taken for sRGB"):
        np.testing.assert_array_equal(levels(png(chunks)), RGB)


def test_a_large_profile_of_a_png_is_used():
    swapped = bytearray(SRGB + bytes(2_000_000))
    at = [128 + 4 + 12 * n for n in range(struct.unpack_from(">I", SRGB, 128)[0])]
    red, blue = (next(each for each in at if SRGB[each : each + 4] == name) for name in (b"rXYZ", b"bXYZ"))
    swapped[red : red + 4], swapped[blue : blue + 4] = b"bXYZ", b"rXYZ"  # so that red and blue change places
    assert np.abs(levels(png(profile_chunk(bytes(swapped)))).astype(int) - RGB[..., ::-1]).max() <= 1


def test_a_recipe_is_read_beside_a_damaged_text(tmp_path):
    target = tmp_path / "painting.png"
    write(read(RGB), target, metadata={"method": "adain"})
    data = target.read_bytes()
    target.write_bytes(data[:33] + DAMAGED_CHUNKS["text of a workflow"] + data[33:])
    assert read_metadata(target) == {"method": "adain"}


def tiff_with_pages(next_page: int, pages: int) -> bytes:
    """A TIFF of so many equal pages, the last of which is followed by page number `next_page`."""
    out = io.BytesIO()
    tifffile.imwrite(out, RGB, photometric="rgb", metadata=None, byteorder="<")
    data = bytearray(out.getvalue())
    (first,) = struct.unpack_from("<I", data, 4)
    length = 2 + 12 * struct.unpack_from("<H", data, first)[0]
    starts = [first]
    for _ in range(pages - 1):
        starts.append(len(data))
        data += data[first : first + length + 4]
    for start, following in zip(starts, [*starts[1:], starts[next_page]], strict=True):
        struct.pack_into("<I", data, start + length, following)
    return bytes(data)


@pytest.mark.parametrize(("next_page", "pages"), [(0, 1), (0, 2), (1, 2), (3, 9)])
def test_pages_of_a_tiff_that_follow_each_other_in_a_circle(next_page, pages):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        np.testing.assert_array_equal(levels(tiff_with_pages(next_page, pages)), RGB)
    assert [str(pages) in str(warning.message) for warning in caught] == [True] * (pages > 1)


def tiff(values: np.ndarray, **settings) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, values, photometric="minisblack", **settings)
    return out.getvalue()


@pytest.mark.parametrize(("kind", "top"), [(np.int8, 127), (np.int16, 32767), (np.int32, 2**31 - 1)])
def test_signed_numbers_of_a_tiff_are_black_below_0(kind, top):
    values = np.array([[-top, -1, 0, top // 2, top]], kind)
    np.testing.assert_allclose(read(tiff(values)).pixels[0, 0], [[0, 0, 0, 0.5, 1]], atol=0.01)


def test_complex_numbers_are_refused():
    with pytest.raises(ImageError, match="complex64 numbers; expected integers or float"):
        read(tiff(np.ones((4, 4), np.complex64)))


@pytest.mark.parametrize("shape", [(3, 6, 9), (3, 6, 9, 3)])
def test_the_first_frame_of_an_animated_jpeg_xl(shape):
    frames = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    kind = "rgb" if len(shape) == 4 else "minisblack"
    data = imagecodecs.jpegxl_encode(frames, lossless=True, photometric=kind)
    with pytest.warns(ImpastoWarning, match="3 frames; the first is painted"):
        found = levels(data)
    np.testing.assert_array_equal(found, frames[0] if len(shape) == 4 else frames[0][..., None].repeat(3, 2))


@pytest.mark.parametrize(
    ("data", "what", "repair"),
    [
        (b"<!DOCTYPE html>\n<title>403</title>", "is not a picture but a web page", "download the picture itself"),
        (b"\xef\xbb\xbf \n<HTML><body>", "is not a picture but a web page", "download the picture itself"),
        (b'<?xml version="1.0"?><svg/>', "a drawing", "export it as PNG"),
        (b'<?xml version="1.0"?><!DOCTYPE html><html/>', "a web page", "download"),
        (b"%PDF-1.7", "a drawing", "export it as PNG"),
        (b"PK\3\4" + bytes(30), "an archive", "unpack it"),
        (b"\x1f\x8b\x08" + bytes(30), "an archive", "unpack it"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a pointer of Git LFS", "git lfs pull"),
        (b"\0\5\x16\7\0\2\0\0Mac OS X", "what macOS notes beside a file", "without ._"),
        (b"\0\0\0\x18ftypmp42" + bytes(8), "a film", "save one of its frames"),
        (b"RIFF\0\0\0\0AVI LIST", "a film", "save one of its frames"),
        (b"gimp xcf v011", "a document of GIMP", "export it"),
        (bytes(5000), "only zeros", "download it again"),
        (b'{"error": "not found"}', "is not a picture but text", "give the picture itself"),
        ("Grüße ".encode() * 200, "is not a picture but text", "give the picture itself"),
        (bytes(range(1, 200)), "is not a picture that can be read", "convert it to PNG"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "damaged or cut short", "download it again"),
        (b"GIF89a", "damaged or cut short", "download it again"),
    ],
)
def test_a_file_that_is_no_picture_is_named(data, what, repair):
    with pytest.raises(ImageError) as refused:
        read(data)
    assert what in str(refused.value)
    assert repair in str(refused.value)
    assert "expected a" in str(refused.value)


def test_names_and_contents_may_differ(tmp_path):
    path = tmp_path / "photo.jpg"
    Image.fromarray(RGB).save(path, "PNG")
    np.testing.assert_array_equal(np.asarray(read(path).to_pil()), RGB)
