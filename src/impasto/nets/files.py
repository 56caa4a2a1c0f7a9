"""Trained nets on disk: what their files say of themselves, and how they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..errors import WeightsError
from ..weights.canonical import EncoderSpec, VGGWeights
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
    """What a net's file says of the encoder that it was trained against."""

    spec: EncoderSpec
    source: str
    sha256: str


def decoder_metadata(kind: str, encoder: Encoder, spec: DecoderSpec) -> dict[str, Any]:
    """What a decoder's file says of itself; `load_decoder` reads it."""
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
    """A decoder, and the setting it was trained in.

    Attributes:
        decoder: the net, on its device, without gradients.
        encoder: fields of `EncoderSpec` as they were while it was trained.
        covariance: share of the style's correlations in the features it was trained on, 0 to 1.
        sha256: of its file.
    """

    decoder: Decoder
    encoder: Mapping[str, Any]
    covariance: float
    sha256: str


def load_decoder(
    net: str, *, kind: str, weights: VGGWeights | None, layer: str | None, device: torch.device, dtype: torch.dtype
) -> TrainedDecoder:
    """Read a decoder that was trained against the encoder's `weights`.

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
        spec = DecoderSpec.from_json(metadata["decoder"])
        encoder = {"padding": metadata["encoder_padding"], "pool_ceil": metadata["pool_ceil"]}
    except KeyError as error:
        raise WeightsError(f"{path} does not state its {error.args[0]}; train it anew with `impasto train`") from None
    decoder = _filled(lambda: Decoder(spec), tensors, path)
    recipe = metadata.get("recipe", {})
    share = recipe.get("covariance", 0.0) if isinstance(recipe, Mapping) else None
    if not isinstance(share, int | float) or not 0 <= share <= 1:
        raise WeightsError(f"{path}: its recipe states no covariance from 0 to 1: get the file again")
    return TrainedDecoder(decoder.to(device, dtype), encoder, share, sha256_of(path))


def load_transformer(path: Path, device: torch.device, dtype: torch.dtype) -> tuple[Transformer, str]:
    """Read a feed-forward network, and the sha256 of its file.

    Raises:
        WeightsError: not such a network, or its tensors and its description disagree.
    """
    tensors, metadata = load_net(path, kind=JOHNSON_KIND, encoder_sha256=None)
    if "network" not in metadata:
        raise WeightsError(f"{path} does not describe its network; train it anew with `impasto train johnson`")
    spec = TransformerSpec.from_json(metadata["network"])
    net = _filled(lambda: Transformer(spec), tensors, path)
    return net.to(device, dtype), sha256_of(path)


class _Undrawn(TorchFunctionMode):
    """Networks made inside have no random weights drawn: what a file holds takes their place."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (Tensor.normal_, Tensor.uniform_):
            return args[0]
        return func(*args, **(kwargs or {}))


def _filled(make: Callable[[], Net], tensors: Mapping[str, Tensor], path: Path) -> Net:
    """A net with the weights of a file, ready to paint; none is drawn for it before."""
    with _Undrawn():
        net = make()
    own = {name: tensor.shape for name, tensor in net.state_dict().items()}
    got = {name: tensor.shape for name, tensor in tensors.items()}
    if unlike := sorted(name for name in own.keys() | got.keys() if own.get(name) != got.get(name)):
        name = unlike[0]
        raise WeightsError(
            f"{path}: {name} is {_shape(got.get(name))}, expected {_shape(own.get(name))} from its own description: "
            "get the file again"
        )
    # Convolutions on the CPU are fastest with channels last.
    laid = {
        name: tensor.contiguous(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor
        for name, tensor in tensors.items()
    }
    net.load_state_dict(laid, assign=True)
    return net.requires_grad_(False).eval()


def _shape(shape: Sequence[int] | None) -> str:
    return "absent" if shape is None else "×".join(map(str, shape)) or "one number"
