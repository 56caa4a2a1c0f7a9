"""Style-swap's painter, on a tiny encoder and tiny nets."""

import pytest
import torch

from impasto import RequestError, Style, bind, make_recipe, memory, strip_plan
from impasto.api import last
from impasto.encoders.vgg import VGG
from impasto.errors import ImpastoError, WeightsError
from impasto.images.geometry import fit
from impasto.images.regions import make_regions
from impasto.losses.cost import Optimisation, Tiling
from impasto.losses.descent import Descent
from impasto.matching import patchmatch
from impasto.matching import styles as matched_styles
from impasto.matching import swap as transform
from impasto.matching.styles import prepare, tone
from impasto.matching.swap import swap
from impasto.methods.common.any_style import MARGIN
from impasto.methods.common.fitting import pad_to_cover
from impasto.methods.swap import painter as method
from impasto.methods.swap.options import SwapOptions
from impasto.nets.descreen import remove_lattice
from impasto.nets.files import SWAP_KIND
from impasto.nets.learned_step import LearnedStep
from impasto.statistics.moments import moments
from impasto.training.terms import encode
from impasto.weights.canonical import tiny_weights
from impasto.weights.layers import layer_stride

pytestmark = [pytest.mark.numeric, pytest.mark.usefixtures("tiny_encoder")]

PAPER = {"match": "plain", "luminance_weight": 0.0, "coherence": 0.0, "moments": "keep", "descreen": False}


def painter(net, styles, weights=None, **settings):
    names = [Style(path=f"s{n}", weight=w) for n, w in enumerate(weights or [1.0] * len(styles))]
    settings = {"net": str(net), "size": None, "precision": "exact", "inverse": "network", **settings}
    return bind(make_recipe("swap", names, settings=settings), styles=styles, device="cpu")


def steps(net, photo, styles, weights=None, **settings):
    return list(painter(net, styles, weights, **settings).paint(photo))


def features(picture, layer="relu3_1"):
    return VGG(tiny_weights())(picture, (layer,))[layer]


@pytest.fixture
def net(tiny_nets):
    return tiny_nets["swap"]


@pytest.mark.parametrize("descreen", [False, True])
@pytest.mark.parametrize("layer", ["relu2_1", "relu3_1", "relu4_1"])
def test_one_pass_is_encode_swap_decode(layer, descreen, tiny_net, picture):
    net = tiny_net(SWAP_KIND, layer)
    photo, style = picture(64, 48), picture(40, 64, 1)
    made = painter(net, [style], layer=layer, **{**PAPER, "descreen": descreen})
    framed, (rows, columns) = pad_to_cover(photo, layer_stride(layer), 3, margin=MARGIN)
    target = swap(features(framed, layer), prepare([features(style, layer)]))
    expected = made.painter.decoder({layer: target}).clamp(0, 1)
    if descreen:  # before the margin is cut off, which need not be whole cells of the grid
        expected = remove_lattice(expected, min(4, layer_stride(layer))).clamp(0, 1)
    expected = expected[:, :, rows, columns]
    (step,) = made.paint(photo)
    torch.testing.assert_close(step.image, expected, atol=1e-4, rtol=1e-4)
    assert (step.index, step.total, dict(step.losses)) == (1, 1, {})


@pytest.mark.parametrize(("patch", "stride"), [(1, 1), (3, 2), (5, 3), (4, 4)])
def test_patches_cover_pictures_of_any_size(patch, stride, net, picture):
    for height, width in ((41, 67), (40, 44), (9, 33)):
        (step,) = steps(net, picture(height, width), [picture(48, 48, 1)], patch_size=patch, stride=stride)
        assert step.image.shape == (1, 3, height, width)
    padded, _ = pad_to_cover(picture(41, 67), 4, patch, stride)
    assert all((side // 4 - patch) % stride == 0 and side % 4 == 0 for side in padded.shape[2:])


def test_the_loss_is_the_papers(net, picture):
    photo, style = picture(48, 40), picture(48, 48, 1)
    first = steps(net, photo, [style], inverse="optimise", steps=1, tv_weight=0.5, **PAPER)[0]
    target = swap(features(photo), prepare([features(style)]))
    content = (features(photo) - target).square().sum()
    tv = 0.5 * 255**2 * (photo.diff(dim=2).square().sum() + photo.diff(dim=3).square().sum())
    scale = target.square().sum()  # so that it is a number of about 1 whatever the picture's size
    assert first.losses["content"] == pytest.approx(float(content / scale), rel=1e-3)
    assert first.losses["tv"] == pytest.approx(float(tv / scale), rel=1e-3)
    assert first.losses["total"] == pytest.approx(float((content + tv) / scale), rel=1e-3)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("normalize", [False, True])
def test_optimisation_comes_nearer(optimizer, normalize, net, picture):
    settings = {"inverse": "optimise", "optimizer": optimizer, "normalize_gradients": normalize, "tv_weight": 0.0}
    made = steps(net, picture(40, 40), [picture(40, 40, 1)], steps=30, **settings)
    assert [step.index for step in made] == list(range(1, 31)) and made[-1].total == 30
    assert made[-1].losses["content"] < 0.7 * made[0].losses["content"]


@pytest.mark.parametrize("inverse", ["optimise", "refine"])
@pytest.mark.parametrize("rate", [20.0, 1e6])
def test_moves_that_lead_nowhere_are_shortened(inverse, rate, net, picture):
    photo, style = picture(40, 48), [picture(40, 48, 1)]
    made = steps(net, photo, style, inverse=inverse, learning_rate=rate, steps=40, tv_weight=0.0)
    losses = [step.losses["total"] for step in made]
    assert max(losses) <= 10 * losses[0]
    assert min(losses) < 0.95 * losses[0]


def test_a_picture_swapped_with_itself_is_itself(net, picture):
    photo = picture(40, 48)
    made = steps(net, photo, [photo], inverse="optimise", optimizer="adam", steps=2, tv_weight=0.0, **PAPER)
    assert made[0].losses["content"] == pytest.approx(0, abs=1e-6)


def test_refining_begins_at_the_networks_picture(net, picture):
    photo, style = picture(40, 48), picture(40, 48, 1)
    first = steps(net, photo, [style], inverse="refine", steps=2, tv_weight=0.0, **PAPER)[0]
    framed, _ = pad_to_cover(photo, 4, 3, margin=MARGIN)
    target = swap(features(framed), prepare([features(style)]))
    manner = {layer: moments(features(style, layer)) for layer in ("relu2_1", "relu1_1")}
    by_network = painter(net, [style]).painter.decoder({"relu3_1": target}, manner).clamp(0, 1)
    expected = (features(by_network) - target).square().sum() / target.square().sum()
    assert first.losses["content"] == pytest.approx(float(expected), rel=1e-3)


def test_a_few_steps_from_the_networks_picture_are_truer_than_it(net, picture):
    photo, style = picture(40, 48), picture(40, 48, 1)
    errors = [
        painter(net, [style], tv_weight=0.0, **more).painter.feature_errors(photo)["swapped"]
        for more in ({}, {"inverse": "refine"}, {"inverse": "refine", "steps": 3})
    ]
    assert errors[0] > 1.05 * errors[1]
    assert errors[1] > errors[2]


def test_the_steps_are_those_that_the_net_has_learned_and_the_last_of_them_again(tiny_net, picture, monkeypatch):
    photo, style = picture(40, 48), [picture(40, 48, 1)]
    common = {"inverse": "refine", "descreen": False}
    net = tiny_net(SWAP_KIND, "relu3_1", steps=2, step_width=8)
    made = []
    real = LearnedStep.forward
    monkeypatch.setattr(LearnedStep, "forward", lambda self, *args: (made.append(self), real(self, *args))[1])
    # Untrained, they are no steps.
    by_network = steps(net, photo, style, **{**common, "inverse": "network"})[-1].image
    assert made == []
    for step in steps(net, photo, style, steps=4, **common):
        torch.testing.assert_close(step.image, by_network)
        assert step.total == 4
    one, other, *again = made
    assert one.first and not other.first and again == [other] * 2
    made.clear()
    moved = steps(net, photo, style, steps=1, optimizer="lbfgs", **common)[-1].image
    assert made == [] and not torch.equal(moved, by_network)


@pytest.mark.parametrize("layer", ["relu2_1", "relu3_1", "relu4_1"])
def test_learned_steps_see_the_gradient_of_the_features_distance(layer, tiny_net, picture, monkeypatch):
    net = tiny_net(SWAP_KIND, layer, steps=2, step_width=8)
    seen = []
    real = LearnedStep.forward
    monkeypatch.setattr(LearnedStep, "forward", lambda self, *args: (seen.append(args), real(self, *args))[1])
    painting = painter(net, [picture(40, 48, 1)], layer=layer, inverse="refine", steps=2, **PAPER).painter
    photo = picture(43, 48)
    last(painting.paint(photo))
    framed, _ = pad_to_cover(photo, layer_stride(layer), 3, margin=MARGIN)
    target = swap(features(framed, layer), prepare([features(picture(40, 48, 1), layer)]))
    begun = painting.decoder({layer: target}).clamp(0, 1).requires_grad_()
    distance = (encode(VGG(tiny_weights()), begun, (layer,))[layer] - target).square().sum()
    (gradient,) = torch.autograd.grad(distance, begun)
    torch.testing.assert_close(seen[0][1], gradient, rtol=1e-3, atol=1e-3)
    assert seen[0][2] is None and seen[1][2].shape[1] == 8


def test_steps_unset_are_fewer_from_the_networks_picture(net, picture):
    assert len(steps(net, picture(40, 48), [picture(40, 48, 1)], inverse="refine")) == 2
    assert SwapOptions(inverse="optimise").count_steps(9999) == 100
    assert SwapOptions(inverse="network", steps=7).count_steps(64) == 0


def test_pictures_that_are_not_huge_are_refined_unless_told_otherwise(net, picture):
    photo, style = picture(40, 48), [picture(40, 48, 1)]
    made, refined = (steps(net, photo, style, inverse=inverse) for inverse in ("auto", "refine"))
    assert torch.equal(made[-1].image, refined[-1].image) and len(made) == len(refined)
    assert SwapOptions().count_steps(2048) == SwapOptions(inverse="refine").count_steps(9999) == 2
    assert SwapOptions(steps=7).count_steps(500) == 7
    assert SwapOptions().count_steps(2049) == 0


@pytest.mark.parametrize(
    "inverse, largest, each", [("network", 0, 0), ("refine", 0, 2), ("auto", 160, 2), ("auto", 159, 0)]
)
def test_every_pass_from_coarse_to_fine_is_planned_then_refined(inverse, largest, each, net, picture, monkeypatch):
    monkeypatch.setattr("impasto.methods.swap.options.REFINED", largest)
    seen, step, plan = [], Descent.step, Optimisation.plan
    monkeypatch.setattr(Descent, "step", lambda self: [seen.append(self.image.shape[3]), step(self)][1])
    monkeypatch.setattr(Optimisation, "plan", lambda *args: [seen.append("plan"), plan(*args)][1])
    steps(net, picture(96, 160), [picture(40, 48, 1)], size=160, style_scale=4, inverse=inverse, steps=2)
    # What the process holds decides a plan: freed memory that it keeps would count after the first pass.
    assert seen == ["plan"] * each + [80 + 2 * MARGIN] * each + [160 + 2 * MARGIN] * each


def test_the_authors_script_stays_in_the_box_and_moves_by_its_rate(net, picture):
    photo, style = picture(32, 40), picture(40, 40, 1)
    recipe = make_recipe("swap", [Style(path="s")], preset="style-swap", settings={"size": None, "steps": 3})
    made = list(bind(recipe, styles=[style], device="cpu").paint(photo))
    for step in made:
        assert float(step.image.min()) >= 0 and float(step.image.max()) <= 1
    moved = (made[0].image - photo).abs()
    assert float(moved.max()) <= 0.05 + 1e-5
    assert float(moved.median()) == pytest.approx(0.05, abs=2e-3)  # Adam's first step is its rate


def test_strength_0_leaves_the_photos_features(net, picture):
    photo = picture(40, 48)
    one, other = (steps(net, photo, [picture(40, 40, seed)], alpha=0.0)[-1].image for seed in (1, 2))
    torch.testing.assert_close(one, other)


def test_several_styles_pool_their_patches(net, picture):
    photo, one, two = picture(40, 48), picture(40, 40, 1), picture(32, 48, 2)
    settings = {"inverse": "optimise", "steps": 1, "tv_weight": 0.0, **PAPER}
    # The photo itself is in the pool, and found there.
    losses = steps(net, photo, [one, photo.clone()], **settings)[0].losses
    assert losses["content"] == pytest.approx(0, abs=1e-6)
    pooled = steps(net, photo, [one, two], **settings)[0].losses
    assert pooled["content"] > 0


def test_a_flat_style_gives_a_finite_picture(net, picture):
    flat = torch.full((1, 3, 40, 40), 0.4)
    for settings in ({}, PAPER, {"inverse": "optimise", "steps": 3}):
        for photo, style in ((picture(40, 40), flat), (flat, picture(40, 40))):
            assert torch.isfinite(steps(net, photo, [style], **settings)[-1].image).all()


def test_a_photo_smaller_than_a_patch_is_painted_larger(net, picture):
    for height, width in ((16, 16), (2, 40)):
        (step,) = steps(net, picture(height, width), [picture(64, 64, 1)], patch_size=15)
        assert step.image.shape == (1, 3, height, width)


def test_a_style_smaller_than_a_patch_is_refused(net, picture):
    with pytest.raises(RequestError, match=r"the style has 2×10 positions.*3×3"):
        painter(net, [picture(8, 40)], size=40, style_upscale=False)
    assert last(painter(net, [picture(8, 40)], size=40).paint(picture(40, 40))).image.shape[2:] == (40, 40)
    with pytest.raises(RequestError, match="stride is 4 with patches of 3"):
        painter(net, [picture(40, 40)], stride=4, size=40)


def test_a_net_for_another_layer_or_method_is_refused(net, tiny_nets, picture):
    with pytest.raises(WeightsError, match=r"works on relu3_1; expected one for relu2_1.*--inverse optimise"):
        painter(net, [picture(40, 40)], layer="relu2_1")
    with pytest.raises(WeightsError, match="expected swap-decoder"):
        painter(tiny_nets["adain"], [picture(40, 40)])


def test_optimisation_needs_no_net(picture):
    made = painter("no such net", [picture(40, 40)], inverse="optimise", steps=1)
    assert len(made.recipe.nets) == 1
    with pytest.raises(WeightsError, match="no such net"):
        painter("no such net", [picture(40, 40)], inverse="refine", steps=1)


def test_want_of_memory_in_the_match_is_answered_by_smaller_blocks(net, picture, monkeypatch):
    photo, style = picture(40, 48), [picture(40, 40, 1)]
    expected = last(painter(net, style).paint(photo)).image
    real, budgets = transform._match_one, []
    monkeypatch.setattr(memory, "in_use", lambda _: 0)

    def scarce(content, ready, budget, shade):
        budgets.append(budget)
        if len(budgets) < 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(content, ready, budget, shade)

    monkeypatch.setattr(transform, "_match_one", scarce)
    assert torch.equal(last(painter(net, style, memory="512MiB").paint(photo)).image, expected)
    assert budgets == [32 * 2**20, 8 * 2**20, 2 * 2**20]
    monkeypatch.setattr(transform, "_match_one", lambda *_: (_ for _ in ()).throw(MemoryError))
    with pytest.raises(ImpastoError, match="memory ran out"):
        last(painter(net, style).paint(photo))


def test_auto_searches_approximately_above_a_number_of_pairs(net, picture, monkeypatch):
    monkeypatch.setattr(patchmatch, "MAX_PAIRS", 0)
    photo, style = picture(64, 48), [picture(40, 56, 1)]
    exact = last(painter(net, style).paint(photo))
    monkeypatch.setattr(matched_styles, "MAX_EXACT_PAIRS", 100)
    near = last(painter(net, style).paint(photo))
    asked = last(painter(net, style, search="patchmatch").paint(photo))
    assert torch.equal(asked.image, near.image) and not torch.equal(near.image, exact.image)
    assert torch.equal(last(painter(net, style, search="exact").paint(photo)).image, exact.image)


def test_feature_errors_fall_with_optimisation(net, picture):
    photo, style = picture(40, 40), [picture(40, 40, 1)]
    by_net = painter(net, style).painter.feature_errors(photo)
    settings = {"inverse": "optimise", "tv_weight": 0.0}
    few, many = (painter(net, style, steps=n, **settings).painter.feature_errors(photo) for n in (1, 25))
    assert set(by_net) == set(few) == {"photo", "painting", "swapped"}
    for kind in few:
        assert 0 < many[kind] < few[kind]


def test_every_pass_compares_the_brightness_of_the_photograph(net, picture, monkeypatch):
    seen = []

    def spied(*arguments, tones, **more):
        seen.append(tones)
        return swap(*arguments, tones=tones, **more)

    monkeypatch.setattr(method, "swap", spied)
    photo = picture(120, 160)
    steps(net, photo, [picture(64, 64, 1)], size=160, style_scale=4.0)
    sizes = [tuple(4 * side for side in tones.shape[2:]) for tones in seen]
    assert len(sizes) > 1
    for tones, size in zip(seen, sizes, strict=True):
        framed, _ = pad_to_cover(fit(photo, max(size) - 2 * MARGIN), 4, 3, margin=MARGIN)
        torch.testing.assert_close(tones, tone(framed, *tones.shape[2:]))


def test_a_large_picture_in_strips_is_the_whole_picture(net, picture, monkeypatch):
    photo, style = picture(210, 50), [picture(190, 44, 1)]
    whole = last(painter(net, style, alpha=0.8).paint(photo))
    monkeypatch.setattr(strip_plan, "VALUES", 1)
    monkeypatch.setattr(strip_plan, "MIN_VALUES", 1)
    strips = last(painter(net, style, alpha=0.8, memory="64GB").paint(photo))
    torch.testing.assert_close(strips.image, whole.image, atol=1e-4, rtol=0)
    assert whole.note == "" and "in strips" in strips.note


@pytest.mark.parametrize("named", [False, True])
def test_styles_with_masks_are_all_encoded_before_painting_begins(named, net, picture, monkeypatch):
    left = torch.linspace(1, 0, 48).expand(1, 1, 40, 48)
    regions = make_regions([left, 1 - left], [1.0, 1.0], 40, 48)
    masks = ("left.png", "right.png") if named else (None, None)
    styles = [Style(path=path, mask=mask) for path, mask in zip(("one", "two"), masks, strict=True)]
    log = []
    for room, name in ((VGG, "measure"), (method, "swap")):
        work = getattr(room, name)
        monkeypatch.setattr(room, name, lambda *a, name=name, work=work, **k: (log.append(name), work(*a, **k))[1])
    recipe = make_recipe("swap", styles, settings={"net": str(net), "size": 130, "style_scale": 4.0})
    painting = bind(recipe, styles=[picture(60, 60, 1), picture(50, 60, 2)], device="cpu")
    last(painting.paint(picture(40, 48), regions))
    first = log.index("swap")
    assert log.count("swap") == 4 and "measure" not in log[first:]
    assert first == (4 if named else 8)  # a mask that only the painting brings finds the styles encoded together


def test_too_small_a_budget_is_refused(net, picture):
    with pytest.raises(RequestError, match=r"takes at least .* raise --memory"):
        painter(net, [picture(40, 40, 1)], memory="20MB", size=48)


@pytest.mark.parametrize("inverse, optimizer", [("optimise", "adam"), ("refine", "adam"), ("refine", "auto")])
def test_a_descent_in_tiles_is_that_of_the_whole_picture(inverse, optimizer, tiny_net, picture, monkeypatch):
    net = tiny_net(SWAP_KIND, "relu3_1", inject=("relu2_1", "relu1_1"), steps=3)
    photo, style = picture(150, 200), [picture(90, 120, 1)]
    # Adam does not multiply rounding, as L-BFGS may; nor does what a net has learned.
    painting = painter(net, style, inverse=inverse, optimizer=optimizer, learning_rate=0.003, steps=3)
    if optimizer == "auto":
        for step in painting.painter.decoder.learned_steps(3):
            torch.nn.init.normal_(step.out.weight, std=0.003)
    before = photo.clone()
    whole = list(painting.paint(photo))
    monkeypatch.setattr(Optimisation, "plan", lambda *_: memory.Plan(Tiling(70, 20), 1e9))
    tiled = list(painting.paint(photo))
    assert [step.note for step in whole] == [""] * 3
    assert [step.note for step in tiled] == ["tiles of 70 px, about 1 GB"] * 3
    for one, other in zip(whole, tiled, strict=True):
        assert other.losses["total"] == pytest.approx(one.losses["total"], rel=1e-4)
        torch.testing.assert_close(other.image, one.image, atol=1e-3, rtol=0)
    assert not torch.equal(whole[1].image, whole[0].image)
    assert optimizer == "auto" or whole[-1].losses["total"] < whole[0].losses["total"]
    assert torch.equal(photo, before)  # it is moved in a copy


def test_a_descent_keeps_to_its_budget_or_is_refused_before_any_work(net, picture, monkeypatch):
    asked = []
    real = Optimisation.plan

    def planned(self, budget):
        asked.append((budget, self.size, self.steps))
        return real(self, budget)

    monkeypatch.setattr(Optimisation, "plan", planned)
    style = [picture(60, 60, 1)]
    (step,) = steps(net, picture(40, 48), style, size=96, inverse="refine", memory="64GB", steps=1)
    assert "optimised whole, about " in step.note
    assert asked == [(64e9, (80 + 2 * MARGIN, 96 + 2 * MARGIN), 1)]
    steps(net, picture(40, 48), style, size=96, memory="64GB")
    assert len(asked) == 1  # by the net alone
    monkeypatch.setattr(method.SwapPainter, "pictures", lambda *_, **__: pytest.fail("it has begun"))
    monkeypatch.setattr("impasto.losses.cost._SPARE", memory.Cost.of_bytes(1e12))
    framed = f"{96 + 2 * MARGIN}×{80 + 2 * MARGIN}"
    with pytest.raises(RequestError, match=rf"memory is 64 GB; painting {framed} pixels takes at least .* --memory"):
        steps(net, picture(40, 48), style, size=96, inverse="refine", memory="64GB")
