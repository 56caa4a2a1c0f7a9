import json

import pytest
import torch

from impasto.errors import RequestError, WeightsError
from impasto.nets.architecture import JOHNSON
from impasto.nets.chroma import soften_chroma
from impasto.nets.transformer import Norm, Transformer
from impasto.nets.transformer_spec import TransformerSpec

pytestmark = pytest.mark.numeric

SMALL = "c9s1-4,d6,d8,R8×2,u6,u4,c9s1-3"


def net_of(architecture: str = SMALL, styles: tuple[str, ...] = ("a", "b"), **fields: str) -> Transformer:
    torch.manual_seed(0)
    net = Transformer(TransformerSpec(architecture, styles, **fields)).requires_grad_(False)
    for module in net.modules():
        if isinstance(module, Norm):
            module.scale.normal_(1, 0.3)
            module.shift.normal_(0, 0.3)
    return net


def test_johnsons_network_has_its_size() -> None:
    convolutions = sum(p.numel() for p in Transformer(TransformerSpec(JOHNSON)).parameters() if p.dim() == 4)
    kernels = 81 * 3 * 32 * 2 + 9 * (32 * 64 + 64 * 128 + 10 * 128 * 128 + 128 * 64 + 64 * 32)
    assert convolutions == kernels


def test_a_new_network_gives_the_photograph_the_colours_of_its_style() -> None:
    torch.manual_seed(0)
    photo, style = (
        torch.rand(2, 3, 32, 40) * 0.5,
        torch.rand(1, 3, 20, 20) * torch.tensor([0.3, 1, 0.6]).view(3, 1, 1),
    )
    net = Transformer(TransformerSpec(SMALL, ("a", "b")))
    net.last.conv.weight.data.zero_()
    net.begin_with_colours(1, style)
    made = net(photo, torch.tensor([[0.0, 1.0]] * 2))
    assert torch.allclose(made.mean((2, 3)), style.mean((2, 3)).expand(2, 3), atol=1e-4)
    assert torch.allclose(made.std((2, 3)), style.std((2, 3)).expand(2, 3), rtol=0.1)
    moved = made[0] - made[0].mean((1, 2), keepdim=True)
    assert torch.nn.functional.cosine_similarity(moved.flatten(), (photo[0] - 0.25).flatten(), dim=0) > 0.8


@pytest.mark.parametrize("output", ["linear", "tanh", "colour"])
@pytest.mark.parametrize("chroma", ["sharp", "soft"])
@pytest.mark.parametrize(("height", "width"), [(16, 16), (64, 48), (132, 100)])
def test_strips_give_the_whole_picture(output: str, chroma: str, height: int, width: int) -> None:
    net = net_of(output=output, chroma=chroma)
    photo, mix = torch.rand(1, 3, height, width), torch.tensor([0.3, 0.7])
    whole = net(photo, mix[None])
    assert torch.allclose(net.paint(photo, mix), whole, atol=1e-5)
    assert torch.allclose(net.paint(photo, mix, values=1), whole, atol=1e-5)


def test_strips_of_other_networks() -> None:
    for architecture in ("c3s1-4,R4,R4,c3s1-3", "c5s2-4,d6,R6,u4,u4,c5s1-3", "c3s1-3", "d4,u4,c1s1-3"):
        net = net_of(architecture)
        photo, mix = torch.rand(1, 3, 104, 64), torch.tensor([1.0, 0.0])
        assert torch.allclose(net.paint(photo, mix, values=1), net(photo, mix[None]), atol=1e-5), architecture


@pytest.mark.parametrize("architecture", ["c9s1-8,c9s1-3", "c3s1-4,c5s1-3", "c9s1-6,d8,u6,c9s1-3"])
@pytest.mark.parametrize("width", [30, 32])  # where columns can be taken four together, or two, or one by one
def test_columns_worked_on_together_give_the_same(architecture: str, width: int) -> None:
    torch.manual_seed(0)
    net = Transformer(TransformerSpec(architecture))
    photo = torch.rand(1, 3, 24, width)
    with torch.no_grad():
        whole = net(photo, torch.ones(1, 1))
    torch.testing.assert_close(net.paint(photo, torch.ones(1)), whole, atol=2e-5, rtol=0)


def test_soft_chroma_is_of_what_is_painted_not_of_the_photograph() -> None:
    net, photo, mix = net_of(chroma="soft"), torch.rand(1, 3, 32, 32), torch.tensor([[1.0, 0.0]])
    sharp = net_of()

    def painted(made: Transformer) -> torch.Tensor:
        with_all = made(photo, mix)
        kept = made.last.conv.weight.clone()
        made.last.conv.weight.zero_()
        alone = with_all - made(photo, mix)
        made.last.conv.weight.copy_(kept)
        return alone

    torch.testing.assert_close(painted(net), soften_chroma(painted(sharp)), atol=1e-5, rtol=1e-5)


def test_statistics_are_of_the_whole_picture() -> None:
    """Strips (here of 32 rows) with statistics of their own would show: the test fails if they are used."""
    net = net_of()
    photo = torch.rand(1, 3, 128, 32) * torch.linspace(0.1, 1, 128)[None, None, :, None]
    mix = torch.tensor([1.0, 0.0])
    apart = torch.cat([net(photo[:, :, top : top + 32], mix[None]) for top in range(0, 128, 32)], 2)
    whole = net(photo, mix[None])
    assert (apart - whole).abs().max() > 0.05
    assert (net.paint(photo, mix, values=1) - whole).abs().max() < 1e-5


def test_styles_blend_in_their_normalisation() -> None:
    net = net_of()
    photo = torch.rand(1, 3, 32, 32)
    one, other, both = (net(photo, torch.tensor([mix])) for mix in ([1.0, 0.0], [0.0, 1.0], [0.5, 0.5]))
    assert (one - other).abs().mean() > 0.01
    assert not torch.allclose(both, (one + other) / 2, atol=1e-4)


def test_styles_mix_by_region() -> None:
    net, photo = net_of(), torch.rand(1, 3, 32, 48)
    each = torch.eye(2)
    alone = [net.paint(photo, mix) for mix in each]

    def halves(height: int, width: int) -> torch.Tensor:
        left = (torch.arange(width) < width // 2).float().expand(height, width)
        return torch.stack([left, 1 - left])[:, None]

    everywhere = net.paint(photo, each, lambda h, w: torch.ones(2, 1, h, w) / 2)
    assert torch.allclose(everywhere, net.paint(photo, torch.tensor([0.5, 0.5])), atol=1e-5)
    split = net.paint(photo, each, halves)
    # The statistics are of the whole picture, so a half is its style's to a likeness only.
    near, far = ((split - other)[..., :8].abs().mean() for other in alone)
    assert near < 0.7 * far
    assert torch.allclose(net.paint(photo, each, halves, values=48 * 8 * 32), split, atol=1e-5)


def test_a_flat_crop_has_a_gradient_within_bounds() -> None:
    net = Transformer(TransformerSpec(JOHNSON.replace("128", "16").replace("64", "16").replace("32", "16")))
    net(torch.ones(1, 3, 32, 32), torch.ones(1, 1)).square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


def test_a_description_survives_json() -> None:
    spec = TransformerSpec(SMALL, ("a", "b"), "tanh", chroma="soft")
    assert TransformerSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    of_old = {name: value for name, value in spec.to_json().items() if name != "chroma"}
    assert TransformerSpec.from_json(of_old).chroma == "sharp"
    for broken in ({}, {"styles": 3}, {**spec.to_json(), "colour": 1}, {**spec.to_json(), "architecture": "c9"}):
        with pytest.raises(WeightsError, match="not a description"):
            TransformerSpec.from_json(broken)


@pytest.mark.parametrize(
    "fields", [{"styles": ()}, {"styles": ("a", "a")}, {"output": "blue"}, {"norm": "no"}, {"chroma": "no"}]
)
def test_nonsense_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(RequestError):
        TransformerSpec(SMALL, **fields)


def test_without_late_normalisation_strips_need_no_statistics() -> None:
    net = net_of(norm="encoder")
    assert [m.instance for m in net.modules() if isinstance(m, Norm)] == [True] * 3 + [False] * 6
    photo, mix = torch.rand(1, 3, 132, 100), torch.tensor([0.3, 0.7])
    whole = net(photo, mix[None])
    assert torch.allclose(net.paint(photo, mix, values=1), whole, atol=1e-4)


def test_a_spike_moves_no_distant_pixel_without_late_normalisation() -> None:
    """What lets a network quiet a feature by a spike somewhere else is gone after the encoder."""
    photo, mix = torch.rand(1, 3, 256, 32), torch.tensor([[1.0, 0.0]])

    def change(net: Transformer) -> float:
        whole = net(photo, mix)

        def spike(_: torch.nn.Module, __: object, made: torch.Tensor) -> torch.Tensor:
            made = made.clone()
            made[:, :, 0, 0] += 1000
            return made

        hook = net.blocks[3][0].conv.register_forward_hook(spike)
        moved = (net(photo, mix) - whole).abs()[:, :, 192:].max()
        hook.remove()
        return float(moved)

    assert change(net_of(norm="encoder")) == 0
    assert change(net_of(norm="everywhere")) > 0.01


def test_normalisation_is_folded_into_the_encoders_networks() -> None:
    net, photos, mix = net_of(), torch.rand(6, 3, 64, 64), torch.tensor([[0.4, 0.6]])
    folded = net.normalised_in_encoder(photos)
    assert folded.spec.norm == "encoder" and folded.spec.styles == net.spec.styles
    for photo in photos.split(1):
        was, now = net(photo, mix), folded(photo, mix)
        assert (now - was).square().mean() < 0.02 * was.var()
    again = folded.normalised_in_encoder(photos)
    assert torch.equal(again(photos[:1], mix), folded(photos[:1], mix))


def test_a_net_changed_over_stays_on_its_device():
    spec = TransformerSpec("c3s1-4,d6,R6,u4,c3s1-3", norm="everywhere")
    made = Transformer(spec).to("meta").normalised_in_encoder(torch.empty(1, 3, 16, 16, device="meta"))
    assert {parameter.device.type for parameter in made.parameters()} == {"meta"}
