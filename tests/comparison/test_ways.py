"""How ways are written."""

import pytest

from impasto.comparison.ways import parse_way, parse_ways, split_ways
from impasto.errors import RequestError
from impasto.methods import make_recipe
from impasto.methods.effort import way
from impasto.recipe import Style


def by_effort(effort, boldness, **settings):
    name, preset, chosen = way(effort, boldness)
    return make_recipe(name, preset=preset, settings={**chosen, **settings})


@pytest.mark.parametrize(
    ("text", "label", "recipe"),
    [
        ("adain", "adain", make_recipe("adain", settings={"size": 320})),
        ("gatys:quick", "gatys quick", make_recipe("gatys", preset="quick", settings={"size": 320})),
        (
            "gatys:quick:steps=40:style-scale=2",
            "gatys quick steps=40 style_scale=2",
            make_recipe("gatys", preset="quick", settings={"size": 320, "steps": 40, "style_scale": 2}),
        ),
        (
            "swap:start_detail=0.5:size=64",
            "swap start_detail=0.5 size=64",
            make_recipe("swap", settings={"size": 64, "start_detail": 0.5}),
        ),
        ("adain:size=none", "adain size=none", make_recipe("adain", settings={"size": None})),
        (
            "gatys:style_layers=relu1_1:2,relu2_1:clamp=no",
            "gatys style_layers=relu1_1:2,relu2_1 clamp=no",
            make_recipe("gatys", settings={"size": 320, "style_layers": "relu1_1:2,relu2_1", "clamp": False}),
        ),
        (
            "johnson:great-wave:0.5:grain=0",
            "johnson great-wave:0.5 grain=0",
            make_recipe("johnson", settings={"size": 320, "net": "great-wave:0.5", "grain": 0}),
        ),
        ("johnson:net=wave", "johnson net=wave", make_recipe("johnson", settings={"size": 320, "net": "wave"})),
        ("draft", "draft", by_effort("draft", 0.5, size=320)),
        ("quick:boldness=0.8:size=64", "quick boldness=0.8 size=64", by_effort("quick", 0.8, size=64)),
    ],
)
def test_what_is_written_is_meant(text, label, recipe):
    way = parse_way(text)
    assert (way.label, way.recipe) == (label, recipe)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("adian", ["did you mean adain"]),
        ("adain:", []),
        ("adain:quick", ["adain has no preset 'quick'"]),
        ("adain:style_scal=2", ["adain:style_scal=2: ", "did you mean style_scale"]),
        ("adain:style_scale=2:alpha=much", ["alpha", "number", "'much'"]),
        ("adain:style_scale=99", ["style_scale", "16", "'99'"]),
        ("gatys:steps=none", ["steps", "'none'"]),
        ("adain:alpha=1:alpha=0", ["alpha is given twice"]),
        ("adain:preset=impasto", ["preset is no setting", "METHOD[:PRESET]"]),
        ("adain:styles=a.png", ["styles is no setting"]),
        ("johnson", ["takes no style picture", "johnson:great-wave"]),
        ("quick:boldness=2", ["quick:boldness=2: boldness", "'2'", "from 0"]),
        ("quick:style_scale=2", ["style_scale belongs to a method", "adain"]),
        ("quikc", ["did you mean quick"]),
        ("johnson:grain=0", ["takes no style picture"]),
    ],
)
def test_what_is_refused(text, words):
    if not words:
        assert parse_way(text).label == "adain"
        return
    with pytest.raises(RequestError) as caught:
        parse_way(text)
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize(
    ("text", "ways"),
    [
        ("adain, swap,,gatys:quick", ["adain", "swap", "gatys:quick"]),
        ("gatys:style_layers=relu1_1:2,relu2_1,swap", ["gatys:style_layers=relu1_1:2,relu2_1", "swap"]),
        ("adain:alpha=1,swop", ["adain:alpha=1", "swop"]),
        ("adain,relu1_1", ["adain", "relu1_1"]),
        ("adain:alpha=1,quick:boldness=0", ["adain:alpha=1", "quick:boldness=0"]),
        ("", []),
    ],
)
def test_commas(text, ways):
    assert split_ways(text) == ways


def test_each_once():
    with pytest.raises(RequestError, match="expected at least one"):
        parse_ways([])
    with pytest.raises(RequestError, match="each once"):
        parse_ways(["adain:style_scale=2", "adain:style-scale=2"])


def test_styles_are_given_later():
    styles = [Style(path="a.png"), Style(path="b.png")]
    assert parse_way("adain").with_styles(styles).styles == tuple(styles)
    assert parse_way("johnson:great-wave").with_styles(styles).styles == ()
    with pytest.raises(RequestError, match="given twice"):
        parse_way("adain").with_styles([styles[0]] * 2)


def test_a_way_in_the_name_of_a_file():
    assert parse_way("gatys:quick:steps=40").file_name == "gatys-quick-steps=40"
    assert parse_way("johnson:nets/a b.safetensors").file_name == "johnson-nets-a-b.safetensors"
