"""The nets in the package, each doing what it is there for, with the real encoder: run before a release."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
import torch
from torch import Tensor

from impasto import Style, bind, make_recipe
from impasto.api import last
from impasto.demo.photos import demo_photo
from impasto.demo.styles import draw
from impasto.images.geometry import fit
from impasto.images.read import read
from impasto.methods.export import TOLERANCE, export
from impasto.methods.johnson.gallery import gallery
from impasto.metrics.score import Inverts, Ruler
from impasto.session.session import BoundPainter
from impasto.weights.shipped import net_names

pytestmark = pytest.mark.slow

STYLES = ("night", "wave")


@pytest.fixture(scope="module")
def photo() -> Tensor:
    return fit(read(demo_photo("astronaut")).pixels, 384)


def bound(method: str, styles: list[Tensor], **settings: object) -> BoundPainter:
    named = [Style(path=f"{number}.png") for number, _ in enumerate(styles)]
    recipe = make_recipe(method, named, settings={"size": 384, **settings})
    return bind(recipe, styles=styles, device="cpu")


@pytest.mark.parametrize("name", STYLES)
@pytest.mark.parametrize("method", ["adain", "swap"])
def test_any_style_is_taken_on_and_the_photo_kept(method: str, name: str, photo: Tensor) -> None:
    ruler, style = Ruler(torch.device("cpu")), read(draw(name, 384)).pixels
    painted = last(bound(method, [style]).paint(photo)).image
    untouched, own = ruler.measure(photo, photo, style), ruler.measure(painted, photo, style)
    assert own.style < 0.6 * untouched.style
    assert own.content < 0.9


def test_every_learned_step_of_swap_comes_nearer(photo: Tensor) -> None:
    style = read(draw("night", 384)).pixels
    ways = [{"inverse": "network"}, *({"steps": steps} for steps in (1, 2, 3, 5))]
    errors: list[dict[str, float]] = []
    for way in ways:
        painter = bound("swap", [style], **way)
        assert isinstance(painter.painter, Inverts)
        errors.append(painter.painter.feature_errors(photo))
    for kind in ("photo", "painting", "swapped"):
        assert [step[kind] for step in errors] == sorted((step[kind] for step in errors), reverse=True)
    assert errors[-1]["photo"] < 0.2


def test_every_style_of_the_gallery_is_its_own(photo: Tensor) -> None:
    paintings = {name: last(bound("johnson", [], net=name).paint(photo)).image for name in gallery()}
    for name, painting in paintings.items():
        assert (painting - photo).abs().mean() > 0.04, name
    for one, other in combinations(paintings, 2):
        if not one.startswith(other) and not other.startswith(one):  # a style's own small network
            assert (paintings[one] - paintings[other]).abs().mean() > 0.04, (one, other)


@pytest.mark.usefixtures("onnx_extra")
@pytest.mark.parametrize("net", net_names())
def test_every_net_can_be_exported(net: str, tmp_path: Path) -> None:
    assert export(net, tmp_path / "net.onnx").difference < TOLERANCE
