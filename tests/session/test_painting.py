"""A painting, finished in other ways and written."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

import impasto
from impasto import RequestError, bind, make_recipe
from impasto.images.metadata import read_metadata

pytestmark = pytest.mark.usefixtures("tiny_encoder")


@pytest.fixture
def paint(photo, style, tiny_nets):
    """Paints the photograph, with settings and masks."""

    def paint(masks=None, photo=photo, **settings):
        settings = {"net": str(tiny_nets["adain"]), "size": 48, "precision": "exact", **settings}
        recipe = make_recipe("adain", [impasto.Style(path=str(style))], settings=settings)
        return bind(recipe, device="cpu").paint(photo, masks=masks).done()

    return paint


@pytest.fixture
def mask():
    grey = Image.new("L", (60, 45), 0)
    grey.paste(255, (0, 0, 30, 45))
    return grey


@pytest.mark.parametrize(
    "controls",
    [
        {"strength": 0.4},
        {"strength": 0.0},
        {"colour": "luminance"},
        {"colour": "histogram", "colour_strength": 0.5},
        {"colour": "oklab", "strength": 0.7},
    ],
)
def test_finished_is_painted_anew(paint, controls):
    painting = paint()
    finished = painting.finished(**controls)
    again = paint(**controls)
    assert torch.equal(finished.image, again.image)
    assert finished.recipe == again.recipe
    assert torch.equal(finished.finished(strength=1, colour="style", colour_strength=1).image, painting.image)


def test_the_feather_of_a_mask(paint, mask):
    soft = paint([mask], feather=0.2)
    assert torch.equal(soft.finished(feather=0).image, paint([mask], feather=0).image)
    assert not torch.equal(soft.finished(feather=0).image, soft.image)


@pytest.mark.parametrize(
    ("controls", "words"),
    [
        ({"strength": 1.5}, "strength"),
        ({"colour": "sepia"}, "colour"),
        ({"colour_strength": -1}, "colour_strength"),
        ({"colour": "coral"}, "before painting"),
    ],
)
def test_what_cannot_be_finished_is_refused(paint, controls, words):
    with pytest.raises(RequestError, match=words):
        paint().finished(**controls)


def test_coral_stays_coral(paint):
    painting = paint(colour="coral")
    assert painting.finished(strength=0.5).recipe.strength == 0.5
    with pytest.raises(RequestError, match="before painting"):
        painting.finished(colour="style")
    with pytest.raises(RequestError, match="before painting"):
        painting.finished(colour_strength=0.5)


def test_what_is_written_carries_what_it_was_finished_with(paint, tmp_path, photo):
    target = tmp_path / "painted.png"
    paint().finished(strength=0.25).save(target)
    kept = read_metadata(target)
    assert kept["recipe"]["strength"] == 0.25
    assert kept["recipe"]["version"] == 2
    assert kept["photo"] == photo.name
    assert [each["name"] for each in kept["inputs"]][:2] == ["photo.png", "style.png"]
    json.dumps(kept)
    with pytest.raises(impasto.ImpastoError, match="exists already"):
        paint().save(target)
    with pytest.raises(RequestError, match="quality"):
        paint().save(tmp_path / "other.jpg", quality=0)
    assert not (tmp_path / "other.jpg").exists()


def test_as_a_picture_and_as_an_array(paint, tmp_path, photo):
    painting = paint()
    assert painting.size == (48, 36)
    assert painting.to_pil().mode == "RGB"
    assert np.asarray(painting).shape == (36, 48, 3)
    assert Image.open(io.BytesIO(painting._repr_png_())).size == (48, 36)
    clear = Image.open(photo).convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    assert np.asarray(paint(photo=clear)).shape == (36, 48, 4)


@pytest.mark.parametrize("kind", ["path", "bytes", "pil", "array", "tensor", "picture"])
def test_every_kind_of_photograph(paint, photo, kind):
    opened = Image.open(photo)
    given = {
        "path": photo,
        "bytes": photo.read_bytes(),
        "pil": opened,
        "array": np.asarray(opened),
        "tensor": impasto.read(photo).pixels,
        "picture": impasto.read(photo),
    }[kind]
    assert torch.equal(paint(photo=given).image, paint().image)


@pytest.mark.parametrize("extension", [".png", ".jpg", ".webp", ".tif"])
def test_the_bytes_of_a_painting_are_those_of_its_file(tiny_shipped, photo, style, tmp_path, extension):
    painting = impasto.paint(photo, style, effort="draft", size=32)
    painting.save(tmp_path / f"out{extension}", quality=80)
    assert painting.encode(extension, quality=80) == (tmp_path / f"out{extension}").read_bytes()
    small = impasto.read(painting.encode(extension, longest=16))
    assert max(small.size) == 16 and impasto.read(painting.encode(extension, longest=64)).size == painting.size
