"""What trainers of decoders share: shape and scales by the encoder, and weights to begin with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from ..encoders.vgg import VGG
from ..errors import RequestError
from ..nets.decoder import Decoder
from ..weights.canonical import VGGWeights


def encoder_channels(weights: VGGWeights) -> tuple[int, ...]:
    """Return the channels of the encoder's blocks, as far as the weights go."""
    return tuple(pair[0].shape[0] for name, pair in weights.tensors.items() if name.endswith("_1"))


def mean_activations(vgg: VGG, sample: Sequence[Tensor], layers: Sequence[str]) -> dict[str, Tensor]:
    """Return the mean of each channel over batches of photographs, 1×C×1×1 by layer.

    It is at least a hundredth of the mean of all channels: a decoder divides by it, and would enlarge a channel that
    photographs hardly activate.
    """
    total: dict[str, Tensor] = {}
    for photos in sample:
        for layer, features in vgg(photos.to(vgg.device), layers).items():
            mean = features.float().mean((0, 2, 3)).view(1, -1, 1, 1) / len(sample)
            total[layer] = total[layer] + mean if layer in total else mean
    return {layer: mean.clamp_min(0.01 * float(mean.mean())) for layer, mean in total.items()}


def crop_to_stride(picture: Tensor, stride: int) -> Tensor:
    """Crop N×C×H×W at the right and bottom to sides that are multiples of `stride`."""
    height, width = (side // stride * stride for side in picture.shape[2:])
    return picture[:, :, :height, :width]


def begin_with(net: Decoder, weights: Mapping[str, Tensor]) -> None:
    """Load another net's weights.

    Raises:
        RequestError: they are of another architecture.
    """
    own = net.state_dict()
    unlike = [
        name
        for name in own.keys() | weights.keys()
        if name not in own or name not in weights or own[name].shape != weights[name].shape
    ]
    if unlike:
        raise RequestError(f"the net to begin with is of another architecture: it differs in {sorted(unlike)[0]}")
    net.load_state_dict(dict(weights))
