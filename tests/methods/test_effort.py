"""What efforts and boldness stand for."""

from itertools import pairwise

import pytest

from impasto import RequestError, Style, make_recipe
from impasto.methods import METHODS
from impasto.methods.cascade.options import QUICK
from impasto.methods.effort import DEFAULT_BOLDNESS, DEFAULT_EFFORT, EFFORTS, detail, first_size, way

BOLDNESS = [0, 0.1, 0.25, 0.5, 0.7, 0.75, 0.9, 1]


def _recipe(effort, boldness):
    name, preset, settings = way(effort, boldness)
    return make_recipe(name, [Style(path="s.png")], preset=preset, settings=settings)


def test_efforts_go_from_the_quickest_to_the_best():
    assert EFFORTS == ("draft", "quick", "fine", "best")
    assert way() == way(DEFAULT_EFFORT, DEFAULT_BOLDNESS) == way("quick", 0.5)


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("boldness", BOLDNESS)
def test_every_effort_makes_a_recipe(effort, boldness):
    recipe = _recipe(effort, boldness)
    assert recipe.method in METHODS
    assert recipe.size == 512


@pytest.mark.parametrize("effort", EFFORTS)
def test_bolder_is_larger_forms_and_less_of_the_photo(effort):
    recipes = [_recipe(effort, boldness) for boldness in BOLDNESS]
    for less, more in pairwise(recipes):
        assert less != more
        for one, other in zip(getattr(less.options, "rungs", ()), getattr(more.options, "rungs", ()), strict=False):
            if one.method == other.method and one.size and other.size and one.method != "swap":
                assert other.size <= one.size
                assert other.settings.get("style_scale", 0) >= one.settings.get("style_scale", 0)
                assert other.settings.get("content_weight", 0) <= one.settings.get("content_weight", 0)
        if effort == "draft":
            assert more.options.style_scale > less.options.style_scale
            continue
        last, bolder = less.options.rungs[-1], more.options.rungs[-1]
        if effort == "best":
            assert bolder.settings["content_weight"] < last.settings["content_weight"]
            assert bolder.settings["detail"] < last.settings["detail"]
        else:
            assert bolder.start_detail < last.start_detail
            assert bolder.settings["alpha"] > last.settings["alpha"]


def test_the_ends_of_the_dial():
    sizes = [first_size(effort, boldness) for effort in ("quick", "fine") for boldness in (0, 0.5, 1)]
    assert sizes == [333, 256, 179, 416, 320, 224]
    assert [detail(boldness) for boldness in (0, 0.5, 1)] == [2.6, 1.3, 0]
    assert way("draft", 0.5) == ("adain", "impasto", {"style_scale": 1.0})


def test_quick_begins_smaller_than_fine():
    for boldness in BOLDNESS:
        (_, quick, _), (_, fine, _) = (way(effort, boldness).settings["rungs"] for effort in ("quick", "fine"))
        assert quick.size < fine.size
        assert "steps" in quick.settings and "steps" not in fine.settings


def test_the_default_of_cascade_is_quick():
    for each, own in zip(QUICK, way().settings["rungs"], strict=True):
        assert each.model_copy(update={"settings": {}}) == own.model_copy(update={"settings": {}})
        assert each.settings == {name: value for name, value in own.settings.items() if name != "style_scale"}


@pytest.mark.parametrize("boldness", [-0.1, 1.1, float("nan"), float("inf"), "much", True])
def test_boldness_is_from_0_to_1(boldness):
    with pytest.raises(RequestError, match=r"boldness is .*expected a number from 0.* to 1.*0.5 is the default"):
        way("quick", boldness)


def test_an_effort_that_is_none_is_refused():
    with pytest.raises(RequestError, match=r"effort is 'quik'; expected one of draft, quick, fine, best.*mean quick"):
        way("quik")
