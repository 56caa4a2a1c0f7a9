"""Makes an ONNX file of a module: converts it, describes it, and compares it with PyTorch."""

from __future__ import annotations

import contextlib
import json
import logging
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from onnx import ModelProto

OUTPUT = "picture"
"""Name of the output."""

SIZES = ((64, 64), (96, 128), (200, 152))
"""Heights and widths at which a file is compared with PyTorch, rounded up to multiples of the net's stride."""


@dataclass(frozen=True)
class Input:
    """An input of the exported model.

    Attributes:
        meaning: description for users of the file.
        shape: shape of the tensor; without height and width if `zoom` is set.
        zoom: positions per stride of the picture, along each side; None if the shape does not depend on a picture.
        sample: turns uniform noise in [0, 1] of the input's shape into plausible values.
        sides: names of height and width of the picture that it depends on.
        default: value where it is left out; None if it has to be given.
    """

    meaning: str
    shape: tuple[int, ...]
    zoom: int | None = None
    sample: Callable[[Tensor], Tensor] = lambda noise: noise
    sides: tuple[str, str] = ("h", "w")
    default: float | None = None

    def values(self, strides: Mapping[str, int], generator: torch.Generator) -> Tensor:
        """Return random values for pictures of these sides, in strides by name."""
        sides = () if self.zoom is None else [strides[side] * self.zoom for side in self.sides]
        return self.sample(torch.rand(*self.shape, *sides, generator=generator))

    def free(self, sides: Mapping[str, Any]) -> dict[int, Any] | None:
        """Return the variable sides of the tensor by axis, made of the `torch.export.Dim` of each side."""
        if self.zoom is None:
            return None
        return {
            2 + axis: sides[name] if self.zoom == 1 else self.zoom * sides[name]
            for axis, name in enumerate(self.sides)
        }


@dataclass(frozen=True)
class Plan:
    """What to export.

    Attributes:
        module: the model; its arguments are `inputs`, in order.
        inputs: the inputs by name.
        stride: the sides of the picture are multiples of this, in pixels.
        min_strides: smallest side of the picture, in strides.
        metadata: metadata to add to that of the net's own file.
        sizes: sides in pixels at which the file is compared with PyTorch, in the order of `sides`.
        paint: what PyTorch paints of the inputs; None for the module itself.
    """

    module: nn.Module
    inputs: Mapping[str, Input]
    stride: int
    min_strides: int
    metadata: Mapping[str, Any]
    sizes: Sequence[tuple[int, ...]] = SIZES
    paint: Callable[..., Tensor] | None = None

    @property
    def sides(self) -> tuple[str, ...]:
        """The names of all variable sides."""
        return tuple(dict.fromkeys(name for each in self.inputs.values() if each.zoom for name in each.sides))

    def values(self, strides: Sequence[int], generator: torch.Generator) -> dict[str, Tensor]:
        """Return random inputs for sides in strides, in the order of `sides`."""
        by_name = dict(zip(self.sides, strides, strict=True))
        return {name: each.values(by_name, generator) for name, each in self.inputs.items()}


def convert(plan: Plan) -> ModelProto:
    """Convert the module to ONNX, with named inputs and variable height and width."""
    sides = {name: torch.export.Dim(name, min=plan.min_strides) for name in plan.sides}
    free = tuple(each.free(sides) for each in plan.inputs.values())
    # The exporter takes equal numbers to be the same dimension, so all sides and the smallest one differ.
    given = plan.values([plan.min_strides + n for n in range(1, len(sides) + 1)], torch.Generator().manual_seed(0))
    takes_any = any(each.kind is each.VAR_POSITIONAL for each in signature(plan.module.forward).parameters.values())
    with _silence():
        program = torch.onnx.export(
            plan.module,
            tuple(given.values()),
            dynamo=True,
            verbose=False,
            input_names=list(plan.inputs),
            output_names=[OUTPUT],
            dynamic_shapes=(free,) if takes_any else free,
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


def describe(model: ModelProto, plan: Plan, facts: Mapping[str, Any]) -> None:
    """Add metadata to the model, and remove traces of the machine that it was made on."""
    import onnx

    from .. import __version__

    for node in model.graph.node:
        del node.metadata_props[:]  # stack traces, with the paths of source files
    for name, each in plan.inputs.items():
        if each.default is not None:  # the value of an input that is left out
            model.graph.initializer.append(
                onnx.helper.make_tensor(name, onnx.TensorProto.FLOAT, each.shape, [each.default])
            )
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer):
        del value.metadata_props[:]
    model.producer_name, model.producer_version = "impasto", __version__
    facts = {
        **facts,
        "inputs": meanings(plan),
        "outputs": {OUTPUT: "the painting: sRGB-encoded RGB, in [0, 1]; float32 1×3×H×W"},
        "sides": f"{'any' if plan.stride == 1 else 'H and W are multiples of ' + str(plan.stride)}, at least "
        f"{plan.min_strides * plan.stride}",
        "stride": plan.stride,
    }
    onnx.helper.set_model_props(
        model,
        {
            name: fact if isinstance(fact, str) else json.dumps(fact, ensure_ascii=False, sort_keys=True)
            for name, fact in facts.items()
        },
    )


def meanings(plan: Plan) -> dict[str, str]:
    """Describe each input, with its type and shape."""

    def shape(input_: Input) -> str:
        zoomed = [] if input_.zoom is None else [f"{input_.zoom}{name}".removeprefix("1") for name in input_.sides]
        left_out = "" if input_.default is None else f"; {input_.default:g} if it is left out"
        return "×".join([*map(str, input_.shape), *zoomed]) + left_out

    return {name: f"{input_.meaning}; float32 {shape(input_)}" for name, input_ in plan.inputs.items()}


def compare(data: bytes, plan: Plan) -> tuple[list[tuple[int, int]], float]:
    """Paint by the file and by PyTorch; return the sizes of the pictures and the largest difference."""
    import numpy as np
    from onnxruntime import InferenceSession, SessionOptions  # pyright: ignore[reportAttributeAccessIssue] (untyped)

    options = SessionOptions()
    options.log_severity_level = 3  # no warning of inputs with a default
    session = InferenceSession(data, options, providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(1)
    tried: list[tuple[int, int]] = []
    differences: list[float] = []
    for size in plan.sizes:
        given = plan.values([max(plan.min_strides, -(-side // plan.stride)) for side in size], generator)
        with torch.no_grad():
            expected: Tensor = (plan.paint or plan.module)(*given.values())
        (got,) = session.run([OUTPUT], {name: value.numpy() for name, value in given.items()})
        differences.append(float(np.abs(np.asarray(got) - expected.numpy()).max()))
        tried.append((expected.shape[2], expected.shape[3]))
    return tried, max(differences)
