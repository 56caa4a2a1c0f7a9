"""Enlarging and convolving in one step."""

import pytest
import torch
import torch.nn.functional as F

from impasto.errors import RequestError
from impasto.nets.decoder import Decoder
from impasto.nets.decoder_spec import DecoderSpec, mirror
from impasto.nets.enlarge import FORMS, Enlarge, fold_weights, interleave
from impasto.nets.transformer import Transformer
from impasto.nets.transformer_spec import TransformerSpec

pytestmark = pytest.mark.numeric

ARCHITECTURE = "c9s1-8,d16,d24,R24,u16,u8,c9s1-3"


@pytest.mark.parametrize("enlarge", FORMS)
@pytest.mark.parametrize("size", [(7, 9), (1, 1), (1, 6)])
def test_one_step_is_both(enlarge: Enlarge, size: tuple[int, int]) -> None:
    draw = torch.Generator().manual_seed(0)
    x, weight = torch.rand(2, 4, *size, generator=draw), torch.randn(5, 4, 3, 3, generator=draw)
    around = F.pad(x, (1, 1, 1, 1), mode="replicate")
    large = F.interpolate(around, scale_factor=2, mode=enlarge)[:, :, 1:-1, 1:-1]
    got = interleave(F.conv2d(around, fold_weights(weight, enlarge)))
    torch.testing.assert_close(got, F.conv2d(large, weight), rtol=1e-4, atol=1e-5)
    assert got.shape == (2, 5, 2 * size[0], 2 * size[1])


def test_nearest_is_an_enlarged_picture_mirrored_at_its_border() -> None:
    x, weight = torch.rand(1, 3, 6, 5), torch.randn(2, 3, 3, 3)
    large = F.pad(F.interpolate(x, scale_factor=2), (1, 1, 1, 1), mode="reflect")
    got = interleave(F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), fold_weights(weight, "nearest")))
    torch.testing.assert_close(got, F.conv2d(large, weight), rtol=1e-4, atol=1e-5)


def test_gradients_reach_the_weights() -> None:
    weight = torch.randn(2, 3, 3, 3, requires_grad=True)
    fold_weights(weight, "bilinear").square().sum().backward()
    assert weight.grad is not None
    assert float(weight.grad.abs().min()) > 0


@pytest.mark.parametrize("enlarge", FORMS)
def test_the_transformer_in_strips_is_the_whole(enlarge: Enlarge) -> None:
    torch.manual_seed(0)
    net = Transformer(TransformerSpec(ARCHITECTURE, enlarge=enlarge)).eval()
    photo, mix = torch.rand(1, 3, 200, 76), torch.ones(1)
    with torch.no_grad():
        whole = net(photo, mix[None])
    torch.testing.assert_close(net.paint(photo, mix, values=1), whole, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("enlarge", FORMS)
@pytest.mark.parametrize("padding", ["reflect", "zeros"])
@pytest.mark.parametrize("transposed", [False, True])
def test_the_decoder_in_strips_is_the_whole(enlarge: Enlarge, padding: str, transposed: bool) -> None:
    torch.manual_seed(0)
    spec = mirror("relu3_1", (4, 6, 8, 8, 8), enlarge=enlarge, padding=padding, transposed=transposed)
    decoder = Decoder(spec).eval()
    features = torch.rand(1, 8, 30, 11)
    with torch.no_grad():
        whole = decoder({"relu3_1": features})
    torch.testing.assert_close(decoder.paint({"relu3_1": features}, values=1), whole, rtol=1e-4, atol=1e-5)


def _lattice(picture: torch.Tensor) -> float:
    """How far the four positions of every 2×2 differ on average over a picture, beside its neighbours' difference."""
    inner = picture[:, :, 16:-16, 16:-16]
    phases = inner.unfold(2, 2, 2).unfold(3, 2, 2).mean((0, 2, 3))
    return float(phases.std((1, 2)).mean() / inner.diff(dim=3).abs().mean())


def test_linear_enlarging_leaves_less_of_the_grid() -> None:
    ratios: list[float] = []
    for seed in range(5):
        pictures: list[float] = []
        for enlarge in FORMS:
            torch.manual_seed(seed)
            decoder = Decoder(mirror("relu2_1", (8, 8, 8, 8, 8), enlarge=enlarge)).eval()
            with torch.no_grad():
                pictures.append(_lattice(decoder({"relu2_1": torch.rand(1, 8, 96, 96)})))
        ratios.append(pictures[FORMS.index("bilinear")] / pictures[FORMS.index("nearest")])
    assert sum(ratios) / len(ratios) < 0.7, ratios


def test_unknown_forms_are_refused() -> None:
    with pytest.raises(RequestError, match="nearest or bilinear"):
        TransformerSpec(enlarge="bicubic")
    with pytest.raises(RequestError, match="nearest or bilinear"):
        mirror(enlarge="bicubic")


def test_nets_from_before_are_read_as_nearest() -> None:
    old = {name: value for name, value in mirror().to_json().items() if name != "enlarge"}
    assert DecoderSpec.from_json(old).enlarge == "nearest"
