"""Writing: exact, tagged, with its recipe, whole or not at all."""

import errno
import io
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from PIL.ExifTags import IFD, Base

from impasto.errors import ImageError, OutputError, RequestError
from impasto.images import atomic, jxl
from impasto.images.contact import write_gif
from impasto.images.metadata import read_metadata
from impasto.images.picture import Picture
from impasto.images.read import read
from impasto.images.write import FORMATS, check_size, check_target, write

EXTENSIONS = sorted(FORMATS)
EVERY_WAY = [(each, 8) for each in EXTENSIONS] + [(each, 16) for each in EXTENSIONS if FORMATS[each].deep]
RECIPE = {
    "method": "gatys",
    "styles": [{"path": "Näcken 写真.jpg", "weight": 0.5}],
    "seed": 2**62,
    "size": None,
}


def noise(height: int = 24, width: int = 31, channels: int = 3) -> torch.Tensor:
    return torch.rand(1, channels, height, width, generator=torch.Generator().manual_seed(0))


def seen_by_others(path: Path) -> tuple[Image.Exif, bytes | None]:
    """The EXIF and the colour profile of a file, as other programs see them."""
    if path.suffix != ".jxl":
        image = Image.open(io.BytesIO(path.read_bytes()))
        return image.getexif(), image.info["icc_profile"]
    data, at, boxes = path.read_bytes(), 0, {}
    while at < len(data):
        size = int.from_bytes(data[at : at + 4])
        assert 8 <= size <= len(data) - at
        boxes[data[at + 4 : at + 8]] = data[at + 8 : at + size]
        at += size
    assert (
        list(boxes)[:2] == [b"JXL ", b"ftyp"] and boxes[b"ftyp"][:4] == b"jxl " and boxes[b"jxlc"][:2] == b"\xff\x0a"
    )
    exif = Image.Exif()
    if b"Exif" in boxes:
        assert boxes[b"Exif"][:4] == bytes(4) and boxes[b"Exif"][4:6] in (b"II", b"MM")
        exif.load(boxes[b"Exif"][4:])
    return exif, None  # its codestream is sRGB without a profile


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("extension", [".png", ".tif", ".jxl"])
@pytest.mark.parametrize("with_alpha", [False, True])
def test_lossless_formats_keep_every_level(tmp_path, bits, extension, with_alpha):
    image, alpha = noise(), noise(channels=1) if with_alpha else None
    write(image, tmp_path / f"a{extension}", alpha=alpha, bits=bits, quality=100)
    back = read(tmp_path / f"a{extension}")
    top = 2**bits - 1
    assert (back.pixels - image).abs().max() * top < 0.51
    if alpha is None:
        assert back.alpha is None
    else:
        assert (back.alpha - alpha).abs().max() * top < 0.51


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 3), st.booleans(), st.sampled_from([8, 16]))
def test_thin_pictures_survive(tmp_path_factory, long, short, upright, bits):
    height, width = (long, short) if upright else (short, long)
    path = tmp_path_factory.mktemp("thin") / "thin.png"
    image = noise(height, width)
    write(image, path, bits=bits)
    assert torch.allclose(read(path).pixels, image, atol=0.51 / (2**bits - 1))


@pytest.mark.parametrize(("extension", "bits"), [*EVERY_WAY, (".JPG", 8), (".AVIF", 8)])
@pytest.mark.parametrize("with_alpha", [False, True])
def test_lossy_formats_stay_close(tmp_path, extension, bits, with_alpha):
    smooth = torch.nn.functional.interpolate(noise(4, 4, 4), (48, 64), mode="bicubic").clamp(0, 1)
    image, alpha = smooth[:, :3], smooth[:, 3:] if with_alpha else None
    path = tmp_path / f"a{extension}"
    write(image, path, bits=bits, alpha=alpha)
    back = read(path)
    if with_alpha and FORMATS[extension.lower()].alpha:
        assert (back.alpha - alpha).abs().mean() < 0.02
    elif with_alpha:
        image = image * alpha + 1 - alpha
    assert (back.pixels - image).abs().mean() < 0.02


@pytest.mark.parametrize("extension", [".jpg", ".webp", ".avif", ".jxl"])
def test_quality_is_size(tmp_path, extension):
    sizes = []
    for quality in (1, 20, 29, 30, 60, 95):
        write(noise(64, 64), path := tmp_path / f"{quality}{extension}", quality=quality)
        sizes.append(path.stat().st_size)
    assert sizes == sorted(sizes) and sizes[-1] > 2 * sizes[0]


@pytest.mark.parametrize(("extension", "bits"), EVERY_WAY)
def test_recipe_travels_inside(tmp_path, extension, bits):
    path = tmp_path / f"målning 写真{extension}"
    write(noise(), path, metadata=RECIPE, bits=bits, dpi=(300, 300))
    assert read_metadata(path) == RECIPE
    assert read(path).exif is None  # the recipe of one picture is not the next one's


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_no_recipe(tmp_path, extension):
    write(noise(), tmp_path / f"a{extension}")
    assert read_metadata(tmp_path / f"a{extension}") is None


def test_a_camera_comment_is_no_recipe(tmp_path):
    for comment in (b"ASCII\0\0\0holiday", b"ASCII\0\0\0[1, 2]", b'ASCII\0\0\0{"other": {}}', b"\xff" * 20):
        exif = Image.Exif()
        exif[IFD.Exif] = {Base.UserComment: comment}
        Image.new("RGB", (4, 4)).save(tmp_path / "a.jpg", exif=exif)
        assert read_metadata(tmp_path / "a.jpg") is None


def test_metadata_of_what_is_no_picture(tmp_path):
    (tmp_path / "a.png").write_bytes(b"text")
    for path in (tmp_path / "a.png", tmp_path / "missing.png"):
        with pytest.raises(ImageError):
            read_metadata(path)


TAKEN = {1: "N", 2: (59.0, 20.0, 0.0), 3: "E", 4: (18.0, 4.0, 0.0)}
SHOT = {Base.ISOSpeedRatings: 400, Base.ExposureTime: 0.008, Base.DateTimeOriginal: "2024:06:01 12:00:00"}


@pytest.mark.parametrize("keep_gps", [False, True])
@pytest.mark.parametrize(("extension", "bits"), EVERY_WAY)
def test_round_trip_of_what_a_photograph_carries(tmp_path, extension, bits, keep_gps):
    exif = Image.Exif()
    exif.update({Base.Artist: "Somebody", Base.Make: "Camera", Base.Orientation: 6})
    exif[IFD.Exif] = dict(SHOT)
    exif[IFD.GPSInfo] = dict(TAKEN)
    Image.new("RGB", (31, 24)).save(tmp_path / "photo.jpg", exif=exif, dpi=(240, 120))
    photo = read(tmp_path / "photo.jpg")
    assert photo.size == (24, 31)
    path = tmp_path / f"a{extension}"
    write(photo, path, metadata=RECIPE, bits=bits, keep_gps=keep_gps, alpha=torch.full((1, 1, 31, 24), 0.5))
    back = read(path)
    assert back.dpi == pytest.approx((120, 240), rel=1e-3)
    assert (back.alpha is not None) == FORMATS[extension].alpha
    kept = Image.Exif()
    kept.load(back.exif)
    assert (kept[Base.Artist], kept[Base.Make]) == ("Somebody", "Camera")
    shot = kept.get_ifd(IFD.Exif)
    assert {tag: shot[tag] for tag in SHOT} == pytest.approx(SHOT)
    assert kept.get_ifd(IFD.GPSInfo) == (TAKEN if keep_gps else {})
    seen, profile = seen_by_others(path)
    assert seen.get_ifd(IFD.Exif)[Base.ISOSpeedRatings] == 400
    assert bool(seen.get_ifd(IFD.GPSInfo)) == keep_gps
    assert seen.get(Base.Orientation, 1) == 1
    assert profile or extension == ".jxl"
    assert read_metadata(path) == RECIPE


@pytest.mark.parametrize("extension", [".png", ".tif", ".jxl"])
def test_sixteen_bits_do_not_band(tmp_path, extension):
    ramp = torch.linspace(0.25, 0.3, 2000).expand(1, 3, 4, 2000)  # 13 levels of 8 bits
    write(ramp, tmp_path / f"a{extension}", bits=16, alpha=ramp[:, :1], quality=100)
    back = read(tmp_path / f"a{extension}")
    assert len(back.pixels.unique()) > 1900
    assert len(back.alpha.unique()) > 1900


@pytest.mark.parametrize(("extension", "bits"), EVERY_WAY)
def test_tagged_as_srgb_with_exif_and_resolution(tmp_path, extension, bits):
    exif = Image.Exif()
    exif[Base.Artist] = "Somebody"
    exif[IFD.Exif] = {Base.ISOSpeedRatings: 400}
    photo = Picture(noise(), exif=exif.tobytes(), dpi=(300, 300))
    path = tmp_path / f"a{extension}"
    write(photo, path, metadata=RECIPE, bits=bits)
    if stated := seen_by_others(path)[1]:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(stated))
        assert "sRGB" in ImageCms.getProfileDescription(profile)
    if extension != ".webp":  # it has no place for a resolution
        assert read(path).dpi == pytest.approx((300, 300), abs=0.01)
    carried = Image.Exif()
    carried.load(read(path).exif)
    assert carried[Base.Artist] == "Somebody"
    if FORMATS[extension].pillow != "TIFF":  # it takes the plain tags only
        assert carried.get_ifd(IFD.Exif)[Base.ISOSpeedRatings] == 400
    assert read_metadata(path) == RECIPE


def test_the_same_picture_is_the_same_bytes(tmp_path):
    for extension in EXTENSIONS:
        write(noise(), tmp_path / f"a{extension}", metadata=RECIPE)
        write(noise(), tmp_path / f"b{extension}", metadata=RECIPE)
        assert (tmp_path / f"a{extension}").read_bytes() == (tmp_path / f"b{extension}").read_bytes()


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("size", [(1, 1), (8, 16), (40, 40), (17, 300), (3, 9000)])
def test_deep_jpeg_xl_states_srgb(size, channels):
    # Viewers would show samples said to be of linear light too bright.
    values = np.random.default_rng(0).integers(0, 2**16, (*size, channels), np.uint16)
    linear = imagecodecs.jpegxl_encode(values, lossless=True, usecontainer=True)
    linear = linear[linear.index(b"jxlc") + 4 :]
    stated = jxl.stating_srgb(linear)
    differs = [a ^ b for a, b in zip(linear, stated, strict=True) if a != b]
    assert 1 <= len(differs) <= 2 and sum(each.bit_count() for each in differs) == 3  # of 8 to 13, in four bits
    assert jxl.stating_srgb(stated) == stated
    np.testing.assert_array_equal(imagecodecs.jpegxl_decode(stated), values)


def test_other_jpeg_xl_is_not_changed():
    values = np.zeros((9, 9, 3), np.uint16)
    for other in (values.astype(np.float32), values):
        data = imagecodecs.jpegxl_encode(other, distance=1.0, usecontainer=True)
        with pytest.raises(ValueError, match="the encoder"):
            jxl.stating_srgb(data[data.index(b"jxlc") + 4 :])


def test_sixteen_bit_files_are_sound(tmp_path):
    write(noise(), tmp_path / "a.png", metadata=RECIPE, bits=16)
    write(noise(), tmp_path / "a.tif", metadata=RECIPE, bits=16)
    with Image.open(tmp_path / "a.png") as image:
        image.verify()  # every chunk's checksum
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.pages.first.bitspersample == 16


def test_jpeg_lays_transparency_over_white(tmp_path):
    write(torch.zeros(1, 3, 16, 16), tmp_path / "a.jpg", alpha=torch.full((1, 1, 16, 16), 0.25))
    assert (read(tmp_path / "a.jpg").pixels - 0.75).abs().max() < 0.01


def test_values_outside_are_clipped(tmp_path):
    write(torch.tensor([-0.5, 0.5, 1.5]).view(1, 3, 1, 1), tmp_path / "a.png")
    assert (read(tmp_path / "a.png").pixels * 255).round().flatten().tolist() == [0, 128, 255]


def test_standard_output(monkeypatch):
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=out, isatty=lambda: False))
    check_target("-")
    write(noise(), "-", metadata=RECIPE)
    assert Image.open(out).format == "PNG" and read(out.getvalue()).size == (31, 24)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_standard_output_on_a_full_disk(monkeypatch):
    with Path("/dev/full").open("wb", buffering=0) as full:
        monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=full))
        with pytest.raises(OutputError, match=r"standard output .*No space left"):
            write(noise(), "-")


# Refusals


def refused(kind, match, target, overwrite=False, **settings):
    """`write` refuses; where the place is the trouble, `check_target` has refused before."""
    with pytest.raises(kind, match=match) as caught:
        write(noise(), target, overwrite=overwrite, **settings)
    assert type(caught.value) is kind and str(caught.value).count("expected") == 1 and "\n" not in str(caught.value)
    if not settings:
        with pytest.raises(kind, match=match):
            check_target(target, overwrite)


@pytest.mark.parametrize("name", ["a.gif", "a.bmp", "a", "a.", "a.png.exe"])
def test_unknown_extension(tmp_path, name):
    refused(RequestError, r"\.png, \.tif, \.tiff|\.png, \.jpg, \.jpeg, \.webp, \.tif, \.tiff", tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_never_over_an_existing_file(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"precious")
    refused(RequestError, "exists already.*--overwrite", path)
    assert path.read_bytes() == b"precious"
    check_target(path, overwrite=True)
    write(noise(), path, overwrite=True)
    assert read(path).size == (31, 24)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]


def test_a_file_that_appears_meanwhile_is_kept(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    sync = os.fsync

    def other_writer(descriptor):
        sync(descriptor)
        path.write_bytes(b"precious")

    monkeypatch.setattr(os, "fsync", other_writer)
    with pytest.raises(RequestError, match="exists already"):
        write(noise(), path)
    assert path.read_bytes() == b"precious"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]


def test_missing_folder(tmp_path):
    with pytest.raises(RequestError, match="missing does not exist"):
        check_target(tmp_path / "missing" / "a.png")
    (tmp_path / "file").touch()
    with pytest.raises(RequestError, match="file is not a folder"):
        check_target(tmp_path / "file" / "a.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(RequestError, match=r"folder\.png is not an ordinary file"):
        check_target(tmp_path / "folder.png", overwrite=True)


def _failing(code: int):
    def fail(*_: object, **__: object):
        raise OSError(code, os.strerror(code))

    return fail


def test_read_only_folder(tmp_path, monkeypatch):
    # Simulated: for the superuser a folder without write permission is writable all the same.
    monkeypatch.setattr(Path, "touch", _failing(errno.EROFS))
    monkeypatch.setattr(Path, "open", _failing(errno.EROFS))
    refused(OutputError, "Read-only file system", tmp_path / "a.png")


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch, step, existing):
    path = tmp_path / "a.png"
    if existing:
        path.write_bytes(b"precious")
    check_target(path, overwrite=existing)
    for owner, name in [(os, "fsync")] if step == "fsync" else [(Path, "replace"), (Path, "hardlink_to")]:
        monkeypatch.setattr(owner, name, _failing(errno.ENOSPC))
    with pytest.raises(OutputError, match="No space left on device") as caught:
        write(noise(), path, overwrite=existing)
    assert caught.value.exit_status == 1
    assert [entry.name for entry in tmp_path.iterdir()] == (["a.png"] if existing else [])
    assert not existing or path.read_bytes() == b"precious"


@pytest.mark.parametrize("step", ["hardlink_to", "replace"])
def test_an_interrupt_while_writing_leaves_nothing(step, tmp_path, monkeypatch):
    def interrupt(*_: object):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "hardlink_to", _failing(errno.EPERM))
    monkeypatch.setattr(Path, step, interrupt)
    with pytest.raises(KeyboardInterrupt):
        write(noise(), tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_a_name_too_long(tmp_path):
    with pytest.raises(OutputError, match="name too long"):
        check_target(tmp_path / ("a" * 300 + ".png"))


def test_check_target_leaves_no_trace(tmp_path):
    check_target(tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_is_refused(monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    with pytest.raises(RequestError, match="terminal"):
        check_target("-")


def test_settings_out_of_range(tmp_path):
    refused(RequestError, "quality is 0", tmp_path / "a.jpg", quality=0)
    refused(RequestError, "bits is 12", tmp_path / "a.png", bits=12)
    refused(RequestError, "bits is 16 for JPEG; expected 8, or 16 with PNG, TIFF", tmp_path / "a.jpg", bits=16)
    for bad in ({"quality": 101}, {"bits": 16}):
        with pytest.raises(RequestError, match=next(iter(bad))):
            check_target(tmp_path / "a.jpg", **bad)
    refused(RequestError, "alpha has shape", tmp_path / "a.png", alpha=noise(9, 9, 1))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("extension", "most"), [(".webp", 16_383), (".jpg", 65_500), (".avif", 32_768)])
def test_the_longest_side_of_each_format(tmp_path, extension, most):
    write(torch.zeros(1, 3, 1, most), tmp_path / f"a{extension}")
    assert read(tmp_path / f"a{extension}").size == (most, 1)
    with pytest.raises(RequestError, match=str(most)):
        write(torch.zeros(1, 3, 1, most + 1), tmp_path / f"b{extension}")


def test_the_area_of_a_format():
    check_size("a.avif", 16_384, 16_384)
    check_size("a.jxl", 20_000, 20_000)
    with pytest.raises(RequestError, match=r"AVIF holds at most 268: write \.png"):
        check_size("a.avif", 16_384, 16_385)


def test_wrong_or_unfinished_pixels(tmp_path):
    for bad in (noise()[0], noise(channels=4), torch.zeros(1, 3, 0, 4)):
        with pytest.raises(RequestError, match="pixels has shape"):
            write(bad, tmp_path / "a.png")
    image = noise()
    image[0, 1, 2, 3] = torch.nan
    with pytest.raises(OutputError, match="NaN"):
        write(image, tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_too_much_metadata_for_jpeg_is_one_clear_line(tmp_path):
    with pytest.raises(OutputError, match="cannot be encoded as JPEG"):
        write(noise(), tmp_path / "a.jpg", metadata={"text": "x" * 70_000})
    write(noise(), tmp_path / "a.png", metadata={"text": "x" * 70_000})
    assert len(read_metadata(tmp_path / "a.png")["text"]) == 70_000


def test_checking_and_metadata_import_no_torch(tmp_path):
    write(noise(), tmp_path / "a.png", metadata=RECIPE)
    code = (
        "import sys; from impasto.images.write import check_target; "
        "from impasto.images.metadata import read_metadata; from impasto.images import contact, read;"
        f"check_target({str(tmp_path / 'b.png')!r}); assert read_metadata({str(tmp_path / 'a.png')!r});"
        "assert not {'torch', 'tifffile', 'imagecodecs'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# Animations


def test_gif(tmp_path):
    path = tmp_path / "film.gif"
    frames = [noise(6, 8), Image.new("RGB", (4, 3), "red"), torch.zeros(1, 3, 12, 16)]
    write_gif(iter(frames), path, frame_ms=50, last_ms=500)
    with Image.open(path) as film:
        assert film.n_frames == 3 and film.size == (16, 12) and film.info["loop"] == 0
        shown = []
        for index in range(3):
            film.seek(index)
            shown.append((film.info["duration"], film.convert("RGB").getpixel((8, 6))))
    assert [duration for duration, _ in shown] == [50, 50, 500]
    assert shown[1][1] == (255, 0, 0) and shown[2][1] == (0, 0, 0)
    write_gif(frames, path, longest=8, overwrite=True)
    assert read(path).size == (8, 6)


def test_gif_refusals(tmp_path, monkeypatch):
    with pytest.raises(RequestError, match=r"expected \.gif"):
        write_gif([noise()], tmp_path / "film.png")
    with pytest.raises(RequestError, match="no frames"):
        write_gif([], tmp_path / "film.gif")
    (tmp_path / "film.gif").write_bytes(b"precious")
    with pytest.raises(RequestError, match="exists already"):
        write_gif([noise()], tmp_path / "film.gif")
    monkeypatch.setattr(atomic.os, "fsync", _failing(errno.ENOSPC))
    with pytest.raises(OutputError, match="No space left"):
        write_gif([noise()], tmp_path / "film.gif", overwrite=True)
    assert (tmp_path / "film.gif").read_bytes() == b"precious"
    assert [entry.name for entry in tmp_path.iterdir()] == ["film.gif"]


@pytest.mark.parametrize("links", [True, False])
def test_a_name_is_given_to_a_whole_file_alone(links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not links:
        monkeypatch.setattr(Path, "hardlink_to", _failing(errno.EPERM))
    else:  # an empty file would have the name until it is replaced
        monkeypatch.setattr(Path, "touch", _failing(errno.EIO))
    place = tmp_path / "a.bin"
    atomic.write_atomically(place, b"whole", overwrite=False)
    with pytest.raises(RequestError, match="exists"):
        atomic.write_atomically(place, b"other", overwrite=False)
    assert place.read_bytes() == b"whole"
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
