"""Coherent matches: neighbouring patches of the photo get neighbouring patches of the style.

A search finds the most similar style patch for each patch of the photo by itself. In even areas many patches are
equally similar, so patches from all over the style come together, and averaging them destroys its strokes. Ashikhmin
2001, "Synthesizing Natural Textures", and Hertzmann et al. 2001, "Image Analogies", prefer a patch that continues a
neighbour's patch if it is not much less similar. Here patches are changed one at a time, each to the best of its
neighbours' candidates: iterated conditional modes (Besag 1986, "On the Statistical Analysis of Dirty Pictures").
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .exact import Source, squared_lengths
from .pairs import Grid, PairScores

ROUNDS = 3  # times that every patch may change
NEIGHBOURS_4 = ((-1, 0), (1, 0), (0, -1), (0, 1))  # neighbours whose patches are continued
_NEIGHBOURS_8 = (*NEIGHBOURS_4, (-1, -1), (1, 1), (-1, 1), (1, -1))  # neighbours whose agreement counts
PHASES = ((0, 0), (1, 1), (0, 1), (1, 0))  # four sets of patches, changed in turn; no two neighbours are in one set
_OUTSIDE = -(2**62)


def make_coherent(
    vectors: Tensor,
    source: Source,
    patch: int,
    stride: int,
    found: tuple[Tensor, Tensor],
    weight: float,
    budget: float,
) -> tuple[Tensor, Tensor]:
    """Change matches so that more neighbours agree.

    Each patch P in turn takes the style patch S that continues a neighbour's match, if that raises
    ``cos(P, S) + weight · a``. Here a is the share of the eight neighbours that agree: their matches lie beside S in
    the style as they lie beside P in the photo.

    Args:
        vectors: the photo's vectors, H×W×C, contiguous.
        source: the style.
        patch: side of a patch.
        stride: positions between patches.
        found: score and number of the matches from a search, both ny×nx. They are assumed to be the most similar.
        weight: weight of agreement; 0 changes nothing.
        budget: working memory in bytes.

    Returns:
        Score and number of the new matches, both ny×nx.
    """
    score, index = (each.clone() for each in found)
    photo = Grid(vectors, patch, stride)
    scores = PairScores(photo, source, budget)
    nx = index.shape[1]
    gain_of_one = neighbour_gain(squared_lengths(vectors)[None], patch, stride, weight)[0]
    shift, here, span = shifts(index, source)
    changed = torch.ones_like(index, dtype=torch.bool)  # patches that changed since their neighbours were tried
    for _ in range(ROUNDS):
        moved = torch.zeros_like(changed)
        for top, left in PHASES:
            own = (slice(top, None, 2), slice(left, None, 2))
            if not shift[own].numel():
                continue
            around = neighbours(shift, own)
            current, place = shift[own], here[own]
            may_change = F.max_pool2d((changed | moved).float()[None, None], 3, 1, 1)[0, 0, *own] > 0
            for candidate in around[: len(NEIGHBOURS_4)]:
                agreeing = (around == candidate).sum(0) - (around == current).sum(0)
                gain = agreeing * gain_of_one[own]
                new_index, inside = shifted_indices(candidate + place, span, source)
                fits = inside & (candidate != current)
                where = (may_change & fits & (found[0][own] + gain > score[own])).flatten().nonzero()[:, 0]
                if not len(where):
                    continue
                new_index = new_index.flatten()[where]
                flat = (top + where.div(current.shape[1], rounding_mode="floor") * 2) * nx
                flat += left + where.remainder(current.shape[1]) * 2
                new_score = scores(flat, new_index)
                better = new_score + gain.flatten()[where] > score.flatten()[flat]
                flat, where = flat[better], where[better]
                score.view(-1)[flat] = new_score[better]
                index.view(-1)[flat] = new_index[better]
                shift.view(-1)[flat] = candidate.flatten()[where]
                moved.view(-1)[flat] = True
                current = shift[own]
        changed = moved
    return score, index


def shifts(index: Tensor, source: Source) -> tuple[Tensor, Tensor, int]:
    """The shift of each match relative to its patch, rows and columns in one number; neighbours agree if it is equal.

    Args:
        index: numbers of style patches, …×ny×nx.
        source: the style.

    Returns:
        The shifts, …×ny×nx; the place of each patch as such a number, ny×nx; and the factor of rows in it.
    """
    nu, (ny, nx) = source.inverse.shape[1], index.shape[-2:]
    rows, columns = torch.arange(ny, device=index.device)[:, None], torch.arange(nx, device=index.device)
    span = 2 * (nu + nx)
    here = rows * span + columns
    return index.div(nu, rounding_mode="floor") * span + index.remainder(nu) - here, here, span


def shifted_indices(at: Tensor, span: int, source: Source) -> tuple[Tensor, Tensor]:
    """The numbers of the style's patches at places that are coded as in `shifts`, and whether they exist."""
    nv, nu = source.inverse.shape
    down, along = at.div(span, rounding_mode="floor"), at.remainder(span)
    return down * nu + along, (down >= 0) & (down < nv) & (along < nu)


def neighbour_gain(squares: Tensor, patch: int, stride: int, weight: float) -> Tensor:
    """The gain of one agreeing neighbour, in units of the score ⟨P, S⟩/‖S‖: ``weight · ‖P‖ / 8``.

    Args:
        squares: squared lengths of the photo's vectors, N×H×W.
        patch: side of a patch.
        stride: positions between patches.
        weight: weight of agreement.

    Returns:
        N×ny×nx.
    """
    return weight / len(_NEIGHBOURS_8) * F.avg_pool2d(squares, patch, stride, divisor_override=1).sqrt()


def neighbours(shift: Tensor, own: tuple[Any, ...]) -> Tensor:
    """The shifts of the eight neighbours of the patches `own`: …×ny×nx -> 8×…×n×m."""
    ny, nx = shift.shape[-2:]
    framed = F.pad(shift, (1, 1, 1, 1), value=_OUTSIDE)
    return torch.stack([framed[..., 1 + dy : 1 + dy + ny, 1 + dx : 1 + dx + nx][own] for dy, dx in _NEIGHBOURS_8])
