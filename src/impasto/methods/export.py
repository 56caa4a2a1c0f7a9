"""A trained net as an ONNX file, for programs that know nothing of impasto or PyTorch.

The file says of itself, in its metadata, what goes in and what comes out; it is compared with PyTorch before it
is written.
"""

from __future__ import annotations

import contextlib
import json
import logging
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

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
from .johnson.gallery import gallery

if TYPE_CHECKING:
    from onnx import ModelProto

SUFFIX = ".onnx"
SIZES = ((64, 64), (96, 128), (200, 152))
"""Heights and widths at which a file is compared with PyTorch, enlarged to what the net works on."""
TOLERANCE = 1e-3
"""Largest difference from PyTorch that is let pass, of pictures in [0, 1]: a quarter of an 8-bit level."""

_OUTPUT = "picture"
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Exported:
    """A file that was written.

    Attributes:
        path: where it is.
        inputs: what goes in, by name.
        sizes: of the pictures it was compared with PyTorch at, height and width.
        difference: the largest between the two.
    """

    path: Path
    inputs: Mapping[str, str]
    sizes: Sequence[tuple[int, int]]
    difference: float


@dataclass(frozen=True)
class _Input:
    """What goes into a file.

    Attributes:
        meaning: a sentence for the stranger.
        shape: 1×C×H×W without its H and W where `zoom` is set, whole otherwise.
        zoom: positions a side for each stride of the picture.
        sample: uniform noise in [0, 1] of the input's shape -> values as they occur.
    """

    meaning: str
    shape: tuple[int, ...]
    zoom: int | None = None
    sample: Callable[[Tensor], Tensor] = lambda noise: noise

    def values(self, height: int, width: int, generator: torch.Generator) -> Tensor:
        """Made up ones, for a picture of so many strides."""
        sides = () if self.zoom is None else (height * self.zoom, width * self.zoom)
        return self.sample(torch.rand(*self.shape, *sides, generator=generator))


@dataclass(frozen=True)
class _Plan:
    """What is to be exported: a module whose arguments are `inputs` in order, and the picture's sides.

    Attributes:
        stride: the picture's sides are multiples of this.
        least: how many strides a side has at least.
        metadata: what the file is to say of the net beside what the net says itself.
    """

    module: nn.Module
    inputs: Mapping[str, _Input]
    stride: int
    least: int
    metadata: Mapping[str, Any]


def export(
    net: str | Path, out: str | Path, *, styles: Sequence[str | Style] = (), overwrite: bool = False
) -> Exported:
    """Write a net as ONNX, in float32, for any picture size.

    Args:
        net: a shipped net's name, a style of the gallery, or a file that `impasto train` made.
        out: ends in ``.onnx``.
        styles: of a per-style net, each with a weight (``NAME[:WEIGHT]``): the file paints this blend of them.
            Without, a file of several styles takes their weights as an input.
        overwrite: replace a file that is there.

    Raises:
        RequestError: no such net or style, another suffix, or no place to write.
        MissingExtraError: the libraries of the extra ``onnx`` are not installed.
        ImpastoError: the file's pictures are not PyTorch's; it is not written.
    """
    out = Path(out).expanduser()
    if out.suffix != SUFFIX:
        raise RequestError(f"{out} ends in {out.suffix!r}; expected {SUFFIX}")
    path, wanted = _located(str(net), [Style.parse(style) if isinstance(style, str) else style for style in styles])
    own = load_metadata(path)
    kind = own["kind"] if own else None
    if own is None or kind not in (JOHNSON_KIND, ADAIN_KIND, SWAP_KIND):
        raise WeightsError(
            f"{path} is {f'of kind {kind}' if kind else 'not a net that impasto trained'}; "
            f"expected {JOHNSON_KIND}, {ADAIN_KIND} or {SWAP_KIND}, as `impasto train` makes"
        )
    if wanted and kind != JOHNSON_KIND:
        raise RequestError(f"{path} is of kind {kind}, which knows no style by name: leave --style out")
    check_place(out, overwrite=overwrite)
    _require_libraries()
    plan = _johnson(path, own, wanted) if kind == JOHNSON_KIND else _inverse(path, kind)
    model = _converted(plan)
    _describe(model, plan, {**own, **plan.metadata, "net_sha256": sha256_of(path)})
    data = model.SerializeToString()
    sizes, difference = _compared(data, plan)
    if not difference <= TOLERANCE:  # not a number fails too
        raise ImpastoError(
            f"the exported net differs from PyTorch by {difference:.2g}, expected at most {TOLERANCE:g}; {out} was "
            "not written: try other versions of onnx, onnxscript and onnxruntime"
        )
    write_atomically(out, data, overwrite=overwrite)
    return Exported(out, _meanings(plan), sizes, difference)


def _located(net: str, styles: list[Style]) -> tuple[Path, list[Style]]:
    """The net's file and which of its styles are wanted."""
    if net in net_names() or net not in gallery():
        return locate_net(net), styles
    if styles:
        raise RequestError(
            f"{net} is one style already, yet --style is given; expected its net's name or file with it"
        )
    entry = gallery()[net]
    return entry.path, [Style(path=entry.credit.name)]


def _require_libraries() -> None:
    for library in ("onnx", "onnxscript", "onnxruntime"):
        try:
            __import__(library)
        except ImportError:
            raise MissingExtraError(library, "onnx", "exporting a net") from None


class _Johnson(nn.Module):
    """A per-style net whose picture is clamped to [0, 1]."""

    def __init__(self, net: Transformer) -> None:
        super().__init__()
        self.net = net

    def forward(self, photo: Tensor, mix: Tensor | None = None) -> Tensor:
        return self.net(photo, photo.new_ones(1, 1) if mix is None else mix).clamp(0, 1)


class _Inverse(nn.Module):
    """A decoder that takes features and moments one by one, and whose picture is clamped to [0, 1]."""

    def __init__(self, net: Decoder) -> None:
        super().__init__()
        self.net = net

    def forward(self, *tensors: Tensor) -> Tensor:
        layers, inject = self.net.spec.content_layers, self.net.spec.inject
        features = dict(zip(layers, tensors, strict=False))
        means, stds = tensors[len(layers) :: 2], tensors[len(layers) + 1 :: 2]
        style = {name: Moments(mean, std) for name, mean, std in zip(inject, means, stds, strict=True)}
        return self.net(features, style).clamp(0, 1)


def _johnson(path: Path, own: Mapping[str, Any], wanted: Sequence[Style]) -> _Plan:
    net, _ = load_transformer(path, _CPU, torch.float32)
    known = net.spec.styles
    if unknown := [style.path for style in wanted if style.path not in known]:
        hint = near_misses(unknown[0], known) or f"; expected one of {', '.join(known)}"
        raise RequestError(f"{path} has no style {unknown[0]!r}{hint}")
    metadata: dict[str, Any] = {"styles": list(known)}
    if wanted:
        total = sum(style.weight for style in wanted)
        shares = {name: sum(style.weight for style in wanted if style.path == name) / total for name in known}
        net = _blended(net, torch.tensor([shares[name] for name in known]))
        blend = {name: share for name, share in shares.items() if share}
        credits = [credit for credit in own.get("credits", ()) if credit["name"] in blend]
        metadata = {"styles": list(blend), "blend": blend, "credits": credits}
    inputs = {"photo": _Input("the photograph: sRGB-encoded RGB, in [0, 1]", (1, 3), net.spec.stride)}
    if len(net.spec.styles) > 1:
        inputs["mix"] = _Input(
            "a weight for each of `styles`, in their order, summing to 1",
            (1, len(known)),
            sample=lambda noise: noise / noise.sum(),
        )
    return _Plan(_Johnson(net), inputs, net.spec.stride, _least(net.spec), metadata)


def _blended(net: Transformer, shares: Tensor) -> Transformer:
    """The network that paints this blend of its styles only: they are mixed linearly, so it can be done once."""
    single = Transformer(replace(net.spec, styles=("blend",)))
    kept = {name: value.shape for name, value in single.state_dict().items()}
    single.load_state_dict(
        {
            name: torch.tensordot(shares, value, 1)[None] if _of_styles(name) else value
            for name, value in net.state_dict().items()
            if name in kept
        }
    )
    return single.requires_grad_(False).eval()


def _of_styles(name: str) -> bool:
    """Whether a tensor of a per-style net has a row a style."""
    return ".norm." in name or name in ("matrix", "offset")


def _least(spec: TransformerSpec) -> int:
    """The smallest side, in strides, of which every layer can mirror the border: it has to exceed the padding."""
    scale, least = 1, 2
    for block in spec.blocks:
        scale = scale // 2 if block.kind == "up" else scale
        least = max(least, block.kernel // 2 * scale // spec.stride + 1)
        scale *= block.stride
    return least


def _inverse(path: Path, kind: str) -> _Plan:
    net = load_decoder(str(path), kind=kind, weights=None, layer=None, device=_CPU, dtype=torch.float32).decoder
    spec = net.spec
    made = "with the style's moments" if kind == ADAIN_KIND else "made of patches of the style's"
    inputs: dict[str, _Input] = {}
    for layer in spec.content_layers:
        inputs[layer] = _Input(
            f"the photograph's {layer} features as `encoder` gives them, {made}",
            (1, spec.width(layer)),
            spec.stride // layer_stride(layer),
            _scaled_by(2 * net.scale(layer)),
        )
    for layer in spec.inject:
        each = f"of each channel of the style's {layer} features over positions"
        shape, sample = (1, spec.width(layer), 1, 1), _scaled_by(net.scale(layer))
        inputs[f"{layer}_mean"] = _Input(f"the mean {each}", shape, sample=sample)
        inputs[f"{layer}_std"] = _Input(f"sqrt(variance + {EPSILON:g}) {each}", shape, sample=sample)
    return _Plan(_Inverse(net), inputs, spec.stride, 2, {})


def _scaled_by(scale: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda noise: noise * scale


def _converted(plan: _Plan) -> ModelProto:
    """The graph, its inputs named, their sides free."""
    sides = [torch.export.Dim(name, min=plan.least) for name in ("h", "w")]
    free = [
        None
        if put.zoom is None
        else {axis: side if put.zoom == 1 else put.zoom * side for axis, side in zip((2, 3), sides, strict=True)}
        for put in plan.inputs.values()
    ]
    generator = torch.Generator().manual_seed(0)
    # Sides that differ from each other, and from the least: the exporter takes equal numbers for the same.
    given = tuple(put.values(plan.least + 1, plan.least + 2, generator) for put in plan.inputs.values())
    with _quiet():
        program = torch.onnx.export(
            plan.module,
            given,
            dynamo=True,
            verbose=False,
            input_names=list(plan.inputs),
            output_names=[_OUTPUT],
            dynamic_shapes=(tuple(free),) if isinstance(plan.module, _Inverse) else tuple(free),
        )
    assert program is not None
    return program.model_proto


@contextlib.contextmanager
def _quiet() -> Generator[None]:
    """The exporter talks of libraries that are not needed here, and of its own deprecations."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def _describe(model: ModelProto, plan: _Plan, facts: Mapping[str, Any]) -> None:
    """Write into the file what it is, and take out what tells of the machine it was made on."""
    import onnx

    from .. import __version__

    for node in model.graph.node:
        del node.metadata_props[:]  # stack traces, with the paths of source files
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer):
        del value.metadata_props[:]
    model.producer_name, model.producer_version = "impasto", __version__
    facts = {
        **facts,
        "inputs": _meanings(plan),
        "outputs": {_OUTPUT: "the painting: sRGB-encoded RGB, in [0, 1]; float32 1×3×H×W"},
        "sides": f"H and W are multiples of {plan.stride}, at least {plan.least * plan.stride}",
        "stride": plan.stride,
    }
    onnx.helper.set_model_props(
        model,
        {
            name: fact if isinstance(fact, str) else json.dumps(fact, ensure_ascii=False, sort_keys=True)
            for name, fact in facts.items()
        },
    )


def _meanings(plan: _Plan) -> dict[str, str]:
    def shape(put: _Input) -> str:
        zoomed = [] if put.zoom is None else [f"{put.zoom}{name}".removeprefix("1") for name in ("h", "w")]
        return "×".join([*map(str, put.shape), *zoomed])

    return {name: f"{put.meaning}; float32 {shape(put)}" for name, put in plan.inputs.items()}


def _compared(data: bytes, plan: _Plan) -> tuple[list[tuple[int, int]], float]:
    """The sizes tried, and the largest difference between what the file and PyTorch paint."""
    import numpy as np
    from onnxruntime import InferenceSession

    session = InferenceSession(data, providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(1)
    tried: list[tuple[int, int]] = []
    differences: list[float] = []
    for size in SIZES:
        height, width = (max(plan.least, -(-side // plan.stride)) for side in size)
        given = {name: put.values(height, width, generator) for name, put in plan.inputs.items()}
        with torch.no_grad():
            expected: Tensor = plan.module(*given.values())
        (got,) = session.run([_OUTPUT], {name: value.numpy() for name, value in given.items()})
        differences.append(float(np.abs(np.asarray(got) - expected.numpy()).max()))
        tried.append((expected.shape[2], expected.shape[3]))
    return tried, max(differences)
