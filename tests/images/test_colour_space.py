"""Colour spaces that a file states by codes, by gamma and chromaticities, or by EXIF."""

import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.ExifTags import IFD

from impasto.errors import ImpastoWarning
from impasto.images.boxes import colour_codes
from impasto.images.read import read

LEVELS = np.stack(np.meshgrid(*[np.linspace(0, 255, 6)] * 3, indexing="ij"), -1).reshape(12, 18, 3).astype(np.uint8)
GREYS = LEVELS[..., 0]
P3 = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
ADOBE = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
PROPHOTO = (0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001)
SRGB = (0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
D65, D50 = (0.3127, 0.329), (0.3457, 0.3585)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def gama(stored: int) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", stored))


def chrm(primaries=SRGB, white=D65) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *(round(each * 100_000) for each in (*white, *primaries))))


def cicp(primaries: int, transfer: int, matrix: int = 0, full: int = 1) -> bytes:
    return chunk(b"cICP", bytes([primaries, transfer, matrix, full]))


def iccp(profile: bytes) -> bytes:
    return chunk(b"iCCP", b"p\0\0" + zlib.compress(profile))


SRGB_CHUNK = chunk(b"sRGB", b"\0")


def png(*chunks: bytes, image: Image.Image | None = None, deep: np.ndarray | None = None) -> bytes:
    """A PNG with these chunks after its header."""
    if deep is not None:
        data = imagecodecs.png_encode(deep)
    else:
        out = io.BytesIO()
        (image or Image.fromarray(LEVELS)).save(out, "PNG")
        data = out.getvalue()
    return data[:33] + b"".join(chunks) + data[33:]


def pixels(data: bytes) -> np.ndarray:
    """H×W×3, in levels of 8 bits."""
    return read(data).pixels[0].permute(1, 2, 0).numpy() * 255


def by_profile(primaries=SRGB, white=D65, gamma: float = 1.0) -> bytes:
    """An ICC profile, by which another library converts."""
    x = list(zip(primaries[::2], primaries[1::2], strict=True))
    return imagecodecs.cms_profile(
        "rgb", whitepoint=[*white, 1.0], primaries=[v for pair in x for v in (*pair, 1.0)], gamma=gamma
    )


def by_little_cms(values: np.ndarray, profile: bytes) -> np.ndarray:
    """What another library makes of samples of 8 bits, without the shortcut that it takes by default."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    spaces = {"colorspace": "rgb", "outcolorspace": "rgb"}
    flags = imagecodecs.CMS.FLAGS.NOOPTIMIZE
    return imagecodecs.cms_transform(values.astype(np.uint16) * 257, profile, srgb, **spaces, flags=flags) / 257


@pytest.mark.parametrize(
    ("chunks", "profile"),
    [
        ([gama(100_000)], by_profile()),
        ([gama(55_556)], by_profile(gamma=1.8)),
        ([gama(100_000), chrm()], by_profile()),
        ([gama(100_000), chrm(PROPHOTO, D50)], by_profile(PROPHOTO, D50)),
        ([gama(44_954), chrm(ADOBE)], by_profile(ADOBE, gamma=1e5 / 44_954)),
        ([chrm(P3), gama(50_000)], by_profile(P3, gamma=2.0)),
        ([cicp(12, 4)], by_profile(P3, gamma=2.2)),
        ([cicp(9, 8)], by_profile((0.708, 0.292, 0.17, 0.797, 0.131, 0.046))),
        ([cicp(11, 8)], by_profile(P3, (0.314, 0.351))),
    ],
)
@pytest.mark.parametrize("deep", [False, True])
def test_png_is_converted_as_with_the_same_profile(chunks, profile, deep):
    values = LEVELS.astype(np.uint16) * 257 if deep else None
    found = pixels(png(*chunks, deep=values))
    np.testing.assert_allclose(found, by_little_cms(LEVELS, profile), atol=0.5)
    assert np.abs(found - LEVELS).max() > 10


def test_a_linear_png_is_as_bright_as_it_was():
    light = np.linspace(0, 1, 65536, dtype=np.float32)[None, :, None].repeat(3, 2)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055) * 255
    data = png(gama(100_000), deep=np.rint(light * 65535).astype(np.uint16))
    np.testing.assert_allclose(pixels(data), encoded, atol=1e-3)


@pytest.mark.parametrize(
    "chunks",
    [
        [gama(45_455)],
        [gama(0)],
        [gama(45_455), chrm()],
        [chrm()],
        [SRGB_CHUNK, gama(100_000), chrm(P3)],
        [cicp(1, 13), gama(100_000)],
        [cicp(1, 13), iccp(by_profile(P3))],
        [cicp(1, 1)],
        [cicp(2, 2)],
    ],
)
def test_what_says_srgb_changes_nothing(chunks):
    np.testing.assert_allclose(pixels(png(*chunks)), LEVELS, atol=1e-3)


@pytest.mark.parametrize(
    ("first", "others"),
    [
        ([cicp(12, 13)], [iccp(by_profile(ADOBE)), gama(100_000)]),
        ([iccp(by_profile(P3, gamma=2.2))], [gama(100_000), chrm(ADOBE)]),
        ([gama(100_000)], []),
    ],
)
def test_order_of_precedence(first, others):
    np.testing.assert_array_equal(pixels(png(*first, *others)), pixels(png(*first)))
    assert np.abs(pixels(png(*first)) - LEVELS).max() > 10


@pytest.mark.parametrize(
    ("chunks", "word"),
    [
        ([cicp(3, 13)], "primaries 3"),
        ([cicp(12, 99)], "transfer 99"),
        ([cicp(12, 13, matrix=1)], "matrix 1"),
        ([gama(1)], "gamma"),
        ([gama(45_455), chrm((0.3, 0.3) * 3)], "chromaticities"),
        ([chrm(white=(0.3, 0))], "chromaticities"),
    ],
)
def test_what_makes_no_sense_is_told_and_ignored(chunks, word):
    with pytest.warns(ImpastoWarning, match=word):
        np.testing.assert_allclose(pixels(png(*chunks)), LEVELS, atol=1e-3)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1"])
@pytest.mark.parametrize("space", [gama(100_000), cicp(12, 8)])
def test_every_kind_of_png(mode, space):
    image = Image.fromarray(GREYS).convert("RGB" if mode == "P" else mode)
    if mode.endswith("A"):
        image.putalpha(Image.fromarray(GREYS.T.copy().reshape(GREYS.shape)))
    if mode == "P":
        image = image.quantize(64)
    light = np.asarray(image.convert("RGB")) / 255
    expected = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055) * 255
    np.testing.assert_allclose(pixels(png(space, image=image)), expected, atol=1e-2)
    if mode.endswith("A"):
        np.testing.assert_allclose(read(png(space, image=image)).alpha[0, 0] * 255, image.getchannel("A"), atol=1e-3)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_samples_of_narrow_range(dtype):
    unit = 1 if dtype is np.uint8 else 256
    values = np.array([[[0] * 3, [16 * unit] * 3, [126 * unit] * 3, [235 * unit] * 3, [250 * unit] * 3]], dtype)
    data = (
        png(cicp(1, 13, full=0), deep=values) if unit > 1 else png(cicp(1, 13, full=0), image=Image.fromarray(values))
    )
    np.testing.assert_allclose(pixels(data)[0, :, 0], [0, 0, 110 / 219 * 255, 255, 255], atol=1e-2)


@pytest.mark.parametrize(
    ("transfer", "code", "light"),
    [
        (16, 0.0, 0.0),
        (16, 0.508078, 100 / 203),
        (16, 0.440282, 50 / 203),
        (18, 0.0, 0.0),
        (18, 0.5, 1000 / 203 * (1 / 12) ** 1.2),
    ],
)
@pytest.mark.parametrize("primaries", [1, 9, 12])
def test_high_dynamic_range_below_the_knee(transfer, code, light, primaries):
    deep = np.full((2, 2, 3), round(code * 65535), np.uint16)
    expected = 12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055
    np.testing.assert_allclose(pixels(png(cicp(primaries, transfer), deep=deep)), expected * 255, atol=0.1)
    grey = pixels(png(cicp(primaries, transfer), deep=deep[..., 0].copy()))
    np.testing.assert_allclose(grey, expected * 255, atol=0.1)


@pytest.mark.parametrize("transfer", [16, 18])
def test_highlights_roll_off(transfer):
    codes = np.linspace(0, 65535, 512).astype(np.uint16)
    shown = pixels(png(cicp(9, transfer), deep=codes[None, :, None].repeat(3, 2)))[0, :, 0]
    assert (np.diff(shown) >= -1e-4).all()
    assert shown[-1] > 254.9
    white = pixels(
        png(cicp(9, transfer), deep=np.full((2, 2, 3), round((0.5807, 0.75)[transfer == 18] * 65535), "u2"))
    )
    assert 246 < white.min() <= white.max() < 249


@pytest.mark.parametrize(("primaries", "transfer"), [(12, 13), (9, 16), (9, 18), (1, 8), (9, 14)])
def test_avif_is_converted_as_the_png_of_its_samples(primaries, transfer):
    data = imagecodecs.avif_encode(LEVELS, level=100, primaries=primaries, transfer=transfer, matrix=0)
    assert colour_codes(data)[:2] == (primaries, transfer)
    expected = pixels(png(cicp(primaries, transfer), image=Image.open(io.BytesIO(data)).convert("RGB")))
    np.testing.assert_array_equal(pixels(data), expected)


def test_a_profile_of_avif_comes_before_codes():
    out = io.BytesIO()
    Image.fromarray(LEVELS).save(out, "AVIF", quality=100, icc_profile=by_profile(P3))
    samples = Image.open(io.BytesIO(out.getvalue())).convert("RGB")
    np.testing.assert_array_equal(pixels(out.getvalue()), pixels(png(iccp(by_profile(P3)), image=samples)))


@pytest.mark.parametrize("cut", [0, 12, 40, 90, 150, 200, 260])
def test_boxes_that_are_cut_short_state_nothing(cut):
    data = imagecodecs.avif_encode(LEVELS, primaries=12, transfer=16)
    assert colour_codes(data[:cut]) in (None, colour_codes(data))
    assert colour_codes(b"\0" * cut) is None


@pytest.mark.parametrize(
    ("space", "index", "converted"), [(65535, "R03", True), (65535, "R98", False), (1, "R03", False)]
)
def test_a_camera_states_adobe_rgb_by_exif(space, index, converted):
    exif = Image.Exif()
    exif[IFD.Exif] = {0xA001: space, IFD.Interop: {1: index}}
    out = io.BytesIO()
    Image.fromarray(LEVELS).save(out, "JPEG", quality=95, subsampling=0, exif=exif)
    samples = np.asarray(Image.open(io.BytesIO(out.getvalue())).convert("RGB"))
    expected = by_little_cms(samples, by_profile(ADOBE, gamma=563 / 256)) if converted else samples
    np.testing.assert_allclose(pixels(out.getvalue()), expected, atol=0.5)
