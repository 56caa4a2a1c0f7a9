"""Settings out of range are refused, and the presets are the systems they are named after."""

from pathlib import Path

import pytest

from impasto import RequestError, Style, make_recipe
from impasto.methods import read_recipe
from impasto.methods.adain.presets import PRESETS as ADAIN_PRESETS
from impasto.methods.swap.presets import PRESETS as SWAP_PRESETS

REFERENCE = Path(__file__).parents[4] / "shared/reference/presets.md"

# setting of `swap --preset style-swap`, value, words of the reference that say so
STATED = [
    ("layer", "relu3_1", "layer **relu3_1**"),
    ("patch_size", 3, "patchSize 3, patchStride 1"),
    ("stride", 1, "patchSize 3, patchStride 1"),
    ("match", "plain", "content is not (`normalize=false`)"),
    ("moments", "keep", "divided by overlap count (plain average)"),
    ("inverse", "optimise", "optimisation when no decoder"),
    ("optimizer", "adam", "Adam lr 0.05, 100 its"),
    ("learning_rate", 0.05, "Adam lr 0.05, 100 its"),
    ("steps", 100, "Adam lr 0.05, 100 its"),
    ("tv_weight", 1e-7, "init content, TV 1e-7"),
    ("normalize_gradients", True, "L1-normalises its gradient"),
    ("style_scale", 512 / 640, "maxContentSize 640, maxStyleSize 512"),
    ("style_upscale", False, "only shrinks"),
]


@pytest.mark.parametrize(("setting", "value", "words"), STATED)
def test_style_swap_is_the_authors_script(setting, value, words):
    preset = SWAP_PRESETS["style-swap"]
    assert getattr(preset.options, setting) == value
    assert preset.size == 640
    if REFERENCE.exists():
        assert words in REFERENCE.read_text(encoding="utf-8")


def test_the_released_form_swaps_alike_and_inverts_in_one_pass():
    script, released = (SWAP_PRESETS[name].options.model_dump() for name in ("style-swap", "style-swap-released"))
    for name in ("layer", "patch_size", "stride", "match", "moments", "style_scale", "style_upscale"):
        assert script[name] == released[name]
    assert script["search"] == released["search"] == "exact"
    assert released["inverse"] == "network"


def test_presets_after_others_are_adain_as_published():
    for name in ("adain", "adain-naoto0804"):
        options = ADAIN_PRESETS[name].options.model_dump()
        assert (options["covariance"], options["grain"], options["descreen"]) == (0, 0, False)


def test_our_own_presets_are_the_defaults():
    for presets in (ADAIN_PRESETS, SWAP_PRESETS):
        options = presets["impasto"].options
        assert options == type(options)()


@pytest.mark.parametrize(
    ("method", "settings", "words"),
    [
        ("adain", {"alpha": 1.5}, "alpha.*1"),
        ("adain", {"alpha": -0.1}, "alpha.*0"),
        ("adain", {"alpha": float("nan")}, "alpha"),
        ("adain", {"style_scale": 0}, "style_scale"),
        ("adain", {"covariance": 1.5}, "covariance.*1"),
        ("adain", {"covariance": float("nan")}, "covariance"),
        ("swap", {"alpha": 2}, "alpha"),
        ("swap", {"patch_size": 0}, "patch_size"),
        ("swap", {"patch_size": 16}, "patch_size"),
        ("swap", {"stride": 0}, "stride"),
        ("swap", {"layer": "relu5_1"}, "relu4_1"),
        ("swap", {"memory": 0}, "memory"),
        ("swap", {"patch": 3}, "did you mean.* patch_size"),
    ],
)
def test_out_of_range_is_refused(method, settings, words):
    with pytest.raises(RequestError, match=words):
        make_recipe(method, [Style(path="s")], settings=settings)


GONE = (
    "swap's setting patches_per_style (got 500) is gone: every patch is compared; "
    "remove it from the recipe to paint without it"
)


def test_a_setting_that_is_gone_is_named():
    with pytest.raises(RequestError) as read:
        read_recipe({"method": "swap", "options": {"patches_per_style": 500}})
    with pytest.raises(RequestError) as made:
        make_recipe("swap", [Style(path="s")], settings={"patches_per_style": 500})
    assert str(read.value) == str(made.value) == GONE
    with pytest.raises(RequestError, match="patches_per_style"):  # it was never a setting of adain
        read_recipe({"method": "adain", "options": {"patches_per_style": None}})


@pytest.mark.parametrize("unset", [{}, {"patches_per_style": None}, {"patches_per_style": "none"}])
def test_a_setting_that_is_gone_may_be_unset(unset):
    plain = make_recipe("swap", settings={"stride": 2})
    given = {"stride": 2, **unset}
    assert read_recipe({"method": "swap", "options": given}) == make_recipe("swap", settings=given) == plain
    assert given == {"stride": 2, **unset}
