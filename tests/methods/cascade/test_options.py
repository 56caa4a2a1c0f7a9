"""Rungs as text and as data, what is refused, and how large they are painted."""

import pytest

from impasto import RequestError, Style, make_recipe
from impasto.methods import METHODS, read_recipe
from impasto.methods.cascade.options import QUICK, CascadeOptions, Rung
from impasto.values import read_toml


def _recipe(rungs, **settings):
    return make_recipe("cascade", [Style(path="s.png")], settings={"rungs": rungs, **settings})


@pytest.mark.parametrize(
    "text",
    [
        "swap",
        "adain:256",
        "swap:start_detail=0.5",
        "swap:start_detail=0.5:keep_tones=no:alpha=0.5",
        "swap:spread_colours=yes:alpha=0.5",
        "adain:222:style_scale=2.5:covariance=none",
        "swap:128:start_detail=2.0:descreen=no:search=exact",
        "adain:64:net=C:/mine/net.safetensors:alpha=0.25",
    ],
)
def test_a_rung_reads_what_it_writes(text):
    rung = Rung.parse(text)
    assert str(rung) == text
    assert Rung.parse(str(rung)) == rung
    assert Rung.model_validate(rung.model_dump(mode="json")) == rung


def test_rungs_are_given_as_text_as_texts_or_as_data():
    rungs = (Rung(method="adain", size=128), Rung(method="swap", start_detail=0))
    for given in ("adain:128,swap:start_detail=0", ["adain:128,swap:start_detail=0"], ["adain:128", rungs[1]], rungs):
        assert CascadeOptions(rungs=given).rungs == rungs


def test_settings_are_as_their_method_reads_them():
    typed = _recipe("adain:64:style_scale=2:covariance=none,swap:descreen=yes").options.rungs
    assert typed[0].settings == {"style_scale": 2.0, "covariance": None}
    assert typed[1].settings == {"descreen": True}
    assert _recipe("gatys:64:gram_norm=none,swap").options.rungs[0].settings == {"gram_norm": "none"}


def test_a_recipe_survives_json_toml_and_text():
    from impasto.cli.toml import to_toml

    recipe = _recipe("adain:64:covariance=none,gatys:gram_norm=none:steps=3:start_detail=2.5")
    assert read_recipe(recipe.model_dump(mode="json")) == recipe
    assert read_recipe(read_toml(to_toml(recipe.portable()), "it")) == recipe
    assert _recipe(",".join(map(str, recipe.options.rungs))) == recipe


@pytest.mark.parametrize("preset", METHODS["cascade"].presets)
def test_presets_end_at_the_final_size(preset):
    *coarse, last = make_recipe("cascade", preset=preset).options.rungs
    assert last.size is None
    assert all(rung.size for rung in coarse)


def test_the_default_is_a_pass_of_adain_a_short_nnst_and_a_pass_of_swap():
    assert make_recipe("cascade").options.rungs == QUICK
    assert [rung.method for rung in QUICK] == ["adain", "nnst", "swap"]


@pytest.mark.parametrize(
    ("rungs", "message"),
    [
        ("", "at least one"),
        ([], "at least one"),
        ("cascade:64,swap", "cascade itself"),
        ("johnson:64,swap", "no style picture.*adain or swap"),
        ("adian:64,swap", "did you mean adain"),
        ("adain:64,swap:alhpa=1", "swap has no setting 'alhpa'; did you mean alpha"),
        ("adain:64,swap:alpha=3", "rung swap:alpha=3: alpha: input should be less than or equal to 1"),
        ("adain:64,swap:colour=oklab", "belongs to the whole painting"),
        ("adain:64,swap:128", "paints at 128 px; expected the final size"),
        ("adain:sixty,swap", r"'sixty'.*METHOD\[:SIZE\]"),
        ("adain:8,swap", "greater than or equal to 16"),
        ("adain:64,swap:start_detail=5", "less than or equal to 4"),
        ("adain:64,swap:start_detail=-1", "greater than or equal to 0"),
    ],
)
def test_what_cannot_be_painted_is_refused(rungs, message):
    with pytest.raises(RequestError, match=message):
        _recipe(rungs)


@pytest.mark.parametrize(
    ("size", "final", "shape", "painted"),
    [
        (256, 512, (3, 4), 256),
        (256, 4096, (3, 4), 256),  # meant for 512 px and more
        (256, 128, (3, 4), 64),  # smaller pictures in proportion
        (None, 300, (3, 4), 300),
        (2000, 1024, (3, 4), 1024),  # never larger than the picture
        (128, 64, (1, 1), 16),
        (256, 12, (1, 1), 12),
        (64, 512, (10, 400), 160),  # a sliver has 4 px at least
        (64, 512, (1, 4000), 512),
    ],
)
def test_how_large_a_rung_is_painted(size, final, shape, painted):
    assert Rung(method="swap", size=size).longest(final, shape) == painted


def test_the_next_frame_of_a_film_begins_with_the_first_rung_that_optimises():
    continued = CascadeOptions().continued().rungs
    assert [rung.method for rung in continued] == ["nnst", "swap"]
    assert continued[0].settings["steps"] < QUICK[1].settings["steps"]
    assert continued[0].settings["content_weight"] == QUICK[1].settings["content_weight"]
    assert CascadeOptions.model_validate({"rungs": [str(rung) for rung in continued]}).rungs == continued
    assert make_recipe("cascade", settings={"rungs": continued}).options.sides_used(512)
    passes = CascadeOptions.model_validate({"rungs": "adain:64,swap"})
    assert passes.continued() == passes
