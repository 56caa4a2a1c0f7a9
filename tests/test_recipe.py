"""Recipes and styles as plain data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impasto import RequestError, Style, make_recipe
from impasto.recipe import NetShare


@pytest.mark.parametrize(
    ("text", "path", "weight"),
    [
        ("scream.jpg", "scream.jpg", 1.0),
        ("scream.jpg:0.3", "scream.jpg", 0.3),
        ("C:/pictures/scream.jpg", "C:/pictures/scream.jpg", 1.0),
        ("C:/pictures/scream.jpg:2", "C:/pictures/scream.jpg", 2.0),
        ("a:b.png", "a:b.png", 1.0),
        ("-", "-", 1.0),
        ("-:0.5", "-", 0.5),
    ],
)
def test_styles_are_written_path_and_weight(text, path, weight):
    assert Style.parse(text) == Style(path=path, weight=weight)


@pytest.mark.parametrize(
    ("text", "style"),
    [
        ("scream.jpg:0.7@sky.png", Style(path="scream.jpg", weight=0.7, mask="sky.png")),
        ("scream.jpg@a/b/sky.TIF", Style(path="scream.jpg", mask="a/b/sky.TIF")),
        ("scream.jpg@alpha", Style(path="scream.jpg", mask="alpha")),
        ("-@sky.png", Style(path="-", mask="sky.png")),
        ("odd.name:2@sky.png", Style(path="odd.name", weight=2, mask="sky.png")),
        ("me@home.jpg", Style(path="me@home.jpg")),
        ("john.smith@home.jpg:2", Style(path="john.smith@home.jpg", weight=2)),
        ("me@home.jpg@sky.png", Style(path="me@home.jpg", mask="sky.png")),
        ("scream.jpg@home", Style(path="scream.jpg@home")),
        *(
            (f"scream.jpg@sky{end}", Style(path="scream.jpg", mask=f"sky{end}"))
            for end in (".pgm", ".avif", ".heic", ".jxl")
        ),
    ],
)
def test_a_mask_follows_an_at(text, style):
    assert Style.parse(text) == style


def test_networks_take_masks_too():
    options = make_recipe("johnson", settings={"net": "great-wave:0.7@sky.png,a@b.safetensors#x"}).options
    assert options.known_styles == (
        NetShare(name="great-wave", weight=0.7, mask="sky.png"),
        NetShare(name="a@b.safetensors#x"),
    )


def test_a_style_may_be_given_once_a_mask():
    twice = [Style(path="s.png", mask="a.png"), Style(path="s.png", mask="b.png")]
    assert make_recipe("adain", twice).parts == tuple(twice)
    with pytest.raises(RequestError, match="twice"):
        make_recipe("adain", [twice[0], twice[0]])


@pytest.mark.parametrize("text", ["scream.jpg:0", "scream.jpg:-1", "scream.jpg:nan", "scream.jpg:inf"])
def test_weights_are_positive(text):
    with pytest.raises(RequestError, match="positive number"):
        Style.parse(text)


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=6))
def test_shares_sum_to_one(weights):
    recipe = make_recipe("gatys", [Style(path=f"{n}.png", weight=w) for n, w in enumerate(weights)])
    assert sum(recipe.style_shares()) == pytest.approx(1)


def test_a_style_given_twice_is_refused():
    with pytest.raises(RequestError, match="same style is given twice"):
        make_recipe("gatys", [Style(path="a.png"), Style(path="a.png", weight=2)])


def test_recipes_are_frozen():
    recipe = make_recipe("gatys")
    with pytest.raises(ValueError, match="frozen"):
        recipe.seed = 3


def test_unknown_presets_and_methods_name_the_near_ones():
    with pytest.raises(RequestError, match="did you mean neural-style"):
        make_recipe("gatys", preset="neuralstyle")
    with pytest.raises(RequestError, match="no method 'gatis'; did you mean gatys"):
        make_recipe("gatis")


def test_settings_override_a_preset():
    recipe = make_recipe("gatys", preset="neural-style", settings={"style_weight": 7, "size": 300})
    assert recipe.options.style_weight == 7
    assert recipe.options.content_weight == 5
    assert recipe.size == 300
    assert recipe.preset == "neural-style"
