"""Samples of a file to the pixels of a `Picture`: in strips, and fewer of them where a smaller size is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .geometry import fitted_size
from .picture import Raster

_LARGE = 4_000_000  # pixels; a smaller picture is read whole, since it takes little memory
_LEFT = 2  # pixels that are left at least, for one of the size that is asked for, on each side
_STRIP = 500_000  # pixels converted at a time


def full_range(values: NDArray[Any]) -> Any:
    """The value that stands for 1: the largest of an integer type, or 1."""
    return np.iinfo(values.dtype).max if values.dtype.kind == "u" else values.dtype.type(1)


def as_unit(values: NDArray[Any]) -> Raster:
    """Convert integers over the whole range of their type to float32 in [0, 1]; float32 is returned as it is."""
    return values.astype(np.float32) / np.float32(full_range(values)) if values.dtype.kind == "u" else values


def reduction(width: int, height: int, longest: int | None) -> int:
    """Return how many pixels of a file one pixel may stand for on each side: a power of 2.

    Twice `longest` is left on the longest side, and the picture fits to `longest` with the same height and width.

    Args:
        width: of the picture in the file.
        height: of the picture in the file.
        longest: the longest side that the picture is used at; None if all pixels are needed.
    """
    times = 1
    if not longest or width * height <= _LARGE:
        return times
    wanted = fitted_size(height, width, longest)
    for doubled in (2**power for power in range(1, 16)):
        less = -(-height // doubled), -(-width // doubled)
        if max(less) < _LEFT * longest:
            break
        if fitted_size(*less, longest) == wanted:
            times = doubled
    return times


def planes(samples: NDArray[Any], convert: Callable[[Raster], Raster], times: int = 1) -> Raster:
    """Convert samples H×W×C to pixels N×H'×W' float32, strip by strip, so that only the result is held as float.

    Args:
        samples: float32 in [0, 1], or integers over the whole range of their type.
        convert: converts a strip to H×W×N.
        times: how many samples to average on each side.
    """
    height, width = samples.shape[:2]
    rows = max(1, _STRIP // (width * times)) * times
    made: Raster | None = None
    for top in range(0, height, rows):
        strip = _averaged(convert(as_unit(samples[top : top + rows])), times)
        if made is None:
            made = np.empty((strip.shape[2], -(-height // times), -(-width // times)), np.float32)
        at = top // times
        made[:, at : at + strip.shape[0]] = strip.transpose(2, 0, 1)
    if made is None:
        raise ValueError("there are no samples; expected at least one")
    return made


def _averaged(strip: Raster, times: int) -> Raster:
    """Average squares. Where they reach beyond the border, its pixels are repeated."""
    if times == 1:
        return strip
    height, width, channels = strip.shape
    over = (-height % times, -width % times)
    if any(over):
        strip = np.pad(strip, ((0, over[0]), (0, over[1]), (0, 0)), mode="edge")
    return strip.reshape(-(-height // times), times, -(-width // times), times, channels).mean((1, 3), np.float32)
