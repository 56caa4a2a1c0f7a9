import torch
import torch.nn.functional as F

from impasto.encoders.vgg import VGG
from impasto.matching.columns import channel_slices
from impasto.training.nearest import LAYERS, StyleRows, grid_features, nearest_loss, style_rows
from impasto.weights.canonical import tiny_weights


def tiny() -> VGG:
    return VGG(tiny_weights(), device=torch.device("cpu"), dtype=torch.float32, until="relu4_1")


def test_rows_have_length_one_and_come_from_the_inside_of_the_style(picture) -> None:
    vgg = tiny()
    rows = style_rows(vgg, picture(64, 80, 1))
    assert torch.allclose(rows.rows.norm(dim=1), torch.ones(len(rows.rows)), atol=1e-5)
    assert len(rows.rows) == (64 // 4 - 4) * (80 // 4 - 4)


def test_layers_lie_on_one_grid(picture) -> None:
    vgg = tiny()
    for height, width in ((64, 48), (50, 61)):
        found = grid_features(vgg(picture(height, width, 2), LAYERS))
        assert {values.shape[2:] for values in found.values()} == {(height // 4, width // 4)}


def reference(found, photos, style: StyleRows, places) -> torch.Tensor:
    """The loss by the full table of cosines, in float64."""
    own, of_photos = grid_features(found), grid_features(photos)

    def columns(features):
        rows = torch.cat([features[layer][0].flatten(1).T for layer in LAYERS], 1).double()
        return rows - rows.mean(0)

    mixed = 0.75 * columns(of_photos) + 0.25 * columns(own)
    match = (F.normalize(mixed * style.gains, dim=1) @ style.rows.double().T).argmax(1)
    losses = []
    for layer in LAYERS:
        x = own[layer][0].flatten(1).T.double() - style.means[places[layer]]
        losses.append(1 - F.cosine_similarity(x, style.rows[match][:, places[layer]].double(), dim=1).mean())
    return torch.stack(losses).mean()


def test_the_loss_is_that_of_the_nearest_column(picture) -> None:
    vgg = tiny()
    style, places = style_rows(vgg, picture(72, 64, 3)), channel_slices(vgg, LAYERS)
    made, photo = picture(48, 48, 4), picture(48, 48, 5)
    found, photos = vgg(made, LAYERS), vgg(photo, LAYERS)
    loss = nearest_loss(found, photos, [style], places)
    assert torch.allclose(loss.double(), reference(found, photos, style, places), atol=1e-4)


def test_a_style_is_nearest_to_itself(picture) -> None:
    vgg = tiny()
    places = channel_slices(vgg, LAYERS)
    own, other = picture(64, 64, 6), picture(64, 64, 7)
    style = style_rows(vgg, own)
    of_own, of_other = vgg(own, LAYERS), vgg(other, LAYERS)
    itself, another = (nearest_loss(found, found, [style], places) for found in (of_own, of_other))
    assert itself < 0.5 * another


def test_each_picture_of_a_batch_has_its_own_style(picture) -> None:
    vgg = tiny()
    places = channel_slices(vgg, LAYERS)
    pictures = torch.cat([picture(48, 48, seed) for seed in (8, 9)])
    found = vgg(pictures, LAYERS)
    styles = [style_rows(vgg, picture(64, 64, seed)) for seed in (10, 11)]
    both = nearest_loss(found, found, styles, places)
    alone = [
        nearest_loss(part, part, [style], places)
        for style, part in zip(styles, ({k: v[n : n + 1] for k, v in found.items()} for n in (0, 1)), strict=True)
    ]
    assert torch.allclose(both, torch.stack(alone).mean(), atol=1e-5)
