"""AdaIN's painter, on a tiny encoder and tiny nets."""

import json

import pytest
import torch

from impasto import RequestError, Style, bind, make_recipe, strip_plan
from impasto.api import last
from impasto.encoders.vgg import VGG
from impasto.errors import WeightsError
from impasto.methods.adain.painter import OUTER
from impasto.methods.common import loader
from impasto.methods.common.any_style import MARGIN, fitted_style
from impasto.methods.common.fitting import pad_to_cover
from impasto.nets.decoder import Decoder
from impasto.nets.descreen import remove_lattice
from impasto.nets.files import ADAIN_KIND
from impasto.painter import Regions
from impasto.statistics.moments import RunningMoments, moments
from impasto.statistics.transport import transport
from impasto.weights import container
from impasto.weights.canonical import tiny_weights
from impasto.weights.shipped import save_net

pytestmark = [pytest.mark.numeric, pytest.mark.usefixtures("tiny_encoder")]


def painter(net, styles, weights=None, **settings):
    names = [Style(path=f"s{n}", weight=w) for n, w in enumerate(weights or [1.0] * len(styles))]
    settings = {"net": str(net), "size": None, "precision": "exact", **settings}
    return bind(make_recipe("adain", names, settings=settings), styles=styles, device="cpu")


def paint(net, photo, styles, weights=None, **settings):
    return last(painter(net, styles, weights, **settings).paint(photo)).image


@pytest.fixture
def net(tiny_nets):
    return tiny_nets["adain"]


def seen(vgg, photo):
    """What a net is given of a photo, and where the photo lies in what it makes of that."""
    framed, place = pad_to_cover(photo, 8, margin=MARGIN + OUTER)
    cut = OUTER // 8
    inner = vgg(framed, ("relu4_1",))["relu4_1"][:, :, cut:-cut, cut:-cut]
    return inner, tuple(slice(each.start - OUTER, each.stop - OUTER) for each in place)


@pytest.mark.parametrize("descreen", [False, True])
def test_the_net_is_given_the_styles_moments(descreen, tiny_net, picture):
    net = tiny_net(ADAIN_KIND, "relu4_1")
    photo, style = picture(64, 48), picture(40, 64, 1)
    made = painter(net, [style], descreen=descreen, covariance=0)
    vgg = VGG(tiny_weights())
    content, place = seen(vgg, photo)
    aim = vgg(style, ("relu4_1",))["relu4_1"]
    own, wanted = moments(content), moments(aim)
    features = (content - own.mean) / own.std * wanted.std + wanted.mean
    expected = made.painter.decoder({"relu4_1": features}).clamp(0, 1)
    if descreen:  # before the margin is cut off, which need not be whole cells of the grid
        expected = remove_lattice(expected, 4).clamp(0, 1)
    expected = expected[:, :, *place]
    torch.testing.assert_close(last(made.paint(photo)).image, expected, atol=1e-4, rtol=1e-4)


def test_correlations_are_given_too_by_their_share(tiny_net, picture):
    net, photo, style = tiny_net(ADAIN_KIND, "relu4_1"), picture(64, 48), picture(40, 64, 1)
    vgg = VGG(tiny_weights())
    content, place = seen(vgg, photo)
    aim = vgg(style, ("relu4_1",))["relu4_1"]
    own, wanted = RunningMoments(True), RunningMoments(True)
    own.add(content)
    wanted.add(aim)
    matrix, mean = transport(own.moments(), wanted.moments(), 0.7)
    features = (matrix @ (content - own.moments().mean).flatten(2)).view_as(content) + mean
    made = painter(net, [style], descreen=False, covariance=0.7)
    expected = made.painter.decoder({"relu4_1": features}).clamp(0, 1)[:, :, *place]
    got = last(made.paint(photo)).image
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(got, paint(net, photo, [style], descreen=False, covariance=0), atol=1e-2)


def test_correlations_are_given_as_the_net_was_trained_unless_told_otherwise(tiny_net, picture):
    photo, style = picture(64, 48), picture(40, 64, 1)
    trained, plain = (tiny_net(ADAIN_KIND, "relu4_1", recipe) for recipe in ({"covariance": 0.7}, None))
    assert torch.equal(paint(trained, photo, [style]), paint(plain, photo, [style], covariance=0.7))
    assert torch.equal(paint(plain, photo, [style]), paint(trained, photo, [style], covariance=0.0))
    assert not torch.equal(paint(plain, photo, [style]), paint(trained, photo, [style]))


def test_each_region_has_its_styles_correlations(net, picture):
    photo, styles = picture(64, 64), [picture(48, 48, 1), picture(48, 48, 2)]
    left = torch.zeros(1, 1, 64, 64)
    left[..., :32] = 1
    both = painter(net, styles).painter
    halves = last(both.paint(photo, Regions(torch.cat([left, 1 - left]), torch.ones_like(left)))).image
    everywhere = Regions(torch.cat([torch.ones_like(left), torch.zeros_like(left)]), torch.ones_like(left))
    torch.testing.assert_close(last(both.paint(photo, everywhere)).image, paint(net, photo, styles[:1]))
    own = [paint(net, photo, [style]) for style in styles]
    for half, style, other in ((slice(0, 20), *own), (slice(44, 64), *own[::-1])):
        near, far = ((halves - each)[..., half].abs().mean() for each in (style, other))
        assert near < far


@pytest.mark.parametrize("covariance", [0.0, 0.6])
def test_what_lies_outside_the_only_mask_does_not_drown_what_lies_inside(net, picture, monkeypatch, covariance):
    photo, here = picture(96, 96, 2), torch.zeros(1, 1, 96, 96)
    photo[..., :72] *= 0.3
    here[..., :24] = 1
    weights = tiny_weights()
    weights.tensors["conv4_1"][0].mul_(100)
    weights.tensors["conv4_1"][1].mul_(100).sub_(100)  # some channels are zero in the dark half, though not outside
    monkeypatch.setattr(loader, "load", lambda *_, **__: weights)
    given = []
    real = Decoder.paint

    def spied(self, features, *more, **settings):
        given.append(features["relu4_1"].clone())
        return real(self, features, *more, **settings)

    monkeypatch.setattr(Decoder, "paint", spied)
    made = painter(net, [picture(48, 48, 1)], covariance=covariance, grain=0).painter
    painted = last(made.paint(photo, Regions(here, here))).image
    assert torch.isfinite(painted).all()
    (features,) = given
    inside, outside = features[..., :4].abs().amax(), features.abs().amax()
    assert 10 * inside < outside < 200 * inside  # thousands of times as much without a bound


def test_at_strength_0_the_style_does_not_matter(net, picture):
    photo = picture(48, 40)
    one, other = (paint(net, photo, [picture(40, 40, seed)], alpha=0.0) for seed in (1, 2))
    torch.testing.assert_close(one, other)
    strong, half = (paint(net, photo, [picture(40, 40, 1)], alpha=alpha) for alpha in (1.0, 0.5))
    assert not torch.allclose(strong, half) and not torch.allclose(half, one)


def test_styles_are_interpolated_by_weight(net, picture):
    photo, one, two = picture(48, 40), picture(40, 40, 1), picture(32, 48, 2)
    even = paint(net, photo, [one, two])
    torch.testing.assert_close(paint(net, photo, [two, one], [3.0, 3.0]), even)
    alone = paint(net, photo, [one])
    torch.testing.assert_close(paint(net, photo, [one, two], [1.0, 1e-9]), alone)
    third = paint(net, photo, [one, two], [3.0, 1.0])
    assert 0 < float((third - alone).abs().mean()) < float((even - alone).abs().mean())


@pytest.mark.parametrize(
    ("settings", "size"),
    [({}, (40, 20)), ({"style_scale": 0.25}, (10, 5)), ({"style_scale": 2}, (80, 40))],
)
def test_styles_are_seen_beside_the_picture(net, picture, settings, size):
    options = painter(net, [picture(40, 40)], **settings).painter.options
    assert fitted_style(picture(60, 30), 40, options).shape[2:] == size


def test_small_styles_are_not_enlarged_unless_they_may(net, picture):
    options = painter(net, [picture(40, 40)], style_upscale=False).painter.options
    assert fitted_style(picture(60, 30), 400, options).shape[2:] == (60, 30)


def test_a_picture_at_its_own_size_is_as_at_that_size(net, picture):
    photo, style = picture(48, 64), [picture(90, 60, 1)]
    painted = painter(net, style)
    for pixels in (picture(40, 40), photo):  # one painter, several sizes
        own = last(painted.paint(pixels)).image
        torch.testing.assert_close(own, paint(net, pixels, style, size=max(pixels.shape[2:])))


def test_odd_sizes_are_mirrored_up_and_cut_back(net, picture):
    photo = picture(37, 50)
    padded, place = pad_to_cover(photo, 8)
    assert padded.shape == (1, 3, 40, 56)
    assert torch.equal(padded[:, :, *place], photo)
    assert torch.equal(padded[:, :, 37], padded[:, :, 35]) and torch.equal(padded[..., 55], padded[..., 43])
    framed, place = pad_to_cover(photo, 8, margin=16)
    assert framed.shape == (1, 3, 72, 88) and torch.equal(framed[:, :, *place], photo)
    assert torch.equal(framed[:, :, 15, 16:66], photo[:, :, 1])
    assert paint(net, photo, [picture(40, 40, 1)]).shape == photo.shape
    small, place = pad_to_cover(picture(9, 12), 8, margin=16)  # smaller than the margin
    assert small.shape[2:] == (32, 40) and torch.equal(small[:, :, *place], picture(9, 12))


def test_a_flat_style_and_a_flat_photo_give_finite_pictures(net, picture):
    flat = torch.full((1, 3, 40, 40), 0.4)
    for photo, style in ((picture(40, 40), flat), (flat, picture(40, 40)), (flat, flat)):
        assert torch.isfinite(paint(net, photo, [style])).all()


def test_the_encoder_is_set_as_it_was_in_training(net, tmp_path, picture):
    tensors, metadata = container.load(net)
    assert metadata
    other = save_net(
        tmp_path / "o.safetensors", tensors, {**metadata, "encoder_padding": "reflect", "pool_ceil": True}
    )
    spec = painter(other, [picture(40, 40)]).painter.encoder.spec
    assert (spec.padding, spec.pool_ceil) == ("reflect", True)


def test_what_was_used_is_recorded_without_its_folder(net, picture):
    recipe = painter(net, [picture(40, 40)]).recipe
    assert len(recipe.nets) == 2
    assert str(net.parent) not in json.dumps(recipe.portable())
    assert net.name in recipe.portable()["nets"]


def test_feature_errors_are_told_by_kind(net, picture):
    made = painter(net, [picture(40, 40, 1)])
    errors = made.painter.feature_errors(picture(48, 40))
    assert set(errors) == {"photo", "painting", "transformed"}
    assert all(0 < error < 1e4 for error in errors.values())


def test_no_style_is_refused(net):
    with pytest.raises(RequestError, match="at least one"):
        painter(net, [])


def test_nets_that_do_not_fit_are_refused(net, tiny_nets, tmp_path, picture):
    tensors, metadata = container.load(net)
    assert metadata
    name = sorted(tensors)[0]
    less = {key: value for key, value in tensors.items() if key != name}
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(net.read_bytes()[:-100])
    bad = {
        tiny_nets["swap"]: "its kind is swap-decoder; expected adain-decoder",
        cut: "cut short",
        save_net(tmp_path / "less.safetensors", less, metadata): f"{name} is absent",
        save_net(tmp_path / "e.safetensors", tensors, {**metadata, "encoder_sha256": "1" * 64}): "--encoder",
        save_net(
            tmp_path / "d.safetensors", tensors, {k: v for k, v in metadata.items() if k != "decoder"}
        ): "does not state its decoder",
        save_net(
            tmp_path / "r.safetensors", tensors, {**metadata, "recipe": ["?"]}
        ): "covariance in its recipe is None",
        save_net(
            tmp_path / "c.safetensors", tensors, {**metadata, "recipe": {"covariance": 2}}
        ): "is 2; expected 0 to 1",
        tmp_path / "none.safetensors": "none.safetensors",
        "adainn": "did you mean adain|ships none yet",
    }
    for file, words in bad.items():
        with pytest.raises(WeightsError, match=words):
            painter(file, [picture(40, 40)])


def test_a_large_picture_in_strips_is_the_whole_picture(net, picture, monkeypatch):
    photo, style = picture(210, 50), [picture(190, 44, 1)]
    whole = last(painter(net, style, alpha=0.8).paint(photo))
    monkeypatch.setattr(strip_plan, "VALUES", 1)
    monkeypatch.setattr(strip_plan, "MIN_VALUES", 1)
    strips = last(painter(net, style, alpha=0.8, memory="64GB").paint(photo))
    torch.testing.assert_close(strips.image, whole.image, atol=1e-4, rtol=0)
    assert whole.note == "" and "in strips" in strips.note


def test_too_small_a_budget_is_refused(net, picture):
    with pytest.raises(RequestError, match=r"takes at least .* raise --memory"):
        painter(net, [picture(40, 40, 1)], memory="20MB", size=48)


def test_strips_with_statistics_of_their_own_would_show(net, picture):
    """What the strips' agreement with the whole is worth: halves painted apart do not agree with it."""
    photo, style = picture(128, 40), [picture(60, 44, 1)]
    whole = paint(net, photo, style)
    apart = torch.cat([paint(net, half, style) for half in photo.chunk(2, 2)], 2)
    assert (apart - whole).abs().max() > 0.01
