"""Presets whose encoder is not on this machine."""

import dataclasses
import warnings

import pytest

import impasto
from impasto import Style, make_recipe
from impasto.comparison.ways import parse_way
from impasto.errors import ImpastoWarning, WeightsError
from impasto.methods import METHODS, stand_in
from impasto.methods.common import loader
from impasto.methods.common.preset import Preset
from impasto.methods.gatys.options import GatysOptions
from impasto.weights.canonical import caffe_spec, tiny_weights, torchvision_spec
from impasto.weights.catalogue import CATALOGUE, DEFAULT
from impasto.weights.locate import expected_path
from impasto.weights.matconvnet import matconvnet_spec

PRESETS = [(method.name, name) for method in METHODS.values() for name in method.presets]
FOREIGN = [(method, name) for method, name in PRESETS if METHODS[method].presets[name].encoder != DEFAULT]
WEIGHTS = {"content_weight", "style_weight", "tv_weight"}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Nothing has been fetched."""
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error", ImpastoWarning)
        yield


def preset_of(method, name):
    return METHODS[method].presets[name]


def test_some_presets_have_other_encoders():
    assert {method for method, _ in FOREIGN} == {"gatys", "nnst"}


@pytest.mark.parametrize(("method", "name"), FOREIGN)
def test_the_installed_encoder_takes_the_place_of_a_missing_one(method, name):
    preset = preset_of(method, name)
    says = rf"preset {name} of {method} is made for the encoder {preset.encoder}.*weights fetch {preset.encoder}`"
    with pytest.warns(ImpastoWarning, match=says):
        recipe = make_recipe(method, preset=name, exact_preset=False)
    assert (recipe.encoder, recipe.preset, recipe.size) == (DEFAULT, name, preset.size)
    exact = make_recipe(method, preset=name).options
    weights = WEIGHTS if preset.encoder.endswith("torchvision") else set()
    assert recipe.options.model_dump(exclude=weights) == exact.model_dump(exclude=weights)
    assert all(0 < getattr(recipe.options, each) < getattr(exact, each) for each in weights if getattr(exact, each))


@pytest.mark.parametrize(("method", "name"), PRESETS)
def test_an_exact_preset_has_its_own_encoder(method, name, no_warning):
    assert make_recipe(method, preset=name).encoder == preset_of(method, name).encoder


@pytest.mark.parametrize(("method", "name"), sorted(set(PRESETS) - set(FOREIGN)))
def test_presets_of_the_installed_encoder_stay(method, name, no_warning):
    assert make_recipe(method, preset=name, exact_preset=False) == make_recipe(method, preset=name)


@pytest.mark.parametrize(("method", "name"), FOREIGN)
def test_an_encoder_that_is_asked_for_or_here_is_kept(method, name, no_warning):
    asked = make_recipe(method, preset=name, settings={"encoder": "vgg16-keras"}, exact_preset=False)
    assert asked.encoder == "vgg16-keras"
    encoder = preset_of(method, name).encoder
    path = expected_path(CATALOGUE[encoder])
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    assert make_recipe(method, preset=name, exact_preset=False).encoder == encoder


def test_without_any_encoder_the_preset_stays(monkeypatch, no_warning):
    monkeypatch.setattr(stand_in, "is_here", lambda _: False)
    assert make_recipe("gatys", preset="pystiche", exact_preset=False).encoder == "vgg19-torchvision"


def test_compared_presets_are_exact(no_warning):
    assert parse_way("gatys:pystiche").recipe.encoder == "vgg19-torchvision"


@pytest.fixture
def only_vgg16(monkeypatch):
    """The installed encoder is VGG-16, which lacks relu3_4 and counts its layers otherwise."""
    monkeypatch.setattr(stand_in, "DEFAULT", "vgg16")
    monkeypatch.setattr(stand_in, "is_here", lambda entry: entry.name == "vgg16")


def deep_preset(**layers):
    return Preset("", GatysOptions(**layers), encoder="vgg19-torchvision")


@pytest.mark.parametrize("layer", ["relu3_4", "conv5_4", "block4_conv4", "conv_16"])
@pytest.mark.parametrize("setting", ["content_layers", "style_layers"])
def test_a_layer_that_is_lacking_is_told_with_both_ways_out(setting, layer, only_vgg16):
    preset = deep_preset(**{setting: {layer: 1.0}})
    with pytest.raises(WeightsError) as caught:
        stand_in.with_encoder_here(preset, "gatys", "deep")
    for word in (layer, "vgg16", "impasto weights fetch vgg19-torchvision", f"--{setting.replace('_', '-')}"):
        assert word in str(caught.value)
    with pytest.warns(ImpastoWarning):
        assert stand_in.with_encoder_here(preset, "gatys", "deep", {setting}).encoder == "vgg16"


def test_counted_layers_keep_their_meaning(only_vgg16):
    preset = deep_preset(content_layers={"conv_9": 1.0}, style_layers={"conv_1": 0.5, "relu_4": 2.0, "relu4_1": 3.0})
    with pytest.warns(ImpastoWarning):
        options = stand_in.with_encoder_here(preset, "gatys", "counted").options
    assert options.content_layers == {"conv4_1": 1.0}
    assert options.style_layers == {"conv_1": 0.5, "relu_4": 2.0, "relu4_1": 3.0}


def test_paint_uses_what_is_here(photo, style, tiny_encoder):
    settings = {"method": "gatys", "preset": "pystiche", "size": 40, "steps": 2}
    with pytest.warns(ImpastoWarning, match="`impasto gatys --exact-preset` refuses"):
        painting = impasto.paint(photo, style, **settings)
    assert painting.recipe.encoder == DEFAULT and DEFAULT in painting.recipe.nets


@pytest.mark.parametrize("paint", ["paint", "bind"])
def test_an_exact_preset_refuses(paint, photo, style):
    with pytest.raises(WeightsError, match="`impasto weights fetch vgg19-torchvision` gets it"):
        if paint == "paint":
            impasto.paint(photo, style, method="gatys", preset="pystiche", size=40, steps=2, exact_preset=True)
        else:
            impasto.bind(make_recipe("gatys", [Style(path=str(style))], preset="pystiche"))


def test_levels_are_those_of_the_layouts():
    specs = {"torchvision": torchvision_spec, "caffe": caffe_spec, "codebook": caffe_spec, "keras": caffe_spec}
    for entry in CATALOGUE.values():
        spec = specs.get(entry.layout, matconvnet_spec)(entry.arch)
        assert entry.levels == pytest.approx((spec.scale / (sum(spec.std) / 3), spec.scale), rel=0.01)


@pytest.mark.parametrize("name", METHODS["gatys"].presets)
def test_weights_keep_the_balance_of_the_losses(name, picture, monkeypatch):
    """An encoder without biases has features that grow with what it sees."""
    preset = preset_of("gatys", name)
    tiny = tiny_weights()
    tensors = {layer: (weight, bias * 0) for layer, (weight, bias) in tiny.tensors.items()}
    here = dataclasses.replace(tiny.spec, scale=8.0, mean=(4.0, 4.0, 4.0), std=(1.0, 1.0, 1.0))
    assert (tiny.spec.scale, tiny.spec.mean[0], tiny.spec.std[0]) == (1, 0.5, 0.25)
    found = []
    for spec, options in ((tiny.spec, preset.options), (here, preset.options.rescaled(8 * 0.25, 8))):
        weights = dataclasses.replace(tiny, spec=spec, tensors=tensors)
        monkeypatch.setattr(loader, "load", lambda _, weights=weights, **more: weights)
        settings = {"size": None, "precision": "exact", **_weights_of(options)}
        recipe = make_recipe("gatys", [Style(path="s")], preset=name, settings=settings)
        painter = impasto.bind(recipe, styles=[picture(40, 40, 1)]).painter
        found.append(painter.objective(picture(40, 40, 2))(picture(40, 40, 3))[0])
    assert set(found[0]) >= {"content", "style", *(["tv"] if preset.options.tv_weight else [])}
    for kind in found[0]:
        assert float(found[0][kind]) == pytest.approx(float(found[1][kind]), rel=1e-2)


def _weights_of(options):
    return {name: getattr(options, name) for name in WEIGHTS}


def test_settings_without_losses_of_features_are_not_rescaled():
    for name, method in METHODS.items():
        if name != "gatys":
            assert method.options().rescaled(57.0, 255.0) == method.options()
    normalised = GatysOptions(normalize_gradients=True)
    assert normalised.rescaled(57.0, 255.0) == normalised
