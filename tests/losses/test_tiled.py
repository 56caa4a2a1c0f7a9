"""Tiles against the whole picture: losses, gradient, and what there is at their borders."""

import pytest
import torch

from impasto.encoders.tiles import cut_tiles, encode_tiles, halo
from impasto.encoders.vgg import VGG
from impasto.losses.objective import NormalisedGradient, Objective, TVTerm
from impasto.losses.targets import content_terms, style_terms
from impasto.losses.tiled import TiledObjective
from impasto.painter import Regions
from impasto.weights.canonical import layer_size, tiny_weights
from impasto.weights.layers import layer_names

pytestmark = pytest.mark.numeric

STYLE = {"relu1_1": 1.0, "relu2_1": 2.0, "relu3_1": 3.0, "relu4_1": 1.0, "relu5_1": 0.5}
CONTENT = {"relu4_2": 2.0, "conv3_2": 1.0, "relu2_1": 0.3}
SIZES = [(256, 320), (203, 331)]
TILE = 96
TV = 1e-8  # its gradient is not to hide those of the other terms
VARIANTS = [
    {},
    {"pooling": "avg", "pool_gain": 2.0},
    {"pooling": "l2", "pool_gain": 0.78},
    {"padding": "reflect"},
    {"padding": "replicate-first"},
    {"pool_ceil": True},
]


def noise(height, width, seed=0, dtype=torch.float32):
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed)).to(dtype)


def tinted(height, width, seed, lightest):
    """Noise from black to a colour: its statistics are far from those of noise from black to white.

    Losses towards it are no small differences of large numbers, so float32 keeps their digits on any processor.
    """
    return noise(height, width, seed) * torch.tensor(lightest).view(1, 3, 1, 1)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("size", SIZES)
def test_features_of_tiles_are_the_whole_pictures(variant, size):
    # In double precision, where rounding differs little between processors.
    vgg, image = VGG(tiny_weights(), dtype=torch.float64, **variant), noise(*size, dtype=torch.float64)
    layers = layer_names("vgg19")[:-1]
    whole = vgg(image, layers)
    seen = {layer: torch.zeros(features.shape[2:]) for layer, features in whole.items()}
    tiles = list(encode_tiles(vgg, image, layers, TILE))
    assert len(tiles) > 4
    for found in tiles:
        for layer, part in found.items():
            assert part.size == whole[layer].shape[2:] == layer_size(vgg.spec, layer, *size)
            torch.testing.assert_close(part.features, part.of(whole[layer]), rtol=1e-10, atol=1e-10)
            seen[layer][part.rows, part.columns] += 1
    assert all((count == 1).all() for count in seen.values()), "every position belongs to one tile"


def test_the_halo_is_no_wider_than_it_must_be():
    spec = tiny_weights().spec
    assert halo(spec, ["relu1_1"]) == 1
    assert halo(spec, ["relu2_1"]) == 4
    assert halo(spec, ["relu1_1", "relu5_1"]) == 80  # 70 pixels reach, in steps of 16


@pytest.mark.parametrize("size", [(5, 4000), (31, 900), (64, 64), (1, 1)])
def test_slivers_and_small_pictures_are_covered_once(size):
    spec = tiny_weights().spec
    count = torch.zeros(size)
    for tile in cut_tiles(spec, STYLE, *size, 100):
        count[tile.core] += 1
    assert (count == 1).all()


def objectives(vgg, size, kind="gram", reduction="mean", normalised=False, regions=None, norm="positions"):
    """The whole picture's objective and the tiled one, made apart from the start."""
    photo = noise(*size, 1)
    styles = [tinted(190, 170, 2, (0.5, 0.2, 0.1)), tinted(150, 210, 3, (0.1, 0.3, 0.6))]
    made = []
    for tile in (None, TILE):
        terms = style_terms(vgg, styles, [0.4, 0.6], STYLE, kind=kind, norm=norm, regions=regions, tile=tile)
        terms = [*terms, *content_terms(vgg, photo, CONTENT, reduction, tile=tile)]
        if normalised:
            terms = [NormalisedGradient(term) for term in terms]
        tv = TVTerm(TV, "squared", 255.0)
        made.append(
            Objective(vgg, terms, tv, 0.1) if tile is None else TiledObjective(vgg, terms, tv, 0.1, tile=tile)
        )
    return made


def assert_the_same(whole, tiled, image, tolerance=1e-4):
    (losses, gradient), (tiled_losses, tiled_gradient) = whole(image), tiled(image)
    assert losses.keys() == tiled_losses.keys()
    for name, loss in losses.items():
        assert float(tiled_losses[name]) == pytest.approx(float(loss), rel=tolerance)
    error = (tiled_gradient - gradient).norm() / gradient.norm()
    assert float(error) < tolerance
    return gradient, tiled_gradient


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("kind", ["gram", "wasserstein"])
def test_losses_and_gradient_are_the_whole_pictures(variant, kind):
    vgg = VGG(tiny_weights(), **variant)
    assert_the_same(*objectives(vgg, SIZES[1], kind), noise(*SIZES[1], 5) * 1.2 - 0.1)


@pytest.mark.parametrize("kind", ["gram", "wasserstein"])
def test_normalised_gradients_are_normalised_over_the_whole(kind):
    whole, tiled = objectives(VGG(tiny_weights()), SIZES[1], kind, normalised=True)
    assert_the_same(whole, tiled, noise(*SIZES[1], 5))


@pytest.mark.parametrize(("reduction", "norm"), [("half-sum", "elements"), ("mean", "none")])
def test_reductions_count_the_whole(reduction, norm):
    whole, tiled = objectives(VGG(tiny_weights()), SIZES[0], reduction=reduction, norm=norm)
    assert_the_same(whole, tiled, noise(*SIZES[0], 5))


@pytest.mark.parametrize("kind", ["gram", "wasserstein"])
def test_masks_reach_across_tiles(kind):
    left = torch.linspace(1, 0, SIZES[0][1]).expand(1, 1, *SIZES[0])
    regions = Regions(torch.cat([left, 1 - left]), torch.ones(1, 1, *SIZES[0]))
    whole, tiled = objectives(VGG(tiny_weights()), SIZES[0], kind, regions=regions)
    assert_the_same(whole, tiled, noise(*SIZES[0], 5))


def test_nothing_shows_at_the_borders_of_tiles():
    """The gradient's error there is no larger than elsewhere, and all of it is rounding."""
    vgg, size = VGG(tiny_weights()), SIZES[0]
    whole, tiled = objectives(vgg, size)
    gradient, other = assert_the_same(whole, tiled, noise(*size, 5), 1e-5)
    error = (gradient - other).abs()
    near = torch.zeros(size, dtype=torch.bool)
    for tile in cut_tiles(vgg.spec, {**STYLE, **CONTENT}, *size, TILE):
        rows, columns = tile.core
        for edge in {rows.start, rows.stop} - {0, size[0]}:
            near[edge - 2 : edge + 2, columns] = True
        for edge in {columns.start, columns.stop} - {0, size[1]}:
            near[rows, edge - 2 : edge + 2] = True
    assert near.any()
    assert float(error[..., near].mean()) < 2 * float(error[..., ~near].mean())
    assert float(error.max()) < 1e-4 * float(gradient.abs().max())


def test_tiles_that_know_nothing_of_each_other_would_differ():
    """What the test above would find if statistics were each tile's own."""
    vgg, size = VGG(tiny_weights()), SIZES[0]
    whole, _ = objectives(vgg, size)
    image = noise(*size, 5)
    alone = torch.cat([Objective(vgg, whole.terms[:5])(half)[1] for half in image.split(128, dim=2)], dim=2)
    together = TiledObjective(vgg, whole.terms[:5], tile=128)(image)[1]
    assert float((alone - together).norm() / together.norm()) > 1e-2
