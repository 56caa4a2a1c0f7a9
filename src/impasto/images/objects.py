"""Pictures given as objects: arrays, tensors, and files that are open already."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, TypeGuard, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError
from ..untrusted import read_stream, shorten
from .picture import Decoded, unit_range

if TYPE_CHECKING:
    from torch import Tensor

_CHANNELS = (1, 3, 4)


def is_open_file(source: object) -> TypeGuard[IO[bytes]]:
    """Whether an object can be read as a file is."""
    return callable(getattr(source, "read", None))


def load_open_file(file: IO[bytes]) -> tuple[bytes, str]:
    """Read an open file from its beginning, or a stream from where it is; return its bytes and its name for messages.

    Raises:
        ImageError: it is closed, gives text, or does not end.
    """
    stated = getattr(file, "name", None)
    name = shorten(stated) if isinstance(stated, str) else "the file object given"
    try:
        if hasattr(file, "seekable") and file.seekable():
            file.seek(0)
        data = file.read(0)
        data = data if isinstance(cast(object, data), str) else read_stream(file)
    except (OSError, ValueError) as error:
        raise ImageError(f"{name} cannot be read ({shorten(error)}); expected a picture, opened by 'rb'") from None
    if not isinstance(cast(object, data), bytes):
        raise ImageError(f"{name} gives {type(data).__name__}; expected bytes: open it by 'rb'")
    return data, name


def from_array(array: NDArray[Any]) -> Decoded:
    """Convert an array H×W, H×W×1, H×W×3 or H×W×4.

    Raises:
        ImageError: it has another shape, or values of another type or range.
    """
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in _CHANNELS) or not array.size:
        repair = ": move its channels to the end" if array.ndim == 3 and array.shape[0] in _CHANNELS else ""
        raise ImageError(f"the array has shape {array.shape}; expected H×W, H×W×3 or H×W×4, not empty{repair}")
    if array.dtype.kind == "b":
        values = array.astype(np.float32)
    elif array.dtype.kind == "u" and array.dtype.itemsize <= 2:
        values = array
    elif array.dtype.kind == "f":
        values = unit_range(array, "the array")
    else:
        raise ImageError(
            f"the array holds {array.dtype}; expected bool, uint8, uint16, or float in [0, 1]: convert it"
        )
    values = values.reshape(*array.shape[:2], -1)
    return Decoded(values[..., :3], values[..., 3:]) if values.shape[2] == 4 else Decoded(values)


def from_tensor(tensor: Tensor) -> Decoded:
    """Convert a tensor 1×C×H×W, C×H×W or H×W, where C is 1, 3 or 4.

    Raises:
        ImageError: it has another shape, or values of another type or range.
    """
    import torch

    shape, kinds = tuple(tensor.shape), (torch.uint8, torch.bool)
    planes = tensor.detach()[0] if len(shape) == 4 and shape[0] == 1 else tensor.detach()
    planes = planes[None] if planes.dim() == 2 else planes
    usable = (tensor.is_floating_point() or tensor.dtype in kinds) and tensor.layout == torch.strided
    if tensor.is_meta or not usable or planes.dim() != 3 or planes.shape[0] not in _CHANNELS or not tensor.numel():
        raise ImageError(
            f"the tensor is {shape} of {tensor.dtype}{_unusual(tensor)}; expected (1, 3, height, width), "
            "(3, height, width) or (height, width) of uint8, bool, or float in [0, 1]"
        )
    raster = planes.permute(1, 2, 0).cpu()
    if tensor.dtype in kinds:
        return from_array(raster.numpy())
    values = unit_range(raster.float().numpy(), "the tensor")
    return Decoded(values[..., :3], values[..., 3:]) if values.shape[2] == 4 else Decoded(values)


def _unusual(tensor: Tensor) -> str:
    """What hides the values of a tensor, in words; empty if nothing does."""
    import torch

    if tensor.is_meta:
        return " without values (meta)"
    return "" if tensor.layout == torch.strided else f" in the layout {tensor.layout}"
