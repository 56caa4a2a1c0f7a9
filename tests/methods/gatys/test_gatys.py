"""What gatys promises beyond the contract of every method."""

from itertools import pairwise

import pytest
import torch

from impasto import ImpastoError, RequestError, Style, bind, make_recipe
from impasto.api import last
from impasto.images.write import write
from impasto.methods.common import optimise

pytestmark = [pytest.mark.numeric, pytest.mark.usefixtures("tiny_encoder")]


def _painter(picture, styles=1, **settings):
    named = [Style(path=f"style {n}") for n in range(styles)]
    # A light content loss, so that there is a way to go from the photo.
    recipe = make_recipe("gatys", named, settings={"size": 40, "steps": 5, "content_weight": 0.01, **settings})
    return bind(recipe, styles=[picture(36, 44, seed + 1) for seed in range(styles)], device="cpu")


def _paint(picture, **settings):
    return list(_painter(picture, **settings).paint(picture(40, 40)))


@pytest.mark.parametrize("settings", [{}, {"optimizer": "adam"}, {"precondition": 0}, {"style_loss": "wasserstein"}])
def test_the_loss_falls(picture, settings):
    steps = _paint(picture, **{"steps": 25, **settings})
    assert steps[-1].losses["total"] < 0.7 * steps[0].losses["total"]


def test_exact_and_auto_begin_from_the_same_loss(picture):
    exact, auto = (_paint(picture, precision=p, steps=1)[0].losses["total"] for p in ("exact", "auto"))
    assert auto == pytest.approx(exact, rel=1e-2)


def test_no_style_and_no_content(picture):
    only_content = _paint(picture, style_weight=0, styles=0, init="random", steps=40)
    assert set(only_content[-1].losses) == {"content", "total"}
    assert only_content[-1].losses["total"] < only_content[0].losses["total"]
    assert "content" not in _paint(picture, content_weight=0)[-1].losses
    with pytest.raises(RequestError, match="no style picture"):
        _painter(picture, styles=0)


def test_beginnings(picture, tmp_path):
    content = picture(40, 40)
    begun = {init: _painter(picture, init=init).painter.beginning(content) for init in ("content", "style", "random")}
    assert torch.equal(begun["content"], content)
    assert all(image.shape == content.shape for image in begun.values())
    other = _painter(picture, init="random", seed=1).painter.beginning(content)
    again = _painter(picture, init="random", seed=0).painter.beginning(content)
    assert torch.equal(begun["random"], again)
    assert not torch.equal(begun["random"], other)
    write(picture(80, 120, 7), tmp_path / "start.png")
    from_file = _painter(picture, init=str(tmp_path / "start.png")).painter.beginning(content)
    assert from_file.shape == content.shape
    assert not torch.equal(from_file, content)
    with pytest.raises(RequestError, match="nothing-here"):
        _painter(picture, init="nothing-here.png").painter.beginning(content)


def test_style_sizes(picture):
    style = picture(100, 50)
    for settings, expected in (
        ({"style_fit": "longest"}, (60, 30)),
        ({"style_fit": "area"}, (60, 30)),
        ({"style_fit": "native"}, (100, 50)),
        ({"style_fit": "longest", "style_scale": 2.0}, (120, 60)),
        ({"style_fit": "longest", "style_scale": 2.0, "style_upscale": False}, (100, 50)),
    ):
        assert _painter(picture, **settings).painter.style_size(style, (30, 60)) == expected


def test_stages_climb_and_end_at_the_final_size(picture):
    steps = _paint(picture, schedule="0.5:2,1:3")
    assert [step.image.shape[-1] for step in steps] == [20, 20, 40, 40, 40]
    assert [step.index for step in steps] == [1, 2, 3, 4, 5]
    assert steps[0].note == "20 px"


def test_no_steps_give_the_beginning(picture):
    content = picture(40, 40)
    step = last(_painter(picture, steps=0).paint(content))
    assert torch.equal(step.image, content)


class _Overshooting:
    """Moves the image through given pictures, whatever the gradient."""

    def __init__(self, places):
        self._places = iter(places)

    def update(self, image, gradient):
        image.copy_(next(self._places) * 255)

    def shorten(self, image):
        return False

    def state(self):
        return {}, {}


def test_the_best_picture_is_kept(picture, monkeypatch):
    # Without a style the loss is least at the photo itself, in any arithmetic. The way leads there and beyond.
    photo, away = picture(40, 40), picture(40, 40, 9)
    places = [photo.lerp(away, share) for share in (0.5, 0.0, 0.5, 1.0, 0.7)]
    monkeypatch.setattr(optimise, "_optimiser", lambda *_: _Overshooting(places))
    settings = {"styles": 0, "style_weight": 0, "init": "random", "steps": len(places)}
    wild = _paint(picture, **settings)
    kept = _paint(picture, keep_best=True, **settings)
    lowest = min(range(len(wild)), key=lambda i: wild[i].losses["total"])
    assert 0 < lowest < len(wild) - 1, "the run must overshoot for this to mean anything"
    assert torch.equal(kept[-1].image, wild[lowest - 1].image)


@pytest.mark.parametrize("rate", [10.0, 1e6])
def test_moves_that_lead_nowhere_are_shortened(picture, rate):
    steps = _paint(picture, learning_rate=rate, steps=60)
    losses = [step.losses["total"] for step in steps]
    assert max(losses) <= 10 * losses[0]
    assert losses[-1] < 0.7 * losses[0]


def test_early_stops(picture):
    steps = _paint(picture, steps=500, plateau=0.99)
    assert len(steps) == 51
    assert "improved by less" in steps[-1].note
    steps = _paint(picture, steps=100_000, max_seconds=0.2)
    assert "time limit" in steps[-1].note
    assert len(steps) < 100_000


def test_clamped_pictures_stay_in_range_and_averages_are_smoother(picture):
    rough = _paint(picture, optimizer="adam", learning_rate=60.0, steps=10, clamp=True)
    smooth = _paint(picture, optimizer="adam", learning_rate=60.0, steps=10, clamp=True, average=0.9)

    def travel(steps):
        return sum(float((a.image - b.image).abs().mean()) for a, b in pairwise(steps))

    assert travel(smooth) < travel(rough)


def test_a_runaway_loss_is_an_error(picture):
    with pytest.raises(ImpastoError, match="loss became"):
        _paint(picture, style_weight=1e38, steps=3)


def test_steps_are_not_changed_afterwards(picture):
    steps = iter(_painter(picture).paint(picture(40, 40)))
    first = next(steps)
    kept = first.image.clone()
    last(steps)
    assert torch.equal(first.image, kept)


def test_settings_reach_the_encoder(picture):
    painter = _painter(picture, pooling="avg", pool_gain=2.0, padding="reflect", preprocess="minus-128")
    spec = painter.painter.encoder.spec
    assert (spec.pooling, spec.pool_gain, spec.padding) == ("avg", 2.0, "reflect")
    assert spec.mean == pytest.approx((128 / 255,) * 3)
    assert spec.std == (1.0, 1.0, 1.0)
    assert _painter(picture, preprocess="unnormalised").painter.encoder.spec.mean == (0.0, 0.0, 0.0)
