"""Files of trained nets: their metadata, and reading them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, get_args

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..errors import WeightsError
from ..untrusted import shorten
from ..weights.canonical import EncoderSpec, Padding, VGGWeights, finite
from ..weights.files import sha256_of
from ..weights.shipped import load_net, locate_net
from .decoder import Decoder
from .decoder_spec import DecoderSpec
from .transformer import Transformer
from .transformer_spec import TransformerSpec

ADAIN_KIND = "adain-decoder"
SWAP_KIND = "swap-decoder"
JOHNSON_KIND = "johnson"


Net = TypeVar("Net", bound=nn.Module)


class Encoder(Protocol):
    """The encoder that a net was trained against, as far as the net's file describes it."""

    spec: EncoderSpec
    source: str
    sha256: str


def decoder_metadata(kind: str, encoder: Encoder, spec: DecoderSpec) -> dict[str, Any]:
    """Make the metadata of a decoder's file, which `load_decoder` reads."""
    return {
        "kind": kind,
        "arch": encoder.spec.arch,
        "encoder": encoder.source,
        "encoder_sha256": encoder.sha256,
        "encoder_padding": encoder.spec.padding,
        "pool_ceil": encoder.spec.pool_ceil,
        "layer": spec.layer,
        "decoder": spec.to_json(),
    }


@dataclass(frozen=True)
class TrainedDecoder:
    """A decoder, and how it was trained.

    Attributes:
        decoder: the net, on its device, without gradients.
        encoder: fields of the encoder's `EncoderSpec` during training.
        covariance: share of the style's correlations in the features it was trained on, 0 to 1.
        sha256: hash of its file.
    """

    decoder: Decoder
    encoder: Mapping[str, Any]
    covariance: float
    sha256: str


def load_decoder(
    net: str, *, kind: str, weights: VGGWeights | None, layer: str | None, device: torch.device, dtype: torch.dtype
) -> TrainedDecoder:
    """Read a decoder.

    Args:
        net: name of a shipped net, or a file.
        kind: the kind it must have, `ADAIN_KIND` or `SWAP_KIND`.
        weights: weights of the encoder in use, against which it must have been trained; None accepts any.
        layer: the layer it must invert; None accepts any.
        device: device to run on.
        dtype: type of its convolutions.

    Raises:
        WeightsError: there is no such net, it is another kind of net, or its tensors do not match its description.
    """
    tensors, metadata = load_net(net, kind=kind, encoder_sha256=weights.sha256 if weights else None, layer=layer)
    path = locate_net(net)
    try:
        spec = DecoderSpec.from_json(metadata["decoder"])
        encoder = {"padding": metadata["encoder_padding"], "pool_ceil": metadata["pool_ceil"]}
    except KeyError as error:
        raise WeightsError(f"{path} does not state its {error.args[0]}; train it again by `impasto train`") from None
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}; get the file again") from None
    if encoder["padding"] not in get_args(Padding) or not isinstance(encoder["pool_ceil"], bool):
        raise WeightsError(
            f"{path}: its encoder is {shorten(encoder)}; expected a padding of {', '.join(get_args(Padding))}, and "
            "pool_ceil true or false: get the file again"
        )
    decoder = _make_net(lambda: Decoder(spec), tensors, path)
    recipe = metadata.get("recipe", {})
    share = recipe.get("covariance", 0.0) if isinstance(recipe, Mapping) else None
    if not isinstance(share, int | float) or not 0 <= share <= 1:
        raise WeightsError(
            f"{path}: the covariance in its recipe is {shorten(repr(share))}; expected 0 to 1: get the file again"
        )
    return TrainedDecoder(decoder.to(device, dtype), encoder, share, sha256_of(path))


def load_transformer(path: Path, device: torch.device, dtype: torch.dtype) -> tuple[Transformer, str]:
    """Read a feed-forward network.

    Args:
        path: its file.
        device: device to run on.
        dtype: type of its convolutions.

    Returns:
        The network, without gradients, and the sha256 of its file.

    Raises:
        WeightsError: it is another kind of net, or its tensors do not match its description.
    """
    tensors, metadata = load_net(path, kind=JOHNSON_KIND, encoder_sha256=None)
    if "network" not in metadata:
        raise WeightsError(f"{path} does not describe its network; train it again with `impasto train johnson`")
    try:
        spec = TransformerSpec.from_json(metadata["network"])
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}; get the file again") from None
    net = _make_net(lambda: Transformer(spec), tensors, path)
    return net.to(device, dtype), sha256_of(path)


class _NoRandomWeights(TorchFunctionMode):
    """Networks that are made inside this block get no random weights, since those of a file replace them.

    On torch's device ``meta`` they would have no effect, but load a compiler first.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (Tensor.normal_, Tensor.uniform_):
            return args[0]
        return func(*args, **(kwargs or {}))


def _make_net(make: Callable[[], Net], tensors: Mapping[str, Tensor], path: Path) -> Net:
    """Make a net with the weights of a file, without gradients and without taking random numbers."""
    with torch.device("meta"), _NoRandomWeights():
        net = make()
    expected = {name: tensor.shape for name, tensor in net.state_dict().items()}
    got = {name: tensor.shape for name, tensor in tensors.items()}
    if differing := sorted(name for name in expected.keys() | got.keys() if expected.get(name) != got.get(name)):
        name = differing[0]
        raise WeightsError(
            f"{path}: {name} is {_shape(got.get(name))}; its own description expects {_shape(expected.get(name))}: "
            "get the file again"
        )
    for name, tensor in tensors.items():
        if not finite(tensor):
            raise WeightsError(
                f"{path}: {name} holds values that are not finite; expected numbers only: get the file again"
            )
    # Convolutions on the CPU are fastest in channels-last layout.
    arranged = {
        name: tensor.contiguous(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor
        for name, tensor in tensors.items()
    }
    net.load_state_dict(arranged, assign=True)
    return net.requires_grad_(False).eval()


def _shape(shape: Sequence[int] | None) -> str:
    return "absent" if shape is None else "×".join(map(str, shape)) or "one number"
