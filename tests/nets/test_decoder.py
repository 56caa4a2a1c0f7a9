import json

import pytest
import torch

from impasto.encoders.vgg import VGG
from impasto.errors import RequestError, WeightsError
from impasto.nets.decoder import Decoder
from impasto.nets.decoder_spec import LAYERS, DecoderSpec, mirror, tail
from impasto.statistics.moments import Moments, moments
from impasto.weights.canonical import tiny_weights

pytestmark = pytest.mark.numeric

CHANNELS = (4, 8, 16, 16, 16)


def features(spec: DecoderSpec, height: int = 4, width: int = 5) -> dict[str, torch.Tensor]:
    factor = spec.stride
    made = {spec.layer: torch.rand(2, spec.width(spec.layer), height, width)}
    for name in spec.skip:
        zoom = factor // 2 ** (int(name[4]) - 1)
        made[name] = torch.rand(2, spec.width(name), height * zoom, width * zoom)
    return made


def some_moments(spec: DecoderSpec) -> dict[str, Moments]:
    return {name: moments(torch.rand(1, spec.width(name), 6, 6)) for name in spec.inject}


def with_random_branches(net: Decoder) -> Decoder:
    for parameter in net.branches.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return net


def test_the_mirror_is_the_papers_decoder() -> None:
    assert mirror("relu4_1").stages == ((256,), (256, 256, 256, 128), (128, 64), (64, 3))
    assert mirror("relu3_1").stages == ((128,), (128, 64), (64, 3))
    assert mirror("relu2_1").stages == ((64,), (64, 3))
    count = sum(p.numel() for p in Decoder(mirror("relu4_1")).parameters())
    assert count == 3_505_219  # the released AdaIN decoder's


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"norm": "instance", "padding": "zeros"},
        {"norm": "batch"},
        {"transposed": True, "output": "sigmoid", "norm": "instance"},
        {"transposed": True, "padding": "zeros"},
        {"inject": ("relu1_1",)},
        {"inject": ("relu1_1",), "skip": ("relu1_1",)},
        {"inject": ("relu1_1",), "skip": ("relu1_1",), "branch": "matrix"},
        {"skip": ("relu1_1",), "branch": "matrix"},
        {"skip": ("relu1_1",), "branch": "matrix", "norm": "instance", "padding": "zeros"},
    ],
)
def test_shape_and_range(layer: str, changes: dict[str, object]) -> None:
    spec = mirror(layer, CHANNELS, **changes)
    net = Decoder(spec)
    picture = net(features(spec), some_moments(spec))
    assert picture.shape == (2, 3, 4 * spec.stride, 5 * spec.stride)
    assert picture.dtype == torch.float32 and torch.isfinite(picture).all()
    if spec.output == "sigmoid":
        assert picture.min() >= 0 and picture.max() <= 1


def test_one_position_is_enough() -> None:
    spec = mirror("relu3_1", CHANNELS)
    assert Decoder(spec)(features(spec, 1, 1)).shape == (2, 3, 4, 4)


def test_a_description_survives_json() -> None:
    more = {"skip": ("relu2_1",), "norm": "instance", "steps": 2, "step_width": 8}
    spec = mirror("relu3_1", CHANNELS, inject=("relu2_1", "relu1_1"), **more)
    assert DecoderSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    spec = mirror("relu3_1", CHANNELS, inject=("relu2_1",), skip=("relu2_1", "relu1_1"), branch="matrix")
    assert DecoderSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    for broken in (
        {},
        {"branch": "cross"},
        {"stages": 3},
        {**spec.to_json(), "colour": 1},
        {**spec.to_json(), "layer": "relu5_1"},
    ):
        with pytest.raises(WeightsError):
            DecoderSpec.from_json(broken)


@pytest.mark.parametrize(
    "changes",
    [
        {"layer": "relu3_2"},
        {"stages": ((256,), (3,))},
        {"stages": ((256,), (256, 128), (128, 64), (64, 4))},
        {"inject": ("relu4_1",)},
        {"skip": ("relu3_1",)},
        {"skip": ("relu4_1",), "branch": "matrix"},
        {"skip": ("relu1_2",), "branch": "matrix"},
        {"skip": ("relu1_1", "relu1_1"), "branch": "matrix"},
        {"inject": ("relu1_1", "relu1_1")},
        {"stages": ((256,), (100, 128), (128, 64), (64, 3)), "skip": ("relu3_1",), "branch": "matrix"},
        {"stages": ((256,), (100, 128), (128, 64), (64, 3)), "inject": ("relu3_1",)},
    ],
)
def test_refuses_descriptions_that_do_not_fit(changes: dict[str, object]) -> None:
    with pytest.raises(RequestError):
        DecoderSpec(**changes)


def test_older_descriptions_have_a_gain_for_each_channel() -> None:
    spec = mirror("relu3_1", CHANNELS, inject=("relu2_1",), skip=("relu2_1",))
    older = {name: value for name, value in spec.to_json().items() if name != "branch"}
    assert DecoderSpec.from_json(older) == spec and spec.branch == "gain"


@pytest.mark.parametrize("inject", [(), ("relu1_1",), ("relu2_1", "relu1_1")])
def test_branches_begin_with_the_picture_of_the_decoder_without_them(inject: tuple[str, ...]) -> None:
    plain = Decoder(mirror("relu3_1", CHANNELS, inject=inject))
    spec = mirror("relu3_1", CHANNELS, inject=inject, skip=("relu2_1", "relu1_1"), branch="matrix")
    net = Decoder(spec)
    unknown = net.load_state_dict(plain.state_dict(), strict=False)
    assert {name.split(".")[0] for name in unknown.missing_keys if "scale" not in name} == {"branches"}
    given, style = features(spec, 7, 5), some_moments(spec)
    assert torch.equal(net(given, style), plain(given, style))
    torch.testing.assert_close(net.eval().paint(dict(given), style), plain.eval().paint(dict(given), style))
    loss = (net(given, style) - 0.3).square().mean()
    loss.backward()
    assert all(float(parameter.grad.abs().sum()) > 0 for parameter in net.branches.parameters())


def test_each_branch_is_a_matrix_after_the_imposed_moments() -> None:
    spec = mirror("relu3_1", CHANNELS, inject=("relu2_1",), skip=("relu2_1", "relu1_1"), branch="matrix")
    net = with_random_branches(Decoder(spec))
    net.set_scales({name: torch.rand(1, spec.width(name), 1, 1) + 0.5 for name in spec.style_layers})
    given, style = features(spec), some_moments(spec)
    seen: dict[str, torch.Tensor] = {}
    for name in spec.skip:
        last = net.stages[3 - int(name[4])][-1]
        last.register_forward_pre_hook(lambda _, inputs, name=name: seen.update({name: inputs[0]}))
    net(given, style)
    with_branches = dict(seen)
    for name in spec.skip:
        weight, bias = net.branches[name].weight, net.branches[name].bias
        added = torch.einsum("nchw,oc->nohw", given[name] / net.scale(name), weight[:, :, 0, 0])
        matrix, before = weight.detach().clone(), with_branches[name]
        with torch.no_grad():
            weight.zero_()
        net(given, style)
        with torch.no_grad():
            weight.copy_(matrix)
        torch.testing.assert_close(before - seen[name], added, atol=1e-4, rtol=1e-4)
        assert bias.abs().sum() > 0


def test_refuses_features_of_another_layer_and_missing_moments() -> None:
    spec = mirror("relu3_1", CHANNELS, inject=("relu2_1",))
    net = Decoder(spec)
    with pytest.raises(RequestError, match="16 channels of relu3_1, got 8"):
        net({"relu3_1": torch.rand(1, 8, 4, 4)}, some_moments(spec))
    with pytest.raises(RequestError, match="got none"):
        net({"relu4_1": torch.rand(1, 16, 4, 4)}, some_moments(spec))
    with pytest.raises(RequestError, match="moments at relu2_1"):
        net(features(spec))


def test_scales_undo_the_encoders_units() -> None:
    """A net with scales, fed larger features, paints what one without paints of plain ones."""
    spec = mirror("relu2_1", CHANNELS, inject=("relu1_1",))
    plain, scaled = Decoder(spec), Decoder(spec)
    scaled.load_state_dict(plain.state_dict())
    scales = {name: torch.rand(1, spec.width(name), 1, 1) * 50 + 1 for name in spec.style_layers}
    scaled.set_scales(scales)
    x, style = features(spec), some_moments(spec)
    larger = {name: value * scales[name] for name, value in x.items()}
    styles = {name: Moments(s.mean * scales[name], s.std * scales[name]) for name, s in style.items()}
    torch.testing.assert_close(scaled(larger, styles), plain(x, style), atol=1e-4, rtol=1e-4)


def test_style_moments_reach_the_picture() -> None:
    spec = mirror("relu2_1", CHANNELS, inject=("relu1_1",))
    net, x = Decoder(spec), features(spec)
    assert not torch.allclose(net(x, some_moments(spec)), net(x, some_moments(spec)))


def test_learns_to_invert() -> None:
    """A few steps on one picture bring the features closer: gradients flow everywhere."""
    torch.manual_seed(0)
    vgg = VGG(tiny_weights(), until="relu3_1")
    spec = mirror("relu3_1", CHANNELS, inject=("relu2_1", "relu1_1"), skip=("relu2_1",))
    net = Decoder(spec)
    image = torch.rand(1, 3, 4, 4).repeat_interleave(8, 2).repeat_interleave(8, 3)
    seen = vgg(image, ("relu1_1", "relu2_1", "relu3_1"))
    style = {name: moments(seen[name]) for name in spec.style_layers}
    optimiser = torch.optim.Adam(net.parameters(), 3e-3)
    losses: list[float] = []
    for _ in range(30):
        loss = (net(seen, style) - image).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_the_tail_keeps_the_branches_below_it() -> None:
    inject = ("relu3_1", "relu2_1", "relu1_1")
    spec = mirror("relu4_1", CHANNELS, inject=inject, skip=("relu3_1", "relu1_1"), branch="matrix")
    whole = with_random_branches(Decoder(spec))
    part, weights = tail(spec, whole.state_dict(), "relu3_1")
    assert part == mirror("relu3_1", CHANNELS, inject=inject[1:], skip=("relu1_1",), branch="matrix")
    Decoder(part).load_state_dict(weights)
    assert torch.equal(weights["branches.relu1_1.weight"], whole.state_dict()["branches.relu1_1.weight"])


@pytest.mark.parametrize("layer", ["relu3_1", "relu2_1"])
def test_the_tail_of_a_decoder_paints_what_the_decoder_would(layer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = mirror("relu4_1", CHANNELS, inject=("relu3_1", "relu2_1", "relu1_1"), skip=("relu3_1",))
    whole = Decoder(spec)
    whole.set_scales({name: torch.rand(1, spec.width(name), 1, 1) + 0.5 for name in spec.style_layers})
    seen: list[torch.Tensor] = []
    first = whole.stages[4 - int(layer[4])]
    first[-1].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    style = some_moments(spec)
    expected = whole(features(spec), style)
    part, weights = tail(spec, whole.state_dict(), layer)
    net = Decoder(part)
    net.load_state_dict(weights)
    assert part == mirror(layer, CHANNELS, inject=tuple(name for name in spec.inject if name < layer))
    torch.testing.assert_close(net({layer: seen[0] * whole.scale(layer)}, style), expected)
    with pytest.raises(RequestError, match="no part for relu1_1"):
        tail(spec, whole.state_dict(), "relu1_1")


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"norm": "instance", "padding": "zeros"},
        {"norm": "batch"},
        {"transposed": True, "output": "sigmoid", "norm": "instance"},
        {"transposed": True, "padding": "zeros"},
        {"inject": ("relu1_1",), "skip": ("relu1_1",)},
        {"inject": ("relu1_1",), "skip": ("relu1_1",), "branch": "matrix"},
        {"skip": ("relu1_1",), "branch": "matrix"},
        {"skip": ("relu1_1",), "branch": "matrix", "norm": "instance", "padding": "zeros"},
    ],
)
def test_strips_give_the_whole_picture(layer: str, changes: dict[str, object]) -> None:
    spec = mirror(layer, CHANNELS, **changes)
    net = with_random_branches(Decoder(spec)).eval()
    given, style = features(spec, 23, 9), some_moments(spec)
    with torch.no_grad():
        whole = net(given, style)
    for values, keep in ((1, 0), (1, 10**9), (20_000, 3000), (10**9, None)):
        taken = dict(given)
        torch.testing.assert_close(net.paint(taken, style, values=values, keep=keep), whole, atol=1e-5, rtol=1e-5)
        assert not set(taken) & set(spec.content_layers)  # so that they can be freed
    assert net.cost.at((64, 64)) >= 64 * 64 * spec.width(layer) / spec.stride**2 * 4


def test_what_is_painted_from_is_not_written_to() -> None:
    spec = mirror("relu3_1", CHANNELS, inject=("relu2_1", "relu1_1"), skip=("relu2_1",))
    given = features(spec)
    before = {layer: each.clone() for layer, each in given.items()}
    Decoder(spec).eval().paint(dict(given), some_moments(spec), values=1)
    assert all(torch.equal(given[layer], before[layer]) for layer in given)
