"""The encoder against autograd and against a plain statement of the network."""

import pytest
import torch
import torch.nn.functional as F

from impasto.encoders.vgg import VGG
from impasto.errors import RequestError
from impasto.statistics.moments import RunningMoments, moments
from impasto.weights.canonical import tiny_weights
from impasto.weights.layers import conv_names, layer_channels, layer_names, layer_stride, resolve_layer

pytestmark = pytest.mark.numeric

VARIANTS = [
    {},
    {"pooling": "avg", "pool_gain": 2.0},
    {"pooling": "l2", "pool_gain": 0.78},
    {"padding": "reflect"},
    {"padding": "replicate-first"},
    {"pool_ceil": True},
    {"pooling": "avg", "pool_ceil": True},
]


@pytest.mark.parametrize("arch", ["vgg16", "vgg19"])
def test_features_are_those_of_the_plain_network(arch):
    weights = tiny_weights(arch)
    image = torch.rand(2, 3, 37, 50)
    found = VGG(weights)(image, layer_names(arch))
    x = (image - 0.5) / 0.25
    for name in layer_names(arch):
        if name.startswith("conv"):
            weight, bias = weights.tensors[name]
            x = F.conv2d(x, weight, bias, padding=1)
        elif name.startswith("relu"):
            x = F.relu(x)
        else:
            x = F.max_pool2d(x, 2)
        torch.testing.assert_close(found[name], x, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("padding", "modes"), [("reflect", ("reflect",) * 4), ("replicate-first", ("replicate",))])
@pytest.mark.parametrize("size", [(45, 34), (16, 90), (9, 12)])
def test_padding_is_as_of_a_padded_picture(padding, modes, size):
    weights = tiny_weights()
    image = torch.rand(1, 3, *size)
    x = (image - 0.5) / 0.25
    for number, name in enumerate(["conv1_1", "conv1_2", "conv2_1", "conv2_2"]):
        if name == "conv2_1":
            x = F.max_pool2d(x, 2)
        mode = modes[number] if number < len(modes) else "constant"
        x = F.relu(F.conv2d(F.pad(x, (1, 1, 1, 1), mode=mode), *weights.tensors[name]))
    found = VGG(weights, padding=padding)(image, ["relu2_2"])["relu2_2"]
    torch.testing.assert_close(found, x, rtol=1e-4, atol=1e-5)


def test_bgr_networks_get_their_channels_and_mean():
    spec_weights = tiny_weights()
    vgg = VGG(spec_weights, channels="bgr", scale=255.0, mean=(1.0, 2.0, 3.0), std=(1.0, 1.0, 1.0))
    image = torch.rand(1, 3, 4, 4)
    expected = image[:, [2, 1, 0]] * 255 - torch.tensor([1.0, 2.0, 3.0]).view(1, 3, 1, 1)
    torch.testing.assert_close(vgg.preprocess(image), expected)


@pytest.mark.parametrize("overrides", VARIANTS, ids=str)
def test_pullback_is_autograd(overrides):
    torch.manual_seed(1)
    vgg = VGG(tiny_weights(), **overrides)
    layers = ["relu1_1", "conv2_2", "relu2_2", "pool2", "relu3_1", "conv5_1"]
    image = torch.rand(1, 3, 45, 34)
    leaf = image.clone().requires_grad_()
    features = vgg(leaf, layers)
    cotangents = {name: torch.randn_like(value) for name, value in features.items()}
    sum((features[n] * cotangents[n]).sum() for n in layers).backward()

    taps = {n: (lambda g, n=n: cotangents[n].clone() if g is None else g + cotangents[n]) for n in layers}
    for times in (1, 2):
        found, pullback = vgg.vjp(image, layers, again=times > 1)
        for _ in range(times):
            torch.testing.assert_close(pullback(taps), leaf.grad, rtol=1e-4, atol=1e-5)
        for name in layers:
            torch.testing.assert_close(found[name], features[name].detach(), rtol=1e-5, atol=1e-6)


def test_what_was_let_go_is_not_carried_back_as_nothing():
    features, pullback = VGG(tiny_weights()).vjp(torch.rand(1, 3, 16, 16), ["relu2_1"])
    taps = {"relu2_1": lambda _: features["relu2_1"].clone()}
    pullback(taps)
    with pytest.raises(RuntimeError, match="called twice"):
        pullback(taps)


def test_bfloat16_points_the_same_way():
    torch.manual_seed(0)
    image = torch.rand(1, 3, 64, 64)
    gradients = []
    for dtype in (torch.float32, torch.bfloat16):
        features, pullback = VGG(tiny_weights(), dtype=dtype).vjp(image, ["relu4_1"])
        target = features["relu4_1"].clone()
        gradients.append(pullback({"relu4_1": lambda g, t=target: t}).flatten())
    assert F.cosine_similarity(*gradients, dim=0) > 0.98


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (16, 2), (17, 31)])
def test_small_pictures_keep_a_position(size):
    features = VGG(tiny_weights())(torch.rand(1, 3, *size), ["relu5_1"])
    assert min(features["relu5_1"].shape[2:]) >= 1


def test_only_the_depth_asked_for_is_kept():
    weights = tiny_weights()
    vgg = VGG(weights, until="relu2_1")
    with pytest.raises(RequestError, match="conv2_2"):
        vgg(torch.rand(1, 3, 8, 8), ["relu2_2"])
    with pytest.raises(RequestError, match="nonsense"):
        vgg.vjp(torch.rand(1, 3, 8, 8), ["nonsense"])


@pytest.mark.parametrize(
    ("spelling", "canonical"),
    [
        ("relu4_1", "relu4_1"),
        ("RELU4_1", "relu4_1"),
        ("block4_conv1", "conv4_1"),
        ("block4_relu2", "relu4_2"),
        ("block3_pool", "pool3"),
        ("conv_4", "conv2_2"),
        ("conv_5", "conv3_1"),
        ("relu_1", "relu1_1"),
        ("pool_2", "pool2"),
    ],
)
def test_layers_go_by_three_spellings(spelling, canonical):
    assert resolve_layer(spelling) == canonical


def test_counted_names_follow_the_network():
    assert resolve_layer("conv_8", "vgg16") == "conv4_1"
    assert resolve_layer("conv_8", "vgg19") == "conv3_4"
    assert len(conv_names("vgg16")) == 13
    assert len(conv_names("vgg19")) == 16


@pytest.mark.parametrize("name", ["relu4_9", "conv_17", "block6_conv1", "pool", ""])
def test_unknown_layers_are_refused(name):
    with pytest.raises(RequestError, match="no layer"):
        resolve_layer(name)


def test_near_misses_are_named():
    with pytest.raises(RequestError, match="relu4_2"):
        resolve_layer("rel4_2")


def test_layer_facts():
    assert layer_channels("relu4_1") == 512
    assert [layer_stride(name) for name in ("relu1_1", "relu3_1", "pool3", "conv5_1")] == [1, 4, 8, 16]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("layers", [("relu4_1", "relu3_1", "conv1_1"), ("relu5_1", "pool2", "relu1_2"), ("relu1_1",)])
def test_strips_give_the_whole_pictures_features(variant, layers):
    vgg = VGG(tiny_weights(), **variant)
    for height, width in ((200, 37), (333, 40), (129, 15)):
        image = torch.rand(1, 3, height, width)
        assert len(list(vgg.strips(image, layers, values=1))) > 1
        whole, strips = vgg(image, layers), vgg.encode(image, layers, values=1)
        assert set(strips) == set(layers)
        for layer in layers:
            assert strips[layer].is_contiguous(memory_format=torch.channels_last)
            torch.testing.assert_close(strips[layer], whole[layer], atol=1e-5, rtol=1e-5)


def test_moments_are_gathered_without_keeping_features():
    vgg, image = VGG(tiny_weights()), torch.rand(1, 3, 140, 30)
    gather = {"relu1_1": RunningMoments(), "relu3_1": RunningMoments()}
    assert set(vgg.encode(image, ("relu2_1",), values=1, gather=gather)) == {"relu2_1"}
    for layer, found in gather.items():
        expected = moments(vgg(image, (layer,))[layer])
        torch.testing.assert_close(found.moments(), expected, atol=1e-5, rtol=1e-5)


def test_strips_of_no_layer_and_of_an_unknown_one():
    vgg, image = VGG(tiny_weights()), torch.rand(1, 3, 32, 32)
    assert vgg.encode(image, ()) == {}
    with pytest.raises(RequestError, match="relu9_1"):
        vgg.encode(image, ("relu9_1",))
