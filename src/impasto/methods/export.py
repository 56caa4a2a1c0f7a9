"""Exports a trained net as an ONNX file, for programs without impasto and PyTorch.

The metadata of the file describes its inputs and outputs. Before it is written, its results are compared with those
of PyTorch.
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
"""Heights and widths at which a file is compared with PyTorch, rounded up to multiples of the net's stride."""
TOLERANCE = 1e-3
"""Largest difference from PyTorch that is accepted, for pictures in [0, 1]: a quarter of an 8-bit level."""

_OUTPUT = "picture"
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Exported:
    """A file that was written.

    Attributes:
        path: the file.
        inputs: description of each input, by name.
        sizes: height and width of the pictures that it was compared with PyTorch on.
        difference: largest difference between the pixels of the two, in [0, 1].
    """

    path: Path
    inputs: Mapping[str, str]
    sizes: Sequence[tuple[int, int]]
    difference: float


@dataclass(frozen=True)
class _Input:
    """An input of the exported model.

    Attributes:
        meaning: description for users of the file.
        shape: shape of the tensor; without height and width if `zoom` is set.
        zoom: positions per stride of the picture, along each side; None if the shape does not depend on the picture.
        sample: turns uniform noise in [0, 1] of the input's shape into plausible values.
    """

    meaning: str
    shape: tuple[int, ...]
    zoom: int | None = None
    sample: Callable[[Tensor], Tensor] = lambda noise: noise

    def values(self, height: int, width: int, generator: torch.Generator) -> Tensor:
        """Return random values for a picture of `height` by `width` strides."""
        sides = () if self.zoom is None else (height * self.zoom, width * self.zoom)
        return self.sample(torch.rand(*self.shape, *sides, generator=generator))


@dataclass(frozen=True)
class _Plan:
    """What to export.

    Attributes:
        module: the model; its arguments are `inputs`, in order.
        inputs: the inputs by name.
        stride: the sides of the picture are multiples of this, in pixels.
        min_strides: smallest side of the picture, in strides.
        metadata: metadata to add to that of the net's own file.
    """

    module: nn.Module
    inputs: Mapping[str, _Input]
    stride: int
    min_strides: int
    metadata: Mapping[str, Any]


def export(
    net: str | Path, out: str | Path, *, styles: Sequence[str | Style] = (), overwrite: bool = False
) -> Exported:
    """Write a net as ONNX, in float32, for any picture size.

    Args:
        net: a shipped net's name, a style of the gallery, or a file that `impasto train` made.
        out: ends in ``.onnx``.
        styles: styles of a net that was trained for several, as ``NAME[:WEIGHT]``: the file paints their blend.
            If there are none, the file takes the weights of all styles as an input.
        overwrite: replace an existing file.

    Returns:
        The file that was written.

    Raises:
        RequestError: the style is unknown, `out` has another ending, or cannot be written.
        WeightsError: there is no such net, or its kind cannot be exported.
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
    check_place(out, overwrite=overwrite)
    _require_libraries()
    plan = _plan_transformer(path, own, wanted) if kind == JOHNSON_KIND else _plan_decoder(path, kind)
    model = _convert(plan)
    _describe(model, plan, {**own, **plan.metadata, "net_sha256": sha256_of(path)})
    data = model.SerializeToString()
    sizes, difference = _compare(data, plan)
    if not difference <= TOLERANCE:  # also refuses a difference that is not a number
        raise ImpastoError(
            f"the exported net differs from PyTorch by {difference:.2g}, expected at most {TOLERANCE:g}; {out} was "
            "not written: try other versions of onnx, onnxscript and onnxruntime"
        )
    write_atomically(out, data, overwrite=overwrite)
    return Exported(out, _meanings(plan), sizes, difference)


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


def _plan_transformer(path: Path, own: Mapping[str, Any], wanted: Sequence[Style]) -> _Plan:
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
    inputs = {"photo": _Input("the photograph: sRGB-encoded RGB, in [0, 1]", (1, 3), net.spec.stride)}
    if len(net.spec.styles) > 1:
        inputs["mix"] = _Input(
            "a weight for each of `styles`, in their order, summing to 1",
            (1, len(known)),
            sample=lambda noise: noise / noise.sum(),
        )
    return _Plan(_ClampedTransformer(net), inputs, net.spec.stride, _min_strides(net.spec), metadata)


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


def _plan_decoder(path: Path, kind: str) -> _Plan:
    net = load_decoder(str(path), kind=kind, weights=None, layer=None, device=_CPU, dtype=torch.float32).decoder
    spec = net.spec
    made = "with the style's moments" if kind == ADAIN_KIND else "made of patches of the style's"
    inputs: dict[str, _Input] = {}
    for layer in spec.content_layers:
        inputs[layer] = _Input(
            f"the photograph's {layer} features as `encoder` gives them, {made}",
            (1, spec.width(layer)),
            spec.stride // layer_stride(layer),
            _scale_noise(2 * net.scale(layer)),
        )
    for layer in spec.inject:
        each = f"of each channel of the style's {layer} features over positions"
        shape, sample = (1, spec.width(layer), 1, 1), _scale_noise(net.scale(layer))
        inputs[f"{layer}_mean"] = _Input(f"the mean {each}", shape, sample=sample)
        inputs[f"{layer}_std"] = _Input(f"sqrt(variance + {EPSILON:g}) {each}", shape, sample=sample)
    return _Plan(_ClampedDecoder(net), inputs, spec.stride, 2, {})


def _scale_noise(scale: Tensor) -> Callable[[Tensor], Tensor]:
    """Return a function that multiplies noise by `scale`."""
    return lambda noise: noise * scale


def _convert(plan: _Plan) -> ModelProto:
    """Convert the module to ONNX, with named inputs and variable height and width."""
    sides = [torch.export.Dim(name, min=plan.min_strides) for name in ("h", "w")]
    free = [
        None
        if input_.zoom is None
        else {
            axis: side if input_.zoom == 1 else input_.zoom * side for axis, side in zip((2, 3), sides, strict=True)
        }
        for input_ in plan.inputs.values()
    ]
    generator = torch.Generator().manual_seed(0)
    # The exporter takes equal numbers to be the same dimension, so height, width and the smallest side differ.
    given = tuple(
        input_.values(plan.min_strides + 1, plan.min_strides + 2, generator) for input_ in plan.inputs.values()
    )
    with _silence():
        program = torch.onnx.export(
            plan.module,
            given,
            dynamo=True,
            verbose=False,
            input_names=list(plan.inputs),
            output_names=[_OUTPUT],
            dynamic_shapes=(tuple(free),) if isinstance(plan.module, _ClampedDecoder) else tuple(free),
        )
    assert program is not None
    return program.model_proto


@contextlib.contextmanager
def _silence() -> Generator[None]:
    """Silence the exporter, which warns of optional libraries and of its own deprecations."""
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
    """Add metadata to the model, and remove traces of the machine that it was made on."""
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
        "sides": f"H and W are multiples of {plan.stride}, at least {plan.min_strides * plan.stride}",
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
    """Describe each input, with its type and shape."""

    def shape(input_: _Input) -> str:
        zoomed = [] if input_.zoom is None else [f"{input_.zoom}{name}".removeprefix("1") for name in ("h", "w")]
        return "×".join([*map(str, input_.shape), *zoomed])

    return {name: f"{input_.meaning}; float32 {shape(input_)}" for name, input_ in plan.inputs.items()}


def _compare(data: bytes, plan: _Plan) -> tuple[list[tuple[int, int]], float]:
    """Paint by the file and by PyTorch; return the sizes of the pictures and the largest difference."""
    import numpy as np
    from onnxruntime import InferenceSession

    session = InferenceSession(data, providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(1)
    tried: list[tuple[int, int]] = []
    differences: list[float] = []
    for size in SIZES:
        height, width = (max(plan.min_strides, -(-side // plan.stride)) for side in size)
        given = {name: input_.values(height, width, generator) for name, input_ in plan.inputs.items()}
        with torch.no_grad():
            expected: Tensor = plan.module(*given.values())
        (got,) = session.run([_OUTPUT], {name: value.numpy() for name, value in given.items()})
        differences.append(float(np.abs(np.asarray(got) - expected.numpy()).max()))
        tried.append((expected.shape[2], expected.shape[3]))
    return tried, max(differences)
