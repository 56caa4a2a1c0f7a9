"""Features made of chosen patches of styles: at the layer that was matched, and at the same places of finer layers.

Kolkin et al. 2022, "Neural Neighbor Style Transfer", give a decoder the matched features of several layers. Here one
layer is matched. A position of relu3_1 is 2×2 positions of relu2_1 and 4×4 of relu1_1. So the chosen patches are cut
out of these layers too, and overlapping ones are averaged in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import RequestError
from ..statistics.moments import RunningMoments, affine, blend
from ..strips import empty, ranges
from ..weights.layers import layer_stride
from .styles import AT_ONCE, Cells, SwapStyle, moments_of

Keep = Literal["keep", "style"]


def with_finer(style: SwapStyle, features: Sequence[Mapping[str, Tensor]], layer: str) -> SwapStyle:
    """Add the features of shallower layers to styles that are ready to be matched.

    Args:
        style: the styles, without finer layers.
        features: of each style, its features by shallower layer, 1×C×H×W.
        layer: the layer that is matched.

    Raises:
        RequestError: there are not as many features as styles.

    Examples:
        >>> from impasto.matching.styles import prepare
        >>> style = prepare([torch.rand(1, 8, 12, 10)], patch=3)
        >>> style = with_finer(style, [{"relu1_1": torch.rand(1, 4, 48, 40)}], "relu3_1")
        >>> tuple(style.finer["relu1_1"].table.shape)
        (120, 64)
    """
    if len(features) != len(style.sources):
        raise RequestError(f"there are {len(style.sources)} styles and finer features of {len(features)}")
    finer: dict[str, Cells] = {}
    for name in features[0]:
        side = layer_stride(layer) // layer_stride(name)
        of_styles = [each[name] for each in features]
        # One table is filled, instead of joined: large features would exist twice.
        table = of_styles[0].new_empty(len(style.table), side * side * of_styles[0].shape[1])
        for source, own in zip(style.sources, of_styles, strict=True):
            height, width = source.features.shape[:2]
            rows = table[source.offset : source.offset + height * width]
            rows.view(height, width, side, side, -1).copy_(_cut_into_cells(own, height, width, side))
        moments = blend([moments_of(own) for own in of_styles], style.weights)
        finer[name] = Cells(table, side, moments)
    return replace(style, finer=finer)


def _cut_into_cells(features: Tensor, height: int, width: int, side: int) -> Tensor:
    """Cut 1×C×H×W features into height × width cells: height×width×side×side×C, a view where H and W are enough.

    Odd rows and columns at the end that pooling leaves out are left out. Where it takes them in, they are repeated.
    """
    down, right = height * side - features.shape[2], width * side - features.shape[3]
    if max(down, right) > 0:
        features = F.pad(features, (0, max(0, right), 0, max(0, down)), mode="replicate")
    cut = features[0, :, : height * side, : width * side].permute(1, 2, 0)
    return cut.unflatten(1, (width, side)).unflatten(0, (height, side)).transpose(1, 2)


def rebuild(
    rows: Tensor,
    content: Tensor | None,
    style: SwapStyle,
    layer: str | None = None,
    *,
    alpha: float = 1.0,
    restore: Keep = "keep",
) -> Tensor:
    """Make the features of a layer out of chosen patches, mixed with the photos'.

    Args:
        rows: N×ny×nx rows of the table; see `impasto.matching.swap.match_patches`.
        content: the photos' features at the layer, N×C×H×W; only their type counts if `alpha` is 1. None for the type
            of the table.
        style: from `impasto.matching.styles.prepare`.
        layer: one of `style.finer`; None is the layer that was matched.
        alpha: see `impasto.matching.swap.swap`.
        restore: see `impasto.matching.swap.swap`.

    Returns:
        N×C×H'×W' in the type of `content`. At a finer layer H' and W' are `Cells.side` times those of the matched
        one.
    """
    cells = Cells(style.table, 1, style.moments) if layer is None else style.finer[layer]
    content = cells.table.new_empty(len(rows), 0, 0, 0) if content is None else content
    made = [_rebuild_one(one, content[n : n + 1], style, cells, alpha, restore) for n, one in enumerate(rows)]
    return made[0] if len(made) == 1 else torch.cat(made)  # `cat` would copy large features


def _rebuild_one(
    rows: Tensor, content: Tensor, style: SwapStyle, cells: Cells, alpha: float, restore: Keep
) -> Tensor:
    """The features of ny×nx rows of the table, mixed with the photo's. Large ones are made in strips."""
    patch, stride, side = style.patch, style.stride, cells.side
    ny, nx = rows.shape
    height, width = (ny - 1) * stride + patch, (nx - 1) * stride + patch
    parts = ranges(height, AT_ONCE // (width * cells.table.shape[1]))

    def strip(first: int, end: int) -> Tensor:
        low, high = max(0, -(-(first - patch + 1) // stride)), min(ny, (end - 1) // stride + 1)
        above = low * stride
        return _average_patches(rows[low:high], style, cells)[:, :, (first - above) * side : (end - above) * side]

    whole = strip(0, height) if len(parts) == 1 else None
    gain = shift = None
    if restore == "style":
        if whole is None:
            gathered = RunningMoments()
            for first, end in parts:
                gathered.add(strip(first, end))
            own = gathered.moments()
        else:
            own = moments_of(whole)
        gain, shift = affine(own, cells.moments)
    channels = cells.table.shape[1] // side**2
    made = empty(content.new_empty(1, channels, 0, 0), height * side, width * side)
    for first, end in parts:
        swapped = strip(first, end) if whole is None else whole
        here = slice(first * side, end * side)
        if gain is not None and shift is not None:
            swapped = (swapped * gain).add_(shift)
        if alpha != 1:
            swapped = swapped.lerp(content[:, :, here, : width * side].to(swapped.dtype), 1 - alpha)
        made[:, :, here] = swapped
    return made


def _average_patches(rows: Tensor, style: SwapStyle, cells: Cells) -> Tensor:
    """Average overlapping patches: ny×nx rows of the table -> 1×C×H'×W' float32."""
    patch, stride, side = style.patch, style.stride, cells.side
    ny, nx = rows.shape
    height, width = (ny - 1) * stride + patch, (nx - 1) * stride + patch
    # Styles differ in width, so the step from row to row depends on the style of the patch.
    step = torch.zeros_like(rows)
    for source in style.sources:
        step = torch.where(rows >= source.offset, source.width, step)
    total = cells.table.new_zeros(height, width, cells.table.shape[1], dtype=torch.float32)
    count = total.new_zeros(height, width, 1)
    for dy in range(patch):
        for dx in range(patch):
            down = slice(dy, dy + (ny - 1) * stride + 1, stride)
            along = slice(dx, dx + (nx - 1) * stride + 1, stride)
            total[down, along] += cells.table[rows + dy * step + dx]
            count[down, along] += 1
    total.div_(count)
    if side > 1:
        total = total.unflatten(2, (side, side, -1)).transpose(1, 2).flatten(2, 3).flatten(0, 1)
    return total.permute(2, 0, 1)[None]
