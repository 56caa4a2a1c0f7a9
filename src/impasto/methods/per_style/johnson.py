"""Painting with feed-forward networks: Johnson, Alahi & Fei-Fei 2016."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ...errors import RequestError
from ...images.geometry import resize
from ...nets.transformer import Transformer
from ...painter import Painter, Step
from ...recipe import Recipe
from ...runtime import compute_dtype, keep_freed_memory
from ..fitting import covered, fitted_photo
from ..within import strips
from .gallery import find, load_transformer
from .options import JohnsonOptions


def bind(recipe: Recipe, styles: Sequence[Tensor], device: torch.device) -> JohnsonPainter:
    """Load the networks; `styles` is empty, since they know theirs."""
    if styles:
        raise RequestError("johnson takes no style picture: its networks know their styles; name one with net")
    return JohnsonPainter(recipe, device)


class JohnsonPainter(Painter):
    """One pass a network; styles of one network are blended in it, those of several by their pictures."""

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        options = recipe.options
        if not isinstance(options, JohnsonOptions):
            raise RequestError(f"recipe holds {type(options).__name__}; expected JohnsonOptions")
        self.options, self.device = options, device
        dtype = compute_dtype(device, recipe.precision)
        shares: dict[Path, dict[str, float]] = {}
        nets = dict(recipe.nets)
        for name, share in options.shares().items():
            path, style = find(name)
            shares.setdefault(path, {})[style] = share
        self._nets: list[tuple[float, Transformer, Tensor]] = []
        for path, wanted in shares.items():
            net, nets[path.name] = load_transformer(path, device, dtype)
            total = sum(wanted.values())
            mix = torch.tensor([wanted.get(style, 0.0) / total for style in net.spec.styles])
            self._nets.append((total, net, mix))
        self.recipe = recipe.model_copy(update={"nets": nets})
        keep_freed_memory()

    def paint(self, content: Tensor) -> Iterator[Step]:
        """Paint; see `Painter.paint`. One step."""
        photo, given = fitted_photo(content.to(self.device), self.recipe.size)
        picture, note = None, ""
        for share, net, mix in self._nets:
            framed, (rows, columns) = covered(photo, net.spec.stride)
            plan = strips((framed.shape[2], framed.shape[3]), self.device, self.recipe.memory, *_held(framed, net))
            note = plan.note
            painted = plan.run(partial(net.paint, framed, mix))[:, :, rows, columns].clamp_(0, 1)
            picture = painted * share if picture is None else picture.add_(painted, alpha=share)
        assert picture is not None
        picture = torch.lerp(photo, picture, self.options.strength)
        yield Step(resize(picture, *given).contiguous(), 1, 1, note=note)


def _held(photo: Tensor, net: Transformer) -> tuple[float, int]:
    """Bytes that painting holds whatever the strips, pictures before and after included, and those of a value."""
    item = net.last.conv.weight.dtype.itemsize
    return photo.shape[2] * photo.shape[3] * (net.held * item + 3 * 3 * 4), item
