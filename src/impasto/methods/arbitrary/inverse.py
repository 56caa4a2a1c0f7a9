"""What the any-style methods share: inverse nets on disk and in use, and styles of a fitting size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...encoders.vgg import VGG
from ...errors import WeightsError
from ...images.geometry import fit
from ...nets.decoder import Decoder, DecoderSpec
from ...nets.descreen import descreened
from ...painter import Regions
from ...strips import VALUES, ranges
from ...transforms.adain import Gathered, Moments, affine, blend, moments_over, spread, stacked
from ...transforms.transport import transport
from ...weights.canonical import VGGWeights
from ...weights.files import sha256_of
from ...weights.layers import layer_stride
from ...weights.shipped import load_net, locate_net
from ..within import Strips, strips
from .options import ArbitraryOptions

ADAIN_KIND = "adain-decoder"
SWAP_KIND = "swap-decoder"

MARGIN = 8
"""Pixels mirrored around a photograph that a net decodes: without them its border shows as a frame."""

OUTER = 8
"""As many around these, whose features AdaIN's net is not given: they show most of the zeros beyond the border."""

_AT_ONCE = 2**21  # values that are brought to float32 and carried over together


def net_metadata(kind: str, vgg: VGG, spec: DecoderSpec) -> dict[str, Any]:
    """What a decoder's file says of itself; `load_inverse` reads it."""
    return {
        "kind": kind,
        "arch": vgg.spec.arch,
        "encoder": vgg.source,
        "encoder_sha256": vgg.sha256,
        "encoder_padding": vgg.spec.padding,
        "pool_ceil": vgg.spec.pool_ceil,
        "layer": spec.layer,
        "decoder": spec.to_json(),
    }


@dataclass(frozen=True)
class Inverse:
    """A trained inverse net, ready to use.

    Attributes:
        decoder: the net, on its device, without gradients.
        encoder: fields of `EncoderSpec` as they were while it was trained.
        covariance: share of the correlations in the features it was trained on; see `transformed`.
        sha256: of its file.
    """

    decoder: Decoder
    encoder: Mapping[str, Any]
    covariance: float
    sha256: str


def load_inverse(
    net: str, *, kind: str, weights: VGGWeights | None, layer: str | None, device: torch.device, dtype: torch.dtype
) -> Inverse:
    """Read a net that was trained against the encoder's `weights`.

    Args:
        net: a shipped net's name, or a file.
        kind: `ADAIN_KIND` or `SWAP_KIND`.
        weights: of the encoder in use; None where there is none.
        layer: it has to invert; None accepts any.
        device: where it runs.
        dtype: its arithmetic.

    Raises:
        WeightsError: no such net, or not what is wanted, or its tensors and its description disagree.
    """
    tensors, metadata = load_net(net, kind=kind, encoder_sha256=weights.sha256 if weights else None, layer=layer)
    path = locate_net(net)
    try:
        decoder = Decoder(DecoderSpec.from_json(metadata["decoder"]))
        encoder = {"padding": metadata["encoder_padding"], "pool_ceil": metadata["pool_ceil"]}
    except KeyError as error:
        raise WeightsError(f"{path} does not state its {error.args[0]}; train it anew with `impasto train`") from None
    own = {name: tensor.shape for name, tensor in decoder.state_dict().items()}
    got = {name: tensor.shape for name, tensor in tensors.items()}
    if unlike := sorted(name for name in own.keys() | got.keys() if own.get(name) != got.get(name)):
        name = unlike[0]
        raise WeightsError(
            f"{path}: {name} is {_shape(got.get(name))}, expected {_shape(own.get(name))} from its own description: "
            "get the file again"
        )
    decoder.load_state_dict(tensors)
    decoder.requires_grad_(False).eval().to(device, dtype)
    recipe = metadata.get("recipe", {})
    share = recipe.get("covariance", 0.0) if isinstance(recipe, Mapping) else None
    if not isinstance(share, int | float) or not 0 <= share <= 1:
        raise WeightsError(f"{path}: its recipe states no covariance from 0 to 1: get the file again")
    return Inverse(decoder, encoder, share, sha256_of(path))


def _shape(shape: Sequence[int] | None) -> str:
    return "absent" if shape is None else "×".join(map(str, shape)) or "one number"


def off_grid(picture: Tensor, decoder: Decoder) -> Tensor:
    """A decoder's picture without the lattice of its last two enlargings; see `descreened`."""
    return descreened(picture, min(4, decoder.spec.stride)).clamp_(0, 1)


def transformed(
    decoder: Decoder,
    vgg: VGG,
    photo: Tensor,
    styles: Mapping[str, Moments],
    alpha: float = 1.0,
    regions: Regions | None = None,
    values: int = VALUES,
    covariance: float = 0.0,
    roots: Mapping[str, Tensor] | None = None,
    outer: int = 0,
) -> dict[str, Tensor]:
    """What AdaIN's decoder wants of a photo: its features with the style's moments, by layer.

    With `regions`, which are of what is left of the photo, `styles` has a row of moments for each; with `covariance`,
    correlations too, whose `roots` may be known. `outer` pixels of the photo are left out on all sides.
    """
    layers = decoder.spec.content_layers
    features = vgg.encode(photo, layers, values)
    for layer in layers:
        if cut := outer // layer_stride(layer):
            inner = features[layer][:, :, cut:-cut, cut:-cut]
            features[layer] = inner.contiguous(memory_format=torch.channels_last)
        if covariance:
            carry(features[layer], styles[layer], covariance, alpha, regions, root=roots[layer] if roots else None)
        else:
            impose(features[layer], styles[layer], alpha, regions)
    return features


def carry(
    x: Tensor,
    style: Moments,
    covariance: float,
    alpha: float = 1.0,
    regions: Regions | None = None,
    own: Moments | None = None,
    root: Tensor | None = None,
) -> None:
    """`impose` moments and a share of the correlations between channels; see `transport`.

    `own` are the features' moments, with correlations, where they are known, and `root` that of the style's.
    """
    height, width = x.shape[2:]
    own = own or moments_over([((0, height), x)], (height, width), regions, correlations=True)
    matrix, aim = transport(own, style, covariance, alpha, root)
    turn, shift = matrix.transpose(1, 2), aim.flatten(1) - (matrix @ own.mean.flatten(2)).flatten(1)
    turn, shift = turn.to(x.dtype), shift.unsqueeze(1).to(x.dtype)
    shares = None if regions is None else regions.everywhere(height, width)
    for first, end in ranges(height, max(1, _AT_ONCE // (len(matrix) * x.shape[1] * width))):
        part = x[:, :, first:end]
        made = torch.baddbmm(shift, part.flatten(2).transpose(1, 2).expand(len(turn), -1, -1), turn)
        if shares is not None:  # a row a region
            made = (made * shares[:, 0, first:end].flatten(1).unsqueeze(2).to(x.dtype)).sum(0, keepdim=True)
        part.copy_(made.transpose(1, 2).view(part.shape))


def impose(x: Tensor, style: Moments, alpha: float = 1.0, regions: Regions | None = None) -> None:
    """Give features 1×C×H×W a style's moments, in place, for they are large; by region where there are several."""
    height, width = x.shape[2:]
    gain, shift = affine(moments_over([((0, height), x)], (height, width), regions), style, alpha)
    if regions is None:
        x.mul_(gain.to(x.dtype)).add_(shift.to(x.dtype))
        return
    shares = regions.everywhere(height, width)
    for first, end in ranges(height, max(1, VALUES // (x.shape[1] * width))):
        here = shares[:, :, first:end]
        x[:, :, first:end].mul_(spread(gain, here, x.dtype)).add_(spread(shift, here, x.dtype))


def held(
    picture: Tensor,
    vgg: VGG,
    layers: Iterable[str] = (),
    *,
    copies: int = 1,
    decoder: Decoder | None = None,
    more: float = 0,
) -> float:
    """Bytes that encoding a picture holds beside the strips, and decoding another of its size.

    Args:
        picture: 1×3×H×W, which is in memory.
        vgg: the encoder.
        layers: whose features are kept.
        copies: of them, at the busiest moment.
        decoder: what makes a picture of features, if it is to be made.
        more: bytes that are held beside.
    """
    kept = sum(vgg.channels(layer) / layer_stride(layer) ** 2 for layer in layers)
    busiest = max(kept + vgg.channels("pool2") / layer_stride("pool2") ** 2, copies * kept)
    picture_bytes = 0.0
    if decoder is not None:
        busiest = max(busiest, (copies - 1) * kept + decoder.held)
        picture_bytes = 3 * 4
    return picture.shape[2] * picture.shape[3] * (busiest * vgg.dtype.itemsize + picture_bytes) + more


def strips_for(picture: Tensor, vgg: VGG, memory: int | None, holding: float, later: float = 0) -> Strips:
    """Strips for encoding a picture, and for what is made of its features, within a budget.

    Args:
        picture: 1×3×H×W.
        vgg: the encoder.
        memory: budget in bytes; None for most of what is free.
        holding: bytes beside the strips, see `held`.
        later: the same of the photograph, where this is its style.
    """
    height, width = picture.shape[2:]
    return strips((height, width), picture.device, memory, holding, vgg.dtype.itemsize, later)


def encoded(
    vgg: VGG,
    picture: Tensor,
    layers: Iterable[str],
    gathered: Iterable[str],
    values: int = VALUES,
    correlated: Sequence[str] = (),
) -> tuple[dict[str, Tensor], dict[str, Moments]]:
    """A picture's features at `layers`, and the channel moments of those at `gathered`, which are not kept.

    Those at `correlated`, of `gathered`, come with correlations.
    """
    gather = {layer: Gathered(layer in correlated) for layer in gathered}
    features = vgg.encode(picture, layers, values, gather)
    return features, {layer: each.moments() for layer, each in gather.items()}


def mixed_moments(
    pictures: Sequence[Mapping[str, Moments]], shares: Sequence[float], layers: Sequence[str]
) -> dict[str, Moments]:
    """Several pictures' channel moments, interpolated by `shares`, by layer."""
    return {layer: blend([each[layer] for each in pictures], shares) for layer in layers}


def each_apart(pictures: Sequence[Mapping[str, Moments]]) -> dict[str, Moments]:
    """Several pictures' channel moments, a row each, by layer."""
    return {layer: stacked([each[layer] for each in pictures]) for layer in pictures[0]}


def towards(
    style: Mapping[str, Moments], vgg: VGG, photo: Tensor, layers: Sequence[str], alpha: float, values: int = VALUES
) -> dict[str, Moments]:
    """The moments to impose at `layers` inside a decoder: the style's by `alpha`, the photo's own for the rest."""
    if alpha == 1 or not layers:
        return {layer: style[layer] for layer in layers}
    _, own = encoded(vgg, photo, (), layers, values)
    return {layer: blend((style[layer], own[layer]), (alpha, 1 - alpha)) for layer in layers}


def fitted_style(style: Tensor, longest: int, options: ArbitraryOptions) -> Tensor:
    """A style picture as large as the options see it beside a picture whose longest side is `longest`."""
    wanted = longest * options.style_scale
    return fit(style, max(1, round(wanted if options.style_upscale else min(wanted, max(style.shape[2:])))))
