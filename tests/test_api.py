"""`bind` and `paint` as a Python program uses them."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import impasto
from impasto.errors import ImageError
from impasto.methods.common import loader
from impasto.methods.effort import way
from impasto.weights.canonical import tiny_weights


@pytest.fixture(autouse=True)
def _tiny_encoder(monkeypatch):
    monkeypatch.setattr(loader, "load", lambda name, **_: tiny_weights())


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    for name, mode, shape in (
        ("photo", "RGB", (30, 40, 3)),
        ("style", "RGB", (50, 50, 3)),
        ("clear", "RGBA", (30, 40, 4)),
    ):
        Image.fromarray(rng.integers(0, 255, shape, dtype=np.uint8), mode).save(tmp_path / f"{name}.png")
    return tmp_path


SHORT = {"method": "gatys", "steps": 2, "size": 32, "device": "cpu"}


def test_paths_in_picture_out(files):
    painting = impasto.paint(files / "photo.png", str(files / "style.png"), **SHORT).to_pil()
    assert (painting.mode, painting.size) == ("RGB", (32, 24))


def test_every_kind_of_picture_is_taken(files):
    photo = Image.open(files / "photo.png")
    style = Image.open(files / "style.png")
    expected = np.asarray(impasto.paint(files / "photo.png", files / "style.png", **SHORT))
    kinds = (photo, np.asarray(photo), (files / "photo.png").read_bytes())
    for kind in kinds:
        assert np.array_equal(np.asarray(impasto.paint(kind, style, **SHORT)), expected)


def test_alpha_is_carried(files):
    painting = impasto.paint(files / "clear.png", files / "style.png", **SHORT).to_pil()
    assert (painting.mode, painting.size) == ("RGBA", (32, 24))


def test_the_default_is_what_the_command_paints_with(files, monkeypatch):
    seen = []

    def paint(self, recipe, *_, **__):
        seen.append(recipe)
        return SimpleNamespace(done=lambda: None)

    monkeypatch.setattr(impasto.Session, "paint", paint)
    impasto.paint(files / "photo.png", files / "style.png", size=32, device="cpu")
    impasto.paint(files / "photo.png", files / "style.png", effort="draft", boldness=1, size=32, device="cpu")
    quick, draft = way(), way("draft", 1)
    assert (seen[0].method, seen[0].preset, seen[0].size) == (quick.method, quick.preset, 32)
    assert [rung.method for rung in seen[0].options.rungs] == [rung.method for rung in quick.settings["rungs"]]
    assert (seen[1].method, seen[1].preset, seen[1].options.style_scale) == (draft.method, "impasto", 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"effort": "quick", "method": "adain"}, "effort and boldness choose a method.*method='adain'"),
        ({"boldness": 0.2, "method": "adain"}, "one or the other"),
        ({"effort": "quick", "preset": "impasto"}, "preset belongs to a method.*method='adain'"),
        ({"preset": "impasto"}, "preset belongs to a method.*method='adain'"),
        ({"style_scale": 2}, "style_scale belongs to a method.*method='adain'"),
        ({"steps": 2}, "steps belongs to a method.*method='gatys'"),
        ({"rungs": "swap"}, "method='cascade'"),
        ({"seeds": 3}, "no setting 'seeds'; did you mean seed"),
        ({"effort": "slow"}, "effort is 'slow'"),
        ({"boldness": 2}, "boldness is 2"),
    ],
)
def test_dials_and_methods_are_not_mixed(files, arguments, message):
    with pytest.raises(impasto.RequestError, match=message):
        impasto.paint(files / "photo.png", files / "style.png", **arguments)


def test_weighted_styles(files):
    style = str(files / "style.png")
    photo, other = files / "photo.png", Image.new("RGB", (40, 40), "gold")
    alone = np.asarray(impasto.paint(photo, style, **SHORT), dtype=float)
    mixed = np.asarray(impasto.paint(photo, f"{style}:3", other, **SHORT), dtype=float)
    assert np.abs(alone - mixed).max() > 0


def test_steps_come_one_by_one(files):
    recipe = impasto.make_recipe(
        "gatys", [impasto.Style(path=str(files / "style.png"))], settings={"steps": 3, "size": 32}
    )
    painter = impasto.bind(recipe, device="cpu")
    steps = list(painter.paint(torch.rand(1, 3, 20, 32)))
    assert [step.index for step in steps] == [1, 2, 3]
    assert all(set(step.losses) == {"content", "style", "total"} for step in steps)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"device": "tpu"}, "expected auto, cpu, cuda, cuda:N or mps"),
        ({"device": "cuda:9"} if not torch.cuda.is_available() else {"device": "tpu"}, "cpu"),
        ({"preset": "no-such"}, "no preset"),
        ({"colours": "luminance"}, "no setting"),
        ({"colour": "luminous"}, "colour"),
    ],
)
def test_requests_that_cannot_be_met(files, arguments, message):
    with pytest.raises(impasto.RequestError, match=message):
        impasto.paint(files / "photo.png", files / "style.png", **{**SHORT, **arguments})


def test_a_weight_that_is_no_number_is_named(files):
    style = files / "style.png"
    with pytest.raises(impasto.RequestError, match="style weight is 'half' in "):
        impasto.paint(files / "photo.png", f"{style}:half", **SHORT)


def test_unreadable_pictures(files):
    with pytest.raises(ImageError, match=r"nothing\.jpg"):
        impasto.paint(files / "nothing.jpg", files / "style.png", **SHORT)
    with pytest.raises(ImageError):
        impasto.paint(np.full((4, 4, 3), np.nan), files / "style.png", **SHORT)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"method": 5}, "the method is 5; expected one of gatys"),
        ({"device": None}, "device is None; expected auto"),
        ({"device": 0}, "device is 0; expected auto"),
        ({"watch": 5}, "watch is 5; expected a function"),
        ({"cancel": 5}, "cancel is 5; expected what has is_set"),
    ],
)
def test_arguments_of_another_type_are_refused(files, arguments, words):
    with pytest.raises(impasto.RequestError, match=words):
        impasto.paint(files / "photo.png", files / "style.png", **SHORT | arguments)


def test_a_device_of_torch_is_taken(files):
    painted = impasto.paint(files / "photo.png", files / "style.png", **SHORT | {"device": torch.device("cpu")})
    assert painted.device == "cpu"


@pytest.mark.parametrize("kind", [list, tuple, set])
def test_several_styles_are_given_one_by_one(files, kind):
    with pytest.raises(ImageError, match=f"given as {kind.__name__}; .*: give several pictures one by one"):
        impasto.paint(files / "photo.png", kind([files / "style.png"]), **SHORT)


@pytest.mark.parametrize("settings", [5, "size", ["size"]])
def test_settings_that_are_no_dictionary_are_refused(settings):
    with pytest.raises(impasto.RequestError, match="expected a dictionary of values by name"):
        impasto.make_recipe("adain", settings=settings)


@pytest.mark.parametrize(
    ("target", "settings", "words"),
    [
        (None, {}, "the output is NoneType; expected the path of a file"),
        (5, {}, "the output is int"),
        ("out.jpg", {"quality": 50.5}, "quality is 50.5; expected a whole number"),
        ("out.jpg", {"quality": "50"}, "quality is '50'"),
        ("out.png", {"bits": None}, "bits is None"),
    ],
)
def test_a_painting_is_not_saved_by_values_of_another_type(files, target, settings, words):
    painting = impasto.paint(files / "photo.png", files / "style.png", **SHORT)
    with pytest.raises(impasto.RequestError, match=words):
        painting.save(target and (files / target if isinstance(target, str) else target), **settings)
    assert not list(files.glob("out.*"))


@pytest.mark.parametrize("name", ["out.jpg", "out.png", "out.webp", "out.tif", "out.avif", "out.jxl"])
def test_numbers_of_numpy_are_taken(files, name):
    painting = impasto.paint(files / "photo.png", files / "style.png", **SHORT | {"size": np.int64(32)})
    painting.save(files / name, quality=np.int64(90), bits=np.uint8(8))
    assert impasto.read(files / name).size == (32, 24)
