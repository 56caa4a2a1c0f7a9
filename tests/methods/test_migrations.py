"""Recipes of earlier versions, and paintings that carry them."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import impasto
from impasto import RequestError
from impasto.cli import main
from impasto.images.metadata import read_metadata
from impasto.images.read import read
from impasto.methods import read_recipe
from impasto.methods.migrations import migrate
from impasto.recipe import VERSION
from impasto.session.provenance import warn_of_other_nets
from impasto.weights import releases
from impasto.weights.files import sha256_of
from impasto.weights.shipped import locate_net, net_names

DATA = Path(__file__).parent.parent / "data"


@pytest.mark.parametrize(
    ("version", "words"),
    [(VERSION + 1, "newer impasto wrote.*upgrade"), (0, "whole number"), ("two", "whole number"), (True, "number")],
)
def test_a_version_that_cannot_be_read_is_refused(version, words):
    with pytest.raises(RequestError, match=words):
        read_recipe({"version": version, "method": "adain"})


def test_a_recipe_of_no_version_is_of_the_first():
    recipe = read_recipe({"method": "swap", "options": {"patches_per_style": None, "alpha": 0.5}})
    assert (recipe.version, recipe.options.alpha) == (VERSION, 0.5)
    with pytest.raises(RequestError, match=r"patches_per_style.*is gone"):
        read_recipe({"method": "swap", "options": {"patches_per_style": 3}})


def test_what_is_written_states_its_version():
    assert impasto.make_recipe("adain").portable()["version"] == VERSION


def test_every_shipped_net_is_known_by_its_release():
    assert {sha256_of(locate_net(name)) for name in net_names()} <= releases.RELEASES.keys()


def test_a_replaced_net_says_which_release_holds_it(monkeypatch):
    recipe = impasto.make_recipe("adain").model_copy(update={"nets": {"adain": "1" * 64}})
    monkeypatch.setitem(releases.RELEASES, "2" * 64, "0.0.9")
    with pytest.warns(impasto.errors.ImpastoWarning, match=r"impasto 0\.0\.9 has it: pip install 'impasto==0\.0\.9'"):
        warn_of_other_nets(recipe, {"adain": "2" * 64})
    with pytest.warns(impasto.errors.ImpastoWarning, match="the picture will differ$"):
        warn_of_other_nets(recipe, {"adain": "3" * 64})


@pytest.mark.vgg
@pytest.mark.parametrize("painting", ["adain", "swap", "johnson", "gatys", "gatys-init"])
def test_a_painting_of_0_1_0_is_painted_again(painting, tmp_path, capsys):
    source = tmp_path / f"{painting}.png"
    shutil.copy(DATA / "0.1.0" / source.name, source)
    target = tmp_path / "again.png"
    assert main(["replay", str(source), "--inputs", str(DATA / "0.1.0"), "-o", str(target), "--device", "cpu"]) == 0
    if "will differ" in capsys.readouterr().err:
        then = read_metadata(source)["recipe"]["nets"]
        assert any(releases.RELEASES.get(digest) == "0.1.0" for digest in then.values())
        return
    before, after = (np.asarray(read(path).to_pil(), np.int16) for path in (source, target))
    apart = np.abs(before - after)
    # Another processor rounds otherwise, and of two patches nearly as similar may take the other.
    assert apart.mean() < 1
    assert np.percentile(apart, 95) <= 2


@pytest.mark.parametrize(
    ("size", "options", "steps", "search"),
    [
        (512, {"search": "auto", "inverse": "auto"}, 3, "exact"),
        (512, {"search": "patchmatch", "steps": 5}, 5, "patchmatch"),
        (512, {"search": "auto", "inverse": "optimise"}, None, "exact"),
        (2000, {"search": "auto", "inverse": "refine"}, 3, "auto"),
    ],
)
def test_a_painting_by_swap_keeps_what_version_1_did(
    size: int, options: dict[str, object], steps: object, search: object
) -> None:
    recipe = {"version": 1, "method": "swap", "size": size, "options": options}
    found = migrate({**recipe, "nets": {"swap": "0" * 64}})["options"]
    assert (found.get("steps"), found.get("search")) == (steps, search)
    assert migrate(recipe)["options"] == options  # written by hand
