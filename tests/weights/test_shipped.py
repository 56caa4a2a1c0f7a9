"""The nets in the package, each doing what it is there for, with the real encoder: run before a release."""

from __future__ import annotations

import threading
from itertools import combinations
from pathlib import Path

import pytest
import torch
from torch import Tensor

from impasto import Cancelled, Progress, Style, bind, make_recipe
from impasto.api import last
from impasto.demo.photos import demo_photo
from impasto.demo.styles import draw
from impasto.images.geometry import fit
from impasto.images.read import read
from impasto.methods.export import TOLERANCE, export
from impasto.methods.johnson.gallery import gallery
from impasto.metrics.score import FeatureInverter, Scorer
from impasto.session.bound import BoundPainter
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
    scorer, style = Scorer(torch.device("cpu")), read(draw(name, 384)).pixels
    painted = last(bound(method, [style]).paint(photo)).image
    untouched, own = scorer.measure(photo, photo, style), scorer.measure(painted, photo, style)
    assert own.style < 0.6 * untouched.style
    assert own.content < 0.9


def test_every_learned_step_of_swap_comes_nearer(photo: Tensor) -> None:
    style = read(draw("night", 384)).pixels
    ways = [{"inverse": "network"}, *({"steps": steps} for steps in (1, 2, 3, 5))]
    errors: list[dict[str, float]] = []
    for way in ways:
        painter = bound("swap", [style], **way)
        assert isinstance(painter.painter, FeatureInverter)
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


@pytest.mark.usefixtures("onnx_extra")
def test_the_whole_of_adain_can_be_exported(tmp_path: Path) -> None:
    done = export("adain", tmp_path / "whole.onnx", whole=True)
    assert done.difference < TOLERANCE
    assert 25e6 < done.path.stat().st_size < 35e6  # as the manual says


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("adain", {}),
        ("swap", {}),
        ("johnson", {"net": "starry-night"}),
        ("gatys", {"steps": 2, "min_size": None, "memory": "3GB"}),
    ],
)
def test_a_painting_of_2048_px_is_cancelled_in_its_midst(method: str, settings: dict[str, object]) -> None:
    cancel, shares = threading.Event(), list[float]()

    def watch(progress: Progress) -> None:
        shares.append(progress.done)
        if progress.done > 0.05:
            cancel.set()

    photo = demo_photo("astronaut").convert("RGB").resize((2048, 1365))
    styles = [] if method == "johnson" else [draw("wave", (640, 480))]
    painter = bound(method, [read(style).pixels for style in styles], size=2048, **settings)
    with pytest.raises(Cancelled):
        painter.paint(photo, cancel=cancel, watch=watch).done()
    assert shares == sorted(shares)
    assert shares[-1] < 0.5, "it goes on no longer than to the next part"
