"""What nnst promises beyond the contract of every method."""

from itertools import pairwise

import pytest
import torch

from impasto import ImpastoError, RequestError, Style, bind, make_recipe
from impasto.api import last
from impasto.encoders.vgg import VGG
from impasto.methods import METHODS
from impasto.methods.common import stages
from impasto.methods.nnst.options import NnstOptions
from impasto.painter import Regions

pytestmark = [pytest.mark.numeric, pytest.mark.usefixtures("tiny_encoder")]

QUICK = {"size": 48, "first_size": 24, "first_steps": 4, "steps": 3, "split_steps": 4, "split_every": 2}


def _painter(picture, styles=1, **settings):
    named = [Style(path=f"style {n}") for n in range(styles)]
    recipe = make_recipe("nnst", named, settings={**QUICK, **settings})
    return bind(recipe, styles=[picture(36, 44, seed + 1) for seed in range(styles)], device="cpu")


def _paint(picture, **settings):
    return list(_painter(picture, **settings).paint(picture(48, 40)))


@pytest.mark.parametrize("settings", [{}, {"optimizer": "adam"}, {"precondition": 0}, {"rotations": True}])
def test_the_loss_falls(picture, settings):
    steps = _paint(picture, **{"steps": 20, "split_steps": 0, "first_size": 48, "first_steps": 0, **settings})
    assert steps[-1].losses["total"] < 0.95 * steps[0].losses["total"]


def test_stages_climb_and_end_layer_by_layer():
    options = NnstOptions()
    assert options.stages(512) == ((64, 50), (128, 38), (256, 27 + 10), (512, 15 + 20))
    assert options.stages(40) == ((40, 15 + 20),)
    sizes = [size for size, _ in options.stages(4096)]
    assert sizes[0] == 64
    assert all(1.2 < larger / smaller < 2.6 for smaller, larger in pairwise(sizes))
    assert NnstOptions(first_size=200).stages(400)[0][0] == 200


def test_a_style_is_as_large_as_the_picture_up_to_a_size(picture):
    for scale in (0.5, 1.0, 2.0):
        painter = _painter(picture, style_scale=scale).painter
        style = picture(36, 44)
        sides = [max(painter.style_size(style, (side // 2, side))) for side in (512, 2048, 4096, 16384)]
        assert sides == [round(512 * scale), *[round(2048 * scale)] * 3]


def test_losses_have_names(picture):
    assert set(_paint(picture)[-1].losses) == {"content", "moments", "style", "total"}
    assert set(_paint(picture, content_weight=0, moments_weight=0)[-1].losses) == {"style", "total"}


def test_in_tiles_it_is_the_same_picture(picture, monkeypatch):
    photo = picture(200, 230)
    settings = {"size": None, "first_size": 4096, "steps": 2, "split_steps": 2, "precision": "exact"}
    painter = _painter(picture, **settings)
    whole = last(painter.paint(photo)).image
    real = stages.run_in_tiles
    monkeypatch.setattr(stages, "run_in_tiles", lambda work, _tile, size: real(work, 96, size))
    tiled = last(_painter(picture, **settings).paint(photo)).image
    assert float((tiled - whole).abs().mean()) < 2 / 255


def test_a_style_matched_with_itself_is_found(picture):
    recipe = make_recipe("nnst", [Style(path="a")], settings={**QUICK, "content_weight": 0, "precision": "exact"})
    same = picture(48, 48)
    bound = METHODS["nnst"].bind(recipe, [same], torch.device("cpu"))
    objective = bound.objective(same)
    assert objective.renew(same, 0)
    rows = objective.rows
    assert (rows.flatten() == torch.arange(rows.numel())).float().mean() > 0.95
    other = picture(48, 48, 5)
    another = bound.objective(other)
    another.renew(other, 0)
    assert float(objective(same)[0]["style"]) < 0.5 * float(another(other)[0]["style"])


def test_regions_take_from_their_style_alone(picture):
    shares = torch.zeros(2, 1, 48, 48)
    shares[0, :, :, :24], shares[1, :, :, 24:] = 1, 1
    regions = Regions(shares, torch.ones(1, 1, 48, 48))
    painter = _painter(picture, styles=2).painter
    photo = picture(48, 48)
    objective = painter.objective(photo, regions)
    objective.renew(photo, 0)
    sources = objective._table.source_of(objective.rows)
    assert (sources[:, :6] == 0).all()
    assert (sources[:, 6:] == 1).all()


def test_weights_share_the_picture_out(picture):
    counts = []
    for weight in (1.0, 3.0):
        named = [Style(path="a", weight=weight), Style(path="b")]
        recipe = make_recipe("nnst", named, settings=QUICK)
        styles = [picture(36, 44, 1), picture(36, 44, 2)]
        painter = bind(recipe, styles=styles, device="cpu").painter
        photo = picture(64, 64)
        objective = painter.objective(photo)
        objective.renew(photo, 0)
        counts.append(int((objective._table.source_of(objective.rows) == 0).sum()))
    assert counts[1] > counts[0]


def test_boldness_of_content(picture):
    kept = [float((_paint(picture, content_weight=w)[-1].image - picture(48, 40)).abs().mean()) for w in (0.0, 5.0)]
    assert kept[1] < kept[0]


def test_a_start_is_gone_on_from(picture):
    start = picture(24, 20, 8)
    painter = _painter(picture)
    plain, begun = (last(painter.paint(picture(48, 40), start=given)).image for given in (None, start))
    assert not torch.equal(plain, begun)


def test_a_start_takes_the_place_of_smaller_sizes(picture):
    sizes = {
        longest: [
            step.note for step in _painter(picture).paint(picture(48, 40), start=picture(longest, longest * 5 // 6))
        ]
        for longest in (12, 24, 36, 48)
    }
    assert ["24 px" in notes[0] for notes in sizes.values()] == [True, False, False, True]
    assert all("48 px" in notes[-1] for notes in sizes.values())


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_resumed_anywhere_it_ends_the_same(picture, optimizer, in_memory):
    kept = in_memory()
    painter = _painter(picture, optimizer=optimizer).painter
    expected = last(painter.keeping(kept).paint(picture(48, 40))).image
    for number in range(1, len(kept.states), 3):
        again = in_memory(kept.states[number])
        image = last(painter.keeping(again).paint(picture(48, 40))).image
        torch.testing.assert_close(image, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("layers", ["relu5_1", "conv3_1", "pool2", "relu3_1:0"])
def test_layers_that_cannot_be_matched_are_refused(layers):
    with pytest.raises(RequestError, match="expected"):
        make_recipe("nnst", [Style(path="a")], settings={"layers": layers})


def test_only_shallow_layers(picture):
    assert torch.isfinite(_paint(picture, layers="relu1_1", content_weight=0, moments_weight=0)[-1].image).all()


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_style_of_one_colour(value):
    flat = torch.full((1, 3, 32, 32), value)
    bound = bind(make_recipe("nnst", [Style(path="a")], settings=QUICK), styles=[flat], device="cpu")
    image = last(bound.paint(torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0)))).image
    assert torch.isfinite(image).all()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 40), (15, 15)])
def test_a_tiny_style(picture, height, width):
    bound = bind(
        make_recipe("nnst", [Style(path="a")], settings=QUICK), styles=[picture(height, width)], device="cpu"
    )
    assert torch.isfinite(last(bound.paint(picture(40, 40))).image).all()


def test_a_broken_network_is_told(picture, monkeypatch):
    real = VGG.vjp

    def broken(self, image, layers, **kwargs):
        features, pullback = real(self, image, layers, **kwargs)
        return {layer: found * torch.nan for layer, found in features.items()}, pullback

    monkeypatch.setattr(VGG, "vjp", broken)
    with pytest.raises(ImpastoError, match="the loss became nan"):
        _paint(picture)


def test_a_table_larger_than_the_budget_is_refused_with_what_would_do(picture):
    with pytest.raises(RequestError, match="memory"):
        _paint(picture, size=1024, memory="200MB")


def test_the_preset_is_of_the_papers_settings():
    recipe = make_recipe("nnst", [Style(path="a")], preset="nnst-2022")
    assert recipe.encoder == "vgg16"
    assert recipe.options.stages(512) == ((64, 200), (128, 200), (256, 200), (512, 400))
