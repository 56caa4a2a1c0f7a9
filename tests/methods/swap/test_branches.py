"""Style-swap with a net that takes the chosen patches of several layers, on a tiny encoder and tiny nets."""

import pytest
import torch

from impasto import RequestError, Style, bind, make_recipe, strip_plan
from impasto.api import last
from impasto.encoders.vgg import VGG
from impasto.images.regions import make_regions
from impasto.matching import rebuild
from impasto.matching.rebuild import with_finer
from impasto.matching.styles import prepare, tone
from impasto.matching.swap import swap
from impasto.methods.common.any_style import MARGIN
from impasto.methods.common.fitting import pad_to_cover
from impasto.methods.swap import painter as method
from impasto.nets.files import SWAP_KIND
from impasto.nets.learned_step import LearnedStep
from impasto.statistics.moments import moments
from impasto.weights.canonical import tiny_weights
from impasto.weights.shipped import load_net, save_net

pytestmark = [pytest.mark.numeric, pytest.mark.usefixtures("tiny_encoder")]

INJECT = ("relu2_1", "relu1_1")
FORMS = {
    "all": {"inject": INJECT, "skip": INJECT, "branch": "matrix"},
    "one, and moments elsewhere": {"inject": ("relu1_1",), "skip": ("relu2_1",), "branch": "matrix"},
    "no moments": {"skip": ("relu1_1",), "branch": "matrix"},
    "gains": {"inject": INJECT, "skip": ("relu2_1",)},
}


def painter(net, styles, weights=None, **settings):
    names = [Style(path=f"s{n}", weight=w) for n, w in enumerate(weights or [1.0] * len(styles))]
    settings = {"net": str(net), "size": None, "precision": "exact", **settings}
    return bind(make_recipe("swap", names, settings=settings), styles=styles, device="cpu")


def steps(net, photo, styles, weights=None, **settings):
    return list(painter(net, styles, weights, **settings).paint(photo))


@pytest.fixture
def branched(tiny_net):
    """Saves an inverse net whose branches are not zero: branched("all", steps=2)."""

    def make(form="all", layer="relu3_1", **more):
        path = tiny_net(SWAP_KIND, layer, **{**FORMS[form], **more})
        tensors, about = load_net(path, kind=SWAP_KIND, encoder_sha256=None)
        generator = torch.Generator().manual_seed(0)
        for name, value in tensors.items():
            if name.startswith("branches."):
                tensors[name] = torch.randn(value.shape, generator=generator) * 0.2
        return save_net(path, tensors, about)

    return make


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("alpha", [1.0, 0.6])
def test_one_pass_is_encode_swap_decode_at_every_layer(form, alpha, branched, picture):
    photo, style = picture(63, 49), picture(45, 63, 1)
    painting = painter(branched(form), [style], alpha=alpha, grain=0, descreen=False, patch_size=4, stride=3)
    (step,) = painting.paint(photo)
    spec = painting.painter.decoder.spec
    framed, (rows, columns) = pad_to_cover(photo, 4, 4, 3, MARGIN)
    own, of_style = (VGG(tiny_weights())(x, ("relu1_1", "relu2_1", "relu3_1")) for x in (framed, style))
    tones = [tone(x, *features["relu3_1"].shape[2:]) for x, features in ((framed, own), (style, of_style))]
    settings = {"patch": 4, "stride": 3, "match": "normalised", "luminance_weight": 0.3, "coherence": 0.1}
    ready = prepare([of_style["relu3_1"]], tones=tones[1:], **settings)
    ready = with_finer(ready, [{name: of_style[name] for name in spec.skip}], "relu3_1")
    made = {name: own[name] for name in spec.skip}
    made["relu3_1"] = swap(own["relu3_1"], ready, tones=tones[0], alpha=alpha, restore="style", finer=made)
    mixed = {}
    for name in spec.inject:
        given, before = moments(of_style[name]), moments(own[name])
        mixed[name] = type(given)(*(alpha * a + (1 - alpha) * b for a, b in zip(given[:2], before[:2], strict=True)))
    expected = painting.painter.decoder(made, mixed).clamp(0, 1)[:, :, rows, columns]
    torch.testing.assert_close(step.image, expected, atol=1e-4, rtol=1e-4)


def test_branches_of_zeros_give_the_picture_of_the_net_without_them(tiny_net, picture):
    photo, style = picture(60, 50), [picture(40, 64, 1)]
    plain, zero = (tiny_net(SWAP_KIND, "relu3_1", **more) for more in ({"inject": INJECT}, FORMS["all"]))
    one, other = (last(painter(net, style, inverse="network").paint(photo)).image for net in (plain, zero))
    torch.testing.assert_close(one, other, atol=1e-5, rtol=0)  # moments are imposed in another order


def test_a_net_without_branches_asks_for_no_finer_features(tiny_nets, branched, picture, monkeypatch):
    photo, style = picture(40, 48), [picture(40, 48, 1)]
    asked = []
    real = VGG.encode

    def spied(self, picture, layers, *more):
        asked.append({*layers})
        return real(self, picture, layers, *more)

    monkeypatch.setattr(VGG, "encode", spied)
    painting = painter(tiny_nets["swap"], style, inverse="network", alpha=0.5)
    last(painting.paint(photo))
    assert all(layers <= {"relu3_1"} for layers in asked) and {"relu3_1"} in asked
    assert not painting.painter.encode(64, apart=False).patches[0].finer
    asked.clear()
    last(painter(branched(), style).paint(photo))  # the photo's own finer features are not used
    assert asked.count({"relu3_1"}) == asked.count({"relu3_1", "relu2_1", "relu1_1"}) == 1


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("regions", [False, True])
def test_a_large_picture_in_strips_is_the_whole_picture(form, regions, branched, picture, monkeypatch):
    photo, styles, net = picture(210, 50), [picture(190, 44, 1), picture(60, 70, 2)], branched(form)
    left = torch.linspace(1, 0, 50).expand(1, 1, 210, 50)
    where = make_regions([left, 1 - left], [1.0, 1.0], 210, 50) if regions else None

    def paint(**settings):
        return last(painter(net, styles, [2, 1], alpha=0.8, **settings).painter.paint(photo, where))

    whole = paint()
    monkeypatch.setattr(strip_plan, "VALUES", 1)
    monkeypatch.setattr(strip_plan, "MIN_VALUES", 1)
    monkeypatch.setattr(rebuild, "AT_ONCE", 3000)
    strips = paint(memory="64GB")
    torch.testing.assert_close(strips.image, whole.image, atol=1e-4, rtol=0)
    assert whole.note == "" and "in strips" in strips.note


@pytest.mark.parametrize(("patch", "stride"), [(1, 1), (3, 2), (5, 3), (4, 4)])
def test_patches_cover_pictures_of_any_size(patch, stride, branched, picture):
    net = branched()
    for height, width in ((41, 67), (40, 44), (9, 33)):
        settings = {"patch_size": patch, "stride": stride}
        (step,) = steps(net, picture(height, width), [picture(47, 49, 1), picture(50, 45, 2)], [1, 3], **settings)
        assert step.image.shape == (1, 3, height, width) and torch.isfinite(step.image).all()


@pytest.mark.parametrize("layer", ["relu2_1", "relu4_1"])
def test_branches_of_nets_for_other_layers(layer, branched, picture):
    net = branched("no moments", layer)
    (step,) = steps(net, picture(65, 70), [picture(64, 70, 1)], layer=layer)
    assert step.image.shape == (1, 3, 65, 70)


@pytest.mark.parametrize("alpha", [1.0, 0.7])
def test_a_region_is_painted_with_all_layers_of_its_style(alpha, branched, picture):
    photo, styles, net = picture(48, 240), [picture(40, 240, 1), picture(56, 240, 2)], branched("no moments")
    left = torch.zeros(1, 1, 48, 240)
    left[..., :120] = 1
    where = make_regions([left, 1 - left], [1.0, 1.0], 48, 240)
    settings = {"alpha": alpha, "moments": "keep"}  # no statistics of the whole: only what is near counts
    both = last(painter(net, styles, **settings).painter.paint(photo, where)).image
    one, other = (last(painter(net, [style], **settings).paint(photo)).image for style in styles)
    torch.testing.assert_close(both[..., :80], one[..., :80], atol=1e-5, rtol=0)
    torch.testing.assert_close(both[..., 160:], other[..., 160:], atol=1e-5, rtol=0)
    assert float((one - other).abs().mean()) > 1e-3


def test_strength_0_leaves_the_photos_features(branched, picture):
    photo, net = picture(40, 48), branched()
    one, other = (steps(net, photo, [picture(40, 40, seed)], alpha=0.0)[-1].image for seed in (1, 2))
    torch.testing.assert_close(one, other)


def test_the_net_alone_paints_unless_it_learned_steps_or_they_are_asked_for(branched, picture, monkeypatch):
    photo, style = picture(40, 48), [picture(40, 48, 1)]
    made = []
    real = LearnedStep.forward
    monkeypatch.setattr(LearnedStep, "forward", lambda self, *args: (made.append(self), real(self, *args))[1])
    alone = steps(branched(), photo, style)
    assert len(alone) == 1 and dict(alone[0].losses) == {}
    assert torch.equal(alone[0].image, steps(branched(), photo, style, inverse="network")[0].image)
    for more in ({"steps": 3}, {"inverse": "refine", "steps": 3}):
        moved = steps(branched(), photo, style, **more)
        assert len(moved) == 3 and not torch.equal(moved[-1].image, alone[0].image)
    assert made == []
    refined = steps(branched(steps=2, step_width=8), photo, style)  # untrained, they are no steps
    assert len(refined) == len(made) == 2
    torch.testing.assert_close(refined[-1].image, alone[0].image)


def test_every_pass_from_coarse_to_fine_takes_all_layers(branched, picture, monkeypatch):
    seen = []

    def spied(*args, finer, **more):
        made = swap(*args, finer=finer, **more)
        seen.append((made.shape[3], {layer: x.shape[3] for layer, x in finer.items()}))
        return made

    monkeypatch.setattr(method, "swap", spied)
    steps(branched(), picture(96, 160), [picture(40, 48, 1)], size=160, style_scale=4)
    assert len(seen) == 2 and seen[0][0] < seen[1][0]
    assert all(finer == {"relu2_1": 2 * width, "relu1_1": 4 * width} for width, finer in seen)


def test_feature_errors_are_those_of_the_main_layer(branched, picture):
    photo, style = picture(40, 40), [picture(40, 40, 1)]
    errors = painter(branched(), style).painter.feature_errors(photo)
    assert set(errors) == {"photo", "painting", "swapped"} and all(error > 0 for error in errors.values())


def test_finer_layers_count_as_memory(tiny_nets, branched, picture):
    plain, net = (painter(each, [picture(40, 40, 1)]).painter for each in (tiny_nets["swap"], branched()))
    for apart in (False, True):
        finer = net.encoder.features_cost(INJECT).at((512, 512))
        more = net.cost((512, 512), None, apart=apart).at((512, 512)) - plain.cost((512, 512), None, apart=apart).at(
            (512, 512)
        )
        assert more >= (2 if apart else 1) * finer
    with pytest.raises(RequestError, match=r"takes at least .* raise --memory"):
        painter(branched(), [picture(40, 40, 1)], memory="20MB", size=48)


def test_a_cascade_paints_with_it(branched, picture):
    settings = {"rungs": f"swap:40:net={branched()},swap:net={branched()}", "size": 60}
    recipe = make_recipe("cascade", [Style(path="s")], settings=settings)
    made = last(bind(recipe, styles=[picture(40, 48, 1)], device="cpu").paint(picture(60, 48)))
    assert made.image.shape == (1, 3, 60, 48)
