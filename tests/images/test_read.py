"""Reading: every mode and depth comes out as it looks, every bad file is refused in one line."""

import io
import os
import struct
import sys
import warnings
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageCms, ImageOps, PngImagePlugin
from PIL.ExifTags import IFD, Base

from impasto.errors import ImageError, ImpastoWarning
from impasto.images import source
from impasto.images.picture import Picture, require_size
from impasto.images.read import read

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (5, 7, 3), np.uint8)
DEEP = RNG.integers(0, 65536, (5, 7, 3), np.uint16)


def encoded(image: Image.Image, form: str = "PNG", **settings) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **settings)
    return out.getvalue()


def raster(picture: Picture) -> np.ndarray:
    """H×W×3 float32."""
    return picture.pixels[0].permute(1, 2, 0).numpy()


def close(picture: Picture, expected, levels: float = 0.01) -> bool:
    """Whether it equals 8-bit values to within so many levels."""
    return bool(np.abs(raster(picture) * 255 - np.asarray(expected, float)).max() <= levels)


# What is read


@settings(max_examples=30, deadline=None)
@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([3, 4]))),
    st.booleans(),
)
def test_png_comes_back_to_the_last_bit(values, as_array):
    picture = read(values if as_array else encoded(Image.fromarray(values)))
    assert picture.size == (values.shape[1], values.shape[0])
    assert picture.pixels.dtype == torch.float32 and picture.pixels.is_contiguous()
    np.testing.assert_array_equal(np.asarray(picture.to_pil()), values)


def test_every_kind_of_source_gives_the_same_picture(tmp_path, monkeypatch):
    data = encoded(Image.fromarray(RGB))
    path = tmp_path / "fjällvy 写真.png"
    path.write_bytes(data)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    tensor = torch.from_numpy(RGB).permute(2, 0, 1)[None] / 255
    sources = [path, str(path), data, "-", Image.open(path), Image.fromarray(RGB), RGB, RGB / 255, tensor]
    for each in sources:
        assert close(read(each), RGB, 0.001)
    assert read(path).source == str(path)


def test_a_read_array_is_a_copy():
    values = np.full((2, 2, 3), 0.5, np.float32)
    picture = read(values)
    values[:] = 0
    assert picture.pixels.min() == 0.5


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation_is_undone_once(orientation, form):
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    smooth = Image.fromarray(RGB).resize((32, 24), Image.Resampling.BICUBIC)
    lossless = {"quality": 100} | ({"lossless": True} if form == "WEBP" else {})
    data = encoded(smooth, form, exif=exif, **lossless)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    picture = read(data)
    assert picture.size == ((32, 24) if orientation < 5 else (24, 32))
    assert close(picture, expected)
    assert Base.Orientation not in exif_of(picture)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_deep_files(orientation):
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    expected = ImageOps.exif_transpose(_with_exif(Image.fromarray(RGB), exif))
    shallow = imagecodecs.png_encode(RGB.astype(np.uint16) * 257)
    block = exif.tobytes()[6:]
    png = shallow[:33] + _chunk(b"eXIf", block) + shallow[33:]
    out = io.BytesIO()
    tifffile.imwrite(
        out,
        RGB.astype(np.uint16) * 257,
        photometric="rgb",
        extratags=[(274, 3, 1, orientation, True)],
    )
    for data in (png, out.getvalue()):
        assert close(read(data), expected)


def _with_exif(image: Image.Image, exif: Image.Exif) -> Image.Image:
    return Image.open(io.BytesIO(encoded(image, "PNG", exif=exif)))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def exif_of(picture: Picture) -> Image.Exif:
    exif = Image.Exif()
    exif.load(picture.exif or b"")
    return exif


def test_exif_keeps_what_stays_true():
    exif = Image.Exif()
    exif[Base.Artist] = "Åsa"
    exif[Base.Make] = "Camera"
    exif[Base.XResolution] = 72.0
    exif[IFD.GPSInfo] = {1: "N", 2: (59.0, 20.0, 0.0)}
    exif[IFD.Exif] = {
        Base.FNumber: 2.8,
        Base.ExifImageWidth: 99,
        Base.UserComment: b"ASCII\0\0\0hello",
        Base.MakerNote: b"secret",
    }
    kept = exif_of(read(encoded(Image.fromarray(RGB), "JPEG", exif=exif)))
    assert kept[Base.Make] == "Camera"
    assert set(kept) == {Base.Artist, Base.Make, IFD.Exif, IFD.GPSInfo}
    assert {tag: float(value) for tag, value in kept.get_ifd(IFD.Exif).items()} == {Base.FNumber: 2.8}
    assert kept.get_ifd(IFD.GPSInfo)[1] == "N"  # for `write` to drop or keep


def test_broken_exif_does_not_spoil_a_picture():
    data = encoded(Image.fromarray(RGB), "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7fnonsense")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert close(read(data), RGB)


def test_resolution_is_kept_and_turned_with_the_picture():
    exif = Image.Exif()
    exif[Base.Orientation] = 6
    assert read(encoded(Image.fromarray(RGB), "JPEG", dpi=(300, 150))).dpi == (300, 150)
    for form in ("JPEG", "TIFF"):
        lying = read(encoded(Image.fromarray(RGB), form, dpi=(300, 150), exif=exif))
        assert lying.dpi == (150, 300) and lying.size == RGB.shape[:2]
    assert read(encoded(Image.fromarray(RGB))).dpi is None
    in_centimetres = Image.Exif()
    in_centimetres.update({Base.XResolution: 100.0, Base.YResolution: 50.0, Base.ResolutionUnit: 3})
    assert read(encoded(Image.fromarray(RGB), "WEBP", exif=in_centimetres)).dpi == pytest.approx((254, 127))


# Modes


def test_grey_modes():
    grey = RGB[..., 0]
    expected = grey[..., None].repeat(3, 2)
    assert close(read(encoded(Image.fromarray(grey))), expected)
    assert close(read(grey), expected)
    assert close(read(Image.fromarray(grey.astype(np.float32) / 255)), expected)
    with_alpha = read(encoded(Image.fromarray(RGB[..., :2], "LA")))
    assert close(with_alpha, expected)
    np.testing.assert_allclose(with_alpha.alpha[0, 0] * 255, RGB[..., 1], atol=1e-3)


def test_one_bit():
    bits = Image.fromarray(RGB[..., 0] > 127)
    assert bits.mode == "1"
    assert close(read(encoded(bits)), (RGB[..., :1] > 127).repeat(3, 2) * 255)


def test_colours_under_alpha_stay_as_stored():
    values = np.dstack([RGB, np.zeros((5, 7), np.uint8)])
    picture = read(encoded(Image.fromarray(values)))
    assert close(picture, RGB)
    assert picture.alpha.shape == (1, 1, 5, 7) and picture.alpha.max() == 0


def test_palette_with_and_without_transparency():
    image = Image.new("P", (3, 1))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.putdata([0, 1, 2])
    expected = [[[255, 0, 0], [0, 255, 0], [0, 0, 255]]]
    plain, keyed = read(encoded(image)), read(encoded(image, transparency=1))
    assert close(plain, expected) and plain.alpha is None
    assert close(keyed, expected) and keyed.alpha.flatten().tolist() == [1, 0, 1]


def test_colour_key_transparency():
    image = Image.new("RGB", (2, 1), (10, 20, 30))
    image.putpixel((1, 0), (1, 2, 3))
    picture = read(encoded(image, transparency=(1, 2, 3)))
    assert picture.alpha.flatten().tolist() == [1, 0]


def test_cmyk_without_profile():
    image = Image.new("CMYK", (2, 2), (0, 128, 255, 51))
    expected = np.asarray(image.convert("RGB"))
    with pytest.warns(ImpastoWarning, match="CMYK without a colour profile"):
        assert close(read(encoded(image, "TIFF")), expected, 1)
    with pytest.warns(ImpastoWarning, match="CMYK without a colour profile"):
        assert close(read(encoded(image, "JPEG", quality=100)), expected, 3)


@pytest.mark.parametrize("mode", ["YCbCr", "HSV", "RGBX", "RGBa", "PA"])
def test_other_modes(mode):
    opaque = Image.fromarray(RGB)
    image = (
        opaque.quantize(8).convert("PA")
        if mode == "PA"
        else opaque.convert("RGBA").convert(mode)
        if mode == "RGBa"
        else opaque.convert(mode)
    )
    assert close(read(image), np.asarray(image.convert("RGBA"))[..., :3])


def test_lab():
    image = Image.new("LAB", (2, 2), (128, 128, 128))  # L* 50.2, a* = b* = 0
    assert close(read(image), np.full((2, 2, 3), 119), 1)
    assert close(read(encoded(image, "TIFF")), np.full((2, 2, 3), 119), 1)


def test_first_frame_of_several():
    frames = [Image.new("RGB", (4, 3), colour) for colour in ("red", "blue")]
    for form, lossless in (("GIF", {}), ("TIFF", {}), ("WEBP", {"lossless": True})):
        data = encoded(frames[0], form, save_all=True, append_images=frames[1:], **lossless)
        assert close(read(data), np.full((3, 4, 3), (255, 0, 0)))


# Depth


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bit_png_keeps_every_level(channels):
    values = RNG.integers(0, 65536, (5, 7, channels), np.uint16)
    picture = read(bytes(imagecodecs.png_encode(np.squeeze(values))))
    colour = values[..., : channels - (channels % 2 == 0)]
    np.testing.assert_array_equal(np.rint(raster(picture) * 65535), np.broadcast_to(colour, (5, 7, 3)))
    if channels % 2 == 0:
        np.testing.assert_array_equal(np.rint(picture.alpha[0, 0].numpy() * 65535), values[..., -1])


@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_deep_tiff_keeps_every_level(compression, dtype, planar):
    values = DEEP if dtype == np.uint16 else DEEP.astype(np.float32) / 65535
    out = io.BytesIO()
    stored = values if planar == "contig" else np.moveaxis(values, 2, 0)
    tifffile.imwrite(out, stored, photometric="rgb", planarconfig=planar, compression=compression)
    np.testing.assert_array_equal(np.rint(raster(read(out.getvalue())) * 65535), DEEP)


def test_deep_tiff_kinds():
    grey = DEEP[..., 0]

    def tiff(values, **how) -> Picture:
        out = io.BytesIO()
        tifffile.imwrite(out, values, **how)
        return read(out.getvalue())

    black, white = (tiff(grey, photometric=kind) for kind in ("minisblack", "miniswhite"))
    np.testing.assert_allclose(raster(black) + raster(white), 1, atol=1e-6)
    with pytest.warns(ImpastoWarning, match="plain inks"):
        cmyk = tiff(np.full((2, 2, 4), (0, 32768, 65535, 13107), np.uint16), photometric="separated")
    assert close(cmyk, np.full((2, 2, 3), (204, 102, 0)), 0.5)
    premultiplied = np.array([[[100, 200, 300, 1000], [0, 0, 0, 0]]], np.uint16)
    freed = tiff(premultiplied, photometric="rgb", extrasamples=["assocalpha"])
    np.testing.assert_allclose(raster(freed), [[[0.1, 0.2, 0.3], [0, 0, 0]]], atol=1e-6)
    assert freed.alpha.shape == (1, 1, 1, 2)


def test_sixteen_bit_arrays_and_pil_images():
    grey = DEEP[..., 0]
    for each in (grey, Image.fromarray(grey), Image.fromarray(grey.astype(np.int32), "I")):
        np.testing.assert_array_equal(np.rint(raster(read(each)) * 65535), grey[..., None].repeat(3, 2))
    np.testing.assert_array_equal(np.rint(raster(read(DEEP)) * 65535), DEEP)


# Colour profiles


def _wide_profile() -> bytes:
    """Adobe RGB's primaries and gamma."""
    return imagecodecs.cms_profile(
        "rgb",
        whitepoint=[0.3127, 0.3290, 1.0],
        primaries=[0.64, 0.33, 1.0, 0.21, 0.71, 1.0, 0.15, 0.06, 1.0],
        gamma=2.19921875,
    )


def test_profiles_are_converted_to_srgb():
    colour = (150, 140, 100)  # Adobe RGB, inside the gamut of sRGB
    linear = (np.array(colour) / 255) ** 2.19921875
    # Adobe RGB (1998) to linear sRGB, both D65
    matrix = np.array([[1.3984, -0.3984, 0], [0, 1, 0], [0, -0.0429, 1.0429]])
    light = np.clip(matrix @ linear, 0, 1)
    expected = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055) * 255
    image = Image.new("RGB", (3, 2), colour)
    shallow = read(encoded(image, icc_profile=_wide_profile()))
    assert close(shallow, np.broadcast_to(expected, (2, 3, 3)), 1.5)
    out = io.BytesIO()
    deep_values = np.asarray(image).astype(np.uint16) * 257
    tifffile.imwrite(out, deep_values, photometric="rgb", iccprofile=_wide_profile())
    np.testing.assert_allclose(raster(read(out.getvalue())), raster(shallow), atol=2e-4)


def test_srgb_profile_changes_nothing():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert close(read(encoded(Image.fromarray(RGB), icc_profile=profile)), RGB)
    assert close(read(encoded(Image.fromarray(RGB[..., 0]), icc_profile=profile)), RGB[..., :1].repeat(3, 2))


def test_grey_profiles():
    gamma = imagecodecs.cms_profile("gray", gamma=1.0)
    picture = read(encoded(Image.new("L", (2, 2), 55), icc_profile=gamma))  # 0.2159 of white: sRGB 0.502
    assert close(picture, np.full((2, 2, 3), 128), 1)
    on_rgb_profile = read(encoded(Image.new("L", (2, 2), 128), icc_profile=_wide_profile()))
    assert close(on_rgb_profile, np.full((2, 2, 3), 128), 2)


def test_a_profile_is_believed_by_what_it_does_not_by_its_name():
    linear = imagecodecs.cms_profile(
        "rgb",
        whitepoint=[0.3127, 0.3290, 1.0],
        primaries=[0.64, 0.33, 1.0, 0.30, 0.60, 1.0, 0.15, 0.06, 1.0],
        gamma=1.0,
    )
    at = linear.index("RGB built-in".encode("utf-16-be"))  # the description, of the same length
    linear = linear[:at] + "sRGB linear ".encode("utf-16-be") + linear[at + 24 :]
    assert "sRGB" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(linear)))
    assert close(
        read(encoded(Image.new("RGB", (2, 2), (55, 55, 55)), icc_profile=linear)), np.full((2, 2, 3), 128), 1
    )


def test_unusable_profile_of_inks():
    with pytest.warns(ImpastoWarning, match="taken for plain inks"):
        read(encoded(Image.new("CMYK", (2, 2)), "TIFF", icc_profile=_wide_profile()))


@pytest.mark.parametrize("profile", [b"not a profile", imagecodecs.cms_profile("gray", gamma=2.2)])
def test_unusable_profile_is_ignored_with_a_warning(profile):
    with pytest.warns(ImpastoWarning, match=r"colour profile cannot be used .* taken for sRGB"):
        picture = read(encoded(Image.fromarray(RGB), icc_profile=profile))
    assert close(picture, RGB)


# Refusals


def refused(bad, *words: str) -> None:
    with pytest.raises(ImageError) as caught:
        read(bad)
    message = str(caught.value)
    assert caught.value.exit_status == 2
    assert "\n" not in message and message.count("expected") == 1
    for word in words:
        assert word in message


def test_missing_file_names_the_near_misses(tmp_path):
    (tmp_path / "photo.jpg").touch()
    refused(tmp_path / "phto.jpg", "no file", "did you mean photo.jpg?")
    refused(tmp_path / "photo.jpg" / "inside.png", "no file")
    refused("nowhere/at/all.png", "no file")
    refused("nul\0.png")


def test_folder(tmp_path):
    refused(tmp_path, "folder")


def test_permission_denied(tmp_path, monkeypatch):
    path = tmp_path / "photo.png"
    path.write_bytes(encoded(Image.fromarray(RGB)))

    def deny(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(type(path), "read_bytes", deny)
    refused(path, str(path), "permission denied")


def test_zero_bytes(tmp_path, monkeypatch):
    path = tmp_path / "photo.png"
    path.touch()
    refused(path, "empty", "0 bytes")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    refused("-", "standard input", "empty")


@pytest.mark.parametrize("keep", [0.2, 0.6, 0.9])
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "AVIF", "deep PNG", "deep TIFF"])
def test_truncated(form, keep):
    noise = RNG.integers(0, 256, (64, 48, 3), np.uint8)
    if form == "deep PNG":
        data = bytes(imagecodecs.png_encode(noise.astype(np.uint16) * 257))
    elif form == "deep TIFF":
        out = io.BytesIO()
        tifffile.imwrite(out, noise.astype(np.uint16) * 257, photometric="rgb", compression="zlib")
        data = out.getvalue()
    else:
        data = encoded(Image.fromarray(noise), form)
    refused(data[: int(len(data) * keep)])


def test_damaged_pixels():
    data = bytearray(encoded(Image.fromarray(RNG.integers(0, 256, (64, 48, 3), np.uint8))))
    data[len(data) // 2] ^= 0xFF
    refused(bytes(data), "damaged or cut short")


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"just some text, not a picture", "not a picture"),
        (os.urandom(16) * 40, "not a picture"),
        (b"\x80\x04\x95", "not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
    ],
)
def test_no_picture(data, word):
    refused(data, word)


def _png_header(width: int, height: int) -> bytes:
    return PngImagePlugin._MAGIC + _chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0))


def test_decompression_bomb():
    before = Image.MAX_IMAGE_PIXELS
    refused(_png_header(100_000, 100_000) + _chunk(b"IDAT", zlib.compress(b"")), "10000 megapixels", "400")
    assert before == Image.MAX_IMAGE_PIXELS


def test_decompression_bomb_in_a_deep_tiff(monkeypatch):
    out = io.BytesIO()
    tifffile.imwrite(out, np.zeros((1200, 1000, 3), np.uint16), photometric="rgb", compression="zlib")
    monkeypatch.setattr(source, "MAX_MEGAPIXELS", 1)
    refused(out.getvalue(), "1000×1200", "megapixels")


def test_an_ordinary_wide_picture_is_no_bomb():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        header = _png_header(20_000, 15_000) + _chunk(b"IDAT", zlib.compress(b""))
        assert source.open_image(header, "wide.png").width == 20_000
        assert read(encoded(Image.new("L", (20_000, 3), 200))).size == (20_000, 3)


@pytest.mark.parametrize("shape", [(4,), (4, 4, 2), (4, 4, 5), (1, 3, 4, 4), (0, 4, 3), (4, 0)])
def test_arrays_of_wrong_shape(shape):
    refused(np.zeros(shape, np.uint8), "H×W×3")


def test_arrays_of_wrong_values():
    for bad in (np.nan, np.inf, -np.inf):
        values = np.full((2, 2, 3), 0.5)
        values[0, 1, 2] = bad
        refused(values, "NaN or infinity")
        refused(torch.from_numpy(values).permute(2, 0, 1)[None], "NaN or infinity")
    refused(RGB.astype(np.float32), "[0, 1]", "255")
    refused(np.full((2, 2), -0.5), "[0, 1]")
    refused(RGB.astype(np.int64), "int64")
    refused(Image.new("I", (2, 2), 70_000), "[0, 1]")


def test_tensors_of_wrong_shape_or_kind():
    refused(torch.zeros(2, 4, 4), "(1, 3, height, width)")
    refused(torch.zeros(2, 3, 4, 4), "(2, 3, 4, 4)")
    refused(torch.zeros(1, 3, 0, 4), "(1, 3, 0, 4)")
    refused(torch.zeros(1, 3, 4, 4, dtype=torch.int64), "int64")
    refused([[1, 2], [3, 4]], "list")


def test_one_pixel_reads_and_a_method_may_refuse_it():
    picture = read(encoded(Image.new("RGB", (1, 1), "red")))
    assert picture.size == (1, 1)
    require_size(picture, 1, "the photograph")
    with pytest.raises(ImageError, match=r"the photograph .* is 1×1 pixels; expected at least 16"):
        require_size(picture, 16, "the photograph")
