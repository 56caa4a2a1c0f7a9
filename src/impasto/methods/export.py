"""Exports a trained net as an ONNX file, for programs without impasto and PyTorch.

The metadata of the file describes its inputs and outputs. Before it is written, its results are compared with those
of PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import ImpastoError, MissingExtraError, RequestError, WeightsError, near_misses
from ..images.atomic import check_place, write_atomically
from ..nets.decoder import Decoder
from ..nets.files import ADAIN_KIND, JOHNSON_KIND, SWAP_KIND, load_decoder, load_transformer
from ..nets.transformer import Transformer
from ..nets.transformer_spec import TransformerSpec
from ..recipe import Style
from ..statistics.moments import EPSILON, Moments
from ..weights.container import load_metadata
from ..weights.files import sha256_of
from ..weights.layers import layer_stride
from ..weights.shipped import locate_net, net_names
from .adain.whole import MIN_SIDE, WholeAdain, paint_without_grain, whole_nets
from .johnson.gallery import gallery
from .onnx_model import Input, Plan, compare, describe, meanings
from .onnx_model import convert as _convert

SUFFIX = ".onnx"
TOLERANCE = 1e-3
"""Largest difference from PyTorch that is accepted, for pictures in [0, 1]: a quarter of an 8-bit level."""

WHOLE_KIND = "adain"
"""Kind of a file that holds encoder, transform and decoder of adain."""

_CPU = torch.device("cpu")

# Height and width of photo and style. The longest sides are equal, so that the painter keeps the style's size.
_WHOLE_SIZES = ((64, 64, 64, 48), (75, 101, 101, 101), (127, 40, 90, 127), (389, 511, 511, 300))


@dataclass(frozen=True)
class Exported:
    """A file that was written.

    Attributes:
        path: the file.
        inputs: description of each input, by name.
        sizes: height and width of the pictures that it was compared with PyTorch on.
        difference: largest difference between the pixels of the two, in [0, 1].
        kind: what it holds: the kind of the net, or `WHOLE_KIND`.
    """

    path: Path
    inputs: Mapping[str, str]
    sizes: Sequence[tuple[int, int]]
    difference: float
    kind: str


def export(
    net: str | Path,
    out: str | Path,
    *,
    styles: Sequence[str | Style] = (),
    whole: bool = False,
    encoder: str | None = None,
    overwrite: bool = False,
) -> Exported:
    """Write a net as ONNX, in float32, for any picture size.

    Args:
        net: a shipped net's name, a style of the gallery, or a file that `impasto train` made.
        out: ends in ``.onnx``.
        styles: styles of a net that was trained for several, as ``NAME[:WEIGHT]``: the file paints their blend.
            If there are none, the file takes the weights of all styles as an input.
        whole: with a decoder of adain: the encoder and the transform too, so that the file takes a photo and a style
            picture. Otherwise the file is the decoder alone.
        encoder: with `whole`: the encoder, by name or file; None for that of `impasto adain`.
        overwrite: replace an existing file.

    Returns:
        The file that was written.

    Raises:
        RequestError: the style is unknown, the net is not one of which a whole method can be made, `out` has another
            ending, or cannot be written.
        WeightsError: there is no such net, its kind cannot be exported, or the encoder is missing or another one than
            the net was trained against.
        MissingExtraError: the libraries of the extra ``onnx`` are not installed.
        ImpastoError: the results differ from those of PyTorch; nothing is written.
    """
    out = Path(out).expanduser()
    if out.suffix != SUFFIX:
        raise RequestError(f"{out} ends in {out.suffix!r}; expected {SUFFIX}")
    path, wanted = _locate(str(net), [Style.parse(style) if isinstance(style, str) else style for style in styles])
    own = load_metadata(path)
    kind = own["kind"] if own else None
    if own is None or kind not in (JOHNSON_KIND, ADAIN_KIND, SWAP_KIND):
        raise WeightsError(
            f"{path} is {f'of kind {kind}' if kind else 'not a net that impasto trained'}; "
            f"expected {JOHNSON_KIND}, {ADAIN_KIND} or {SWAP_KIND}, as `impasto train` makes"
        )
    if wanted and kind != JOHNSON_KIND:
        raise RequestError(f"{path} is of kind {kind}, which has no named styles: leave out --style")
    _check_whole(path, kind, whole=whole, encoder=encoder)
    check_place(out, overwrite=overwrite)
    _require_libraries()
    if whole:
        plan = _plan_whole(path, encoder)
    else:
        plan = _plan_transformer(path, own, wanted) if kind == JOHNSON_KIND else _plan_decoder(path, kind)
    model = _convert(plan)
    describe(model, plan, {**own, **plan.metadata, "net_sha256": sha256_of(path)})
    data = model.SerializeToString()
    sizes, difference = compare(data, plan)
    if not difference <= TOLERANCE:  # also refuses a difference that is not a number
        raise ImpastoError(
            f"the exported net differs from PyTorch by {difference:.2g}, expected at most {TOLERANCE:g}; {out} was "
            "not written: try other versions of onnx, onnxscript and onnxruntime"
        )
    write_atomically(out, data, overwrite=overwrite)
    return Exported(out, meanings(plan), sizes, difference, plan.metadata.get("kind", kind))


def _locate(net: str, styles: list[Style]) -> tuple[Path, list[Style]]:
    """Return the file of the net, and the styles to export."""
    if net in net_names() or net not in gallery():
        return locate_net(net), styles
    if styles:
        raise RequestError(
            f"{net} is a single style, so --style cannot be given; expected the name or the file of its net with it"
        )
    entry = gallery()[net]
    return entry.path, [Style(path=entry.credit.name)]


def _check_whole(path: Path, kind: str, *, whole: bool, encoder: str | None) -> None:
    """Refuse a whole method that cannot be made of this kind of net."""
    if whole and kind == JOHNSON_KIND:
        raise RequestError(f"{path} is of kind {kind}, which is whole by itself: leave out --whole")
    if whole and kind != ADAIN_KIND:
        raise RequestError(
            f"{path} is of kind {kind}; expected {ADAIN_KIND} with --whole: leave out --whole, or give a "
            "net of `impasto train adain`"
        )
    if encoder is not None and not whole:
        raise RequestError(f"the encoder {encoder} is given, but only --whole exports one: add --whole")


def _require_libraries() -> None:
    for library in ("onnx", "onnxscript", "onnxruntime"):
        try:
            __import__(library)
        except ImportError:
            raise MissingExtraError(library, "onnx", "exporting a net") from None


class _ClampedTransformer(nn.Module):
    """A feed-forward network whose picture is clamped to [0, 1]."""

    def __init__(self, net: Transformer) -> None:
        super().__init__()
        self.net = net

    def forward(self, photo: Tensor, mix: Tensor | None = None) -> Tensor:
        return self.net(photo, photo.new_ones(1, 1) if mix is None else mix).clamp(0, 1)


class _ClampedDecoder(nn.Module):
    """A decoder whose features and moments are separate arguments, and whose picture is clamped to [0, 1]."""

    def __init__(self, net: Decoder) -> None:
        super().__init__()
        self.net = net

    def forward(self, *tensors: Tensor) -> Tensor:
        layers, inject = self.net.spec.content_layers, self.net.spec.inject
        features = dict(zip(layers, tensors, strict=False))
        means, stds = tensors[len(layers) :: 2], tensors[len(layers) + 1 :: 2]
        style = {name: Moments(mean, std) for name, mean, std in zip(inject, means, stds, strict=True)}
        return self.net(features, style).clamp(0, 1)


def _plan_transformer(path: Path, own: Mapping[str, Any], wanted: Sequence[Style]) -> Plan:
    net, _ = load_transformer(path, _CPU, torch.float32)
    known = net.spec.styles
    if unknown := [style.path for style in wanted if style.path not in known]:
        hint = near_misses(unknown[0], known) or f"; expected one of {', '.join(known)}"
        raise RequestError(f"{path} has no style {unknown[0]!r}{hint}")
    metadata: dict[str, Any] = {"styles": list(known)}
    if wanted:
        total = sum(style.weight for style in wanted)
        shares = {name: sum(style.weight for style in wanted if style.path == name) / total for name in known}
        net = _blend(net, torch.tensor([shares[name] for name in known]))
        blend = {name: share for name, share in shares.items() if share}
        credits = [credit for credit in own.get("credits", ()) if credit["name"] in blend]
        metadata = {"styles": list(blend), "blend": blend, "credits": credits}
    inputs = {"photo": Input("the photograph: sRGB-encoded RGB, in [0, 1]", (1, 3), net.spec.stride)}
    if len(net.spec.styles) > 1:
        inputs["mix"] = Input(
            "a weight for each of `styles`, in their order, summing to 1",
            (1, len(known)),
            sample=lambda noise: noise / noise.sum(),
        )
    return Plan(_ClampedTransformer(net), inputs, net.spec.stride, _min_strides(net.spec), metadata)


def _blend(net: Transformer, shares: Tensor) -> Transformer:
    """Return a network with a single style, the blend by `shares`. Its weights are mixed linearly."""
    single = Transformer(replace(net.spec, styles=("blend",)))
    kept = {name: value.shape for name, value in single.state_dict().items()}
    single.load_state_dict(
        {
            name: torch.tensordot(shares, value, 1)[None] if _differs_by_style(name) else value
            for name, value in net.state_dict().items()
            if name in kept
        }
    )
    return single.requires_grad_(False).eval()


def _differs_by_style(name: str) -> bool:
    """Whether a tensor of a feed-forward network has a row for each style."""
    return ".norm." in name or name in ("matrix", "offset")


def _min_strides(spec: TransformerSpec) -> int:
    """Return the smallest side in strides. Every layer reflects its border, so a side exceeds the padding."""
    scale, smallest = 1, 2
    for block in spec.blocks:
        scale = scale // 2 if block.kind == "up" else scale
        smallest = max(smallest, block.kernel // 2 * scale // spec.stride + 1)
        scale *= block.stride
    return smallest


def _plan_decoder(path: Path, kind: str) -> Plan:
    net = load_decoder(str(path), kind=kind, weights=None, layer=None, device=_CPU, dtype=torch.float32).decoder
    spec = net.spec
    made = "with the style's moments" if kind == ADAIN_KIND else "made of patches of the style's"
    inputs: dict[str, Input] = {}
    for layer in spec.content_layers:
        inputs[layer] = Input(
            f"the photograph's {layer} features as `encoder` gives them, {made}",
            (1, spec.width(layer)),
            spec.stride // layer_stride(layer),
            _scale_noise(2 * net.scale(layer)),
        )
    for layer in spec.inject:
        each = f"of each channel of the style's {layer} features over positions"
        shape, sample = (1, spec.width(layer), 1, 1), _scale_noise(net.scale(layer))
        inputs[f"{layer}_mean"] = Input(f"the mean {each}", shape, sample=sample)
        inputs[f"{layer}_std"] = Input(f"sqrt(variance + {EPSILON:g}) {each}", shape, sample=sample)
    return Plan(_ClampedDecoder(net), inputs, spec.stride, 2, {})


def _plan_whole(path: Path, encoder: str | None) -> Plan:
    nets = whole_nets(path, encoder)
    inputs = {
        "photo": Input("the photograph: sRGB-encoded RGB, in [0, 1]", (1, 3), 1, _picture),
        "style": Input(
            "the style picture: sRGB-encoded RGB, in [0, 1]; as large as the photo for strokes as `impasto adain` "
            "paints them, smaller for smaller strokes",
            (1, 3),
            1,
            _picture,
            ("style_h", "style_w"),
        ),
        "alpha": Input("how far the features move towards the style's, 0 to 1", (1,), default=1.0),
    }
    # The share of correlations, and that even areas get no grain, are settings of `impasto adain`.
    metadata = {"kind": WHOLE_KIND, "covariance": nets.net.covariance, "grain": 0, "encoder": nets.encoder.source}

    def paint(photo: Tensor, style: Tensor, alpha: Tensor) -> Tensor:
        return paint_without_grain(nets, photo, style, alpha.item())

    return Plan(WholeAdain(nets), inputs, 1, MIN_SIDE, metadata, _WHOLE_SIZES, paint)


def _picture(noise: Tensor) -> Tensor:
    """Make a picture of noise: smooth areas with some grain."""
    smooth = functional.interpolate(noise[:, :, :6, :6], noise.shape[2:], mode="bilinear")
    return 0.8 * smooth + 0.2 * noise


def _scale_noise(scale: Tensor) -> Callable[[Tensor], Tensor]:
    """Return a function that multiplies noise by `scale`."""
    return lambda noise: noise * scale
