"""Matches whose neighbours are neighbours in the style too, so that pieces of it larger than a patch stay whole.

Every patch of a photo finds the most similar one of a style by itself. Where nothing much tells them apart, patches
from anywhere come to lie beside each other, and averaged their strokes are gone. Ashikhmin 2001, "Synthesizing
Natural Textures", and Hertzmann et al. 2001, "Image Analogies", prefer what continues a neighbour's patch where that
is not much less similar. Here that is an energy, lowered one patch at a time (Besag 1986, "On the Statistical
Analysis of Dirty Pictures").
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .exact import Source, squared_lengths
from .pairs import Grid, PairScores

ROUNDS = 3
BESIDE = ((-1, 0), (1, 0), (0, -1), (0, 1))  # whose patches are continued
_AROUND = (*BESIDE, (-1, -1), (1, 1), (-1, 1), (1, -1))  # that are agreed with
QUARTERS = ((0, 0), (1, 1), (0, 1), (1, 0))  # of four that touch, one moves at a time
_NOWHERE = -(2**62)


def coherent(
    pixels: Tensor,
    source: Source,
    patch: int,
    stride: int,
    found: tuple[Tensor, Tensor],
    weight: float,
    budget: float,
) -> tuple[Tensor, Tensor]:
    """Score and index as a search found them, both ny×nx, changed where that makes more neighbours agree.

    Lowered is the sum over patches of ``−cosine similarity − weight · share``: of the eight patches around, the share
    that lies in the style where it lies here, beside this one.

    Args:
        pixels: H×W×C of the photo, contiguous, as they are compared.
        source: the style.
        patch: side of a patch.
        stride: positions between patches.
        found: from a search; no other patch is taken to be more similar than these.
        weight: of agreement; 0 changes nothing.
        budget: working memory in bytes.
    """
    score, index = (each.clone() for each in found)
    photo = Grid(pixels, patch, stride)
    scores = PairScores(photo, source, budget)
    nx = index.shape[1]
    worth = worth_of_one(squared_lengths(pixels)[None], patch, stride, weight)[0]
    shift, here, span = shifts(index, source)
    recent = torch.ones_like(index, dtype=torch.bool)  # that have moved since their neighbours last had a choice
    for _ in range(ROUNDS):
        moved = torch.zeros_like(recent)
        for top, left in QUARTERS:
            own = (slice(top, None, 2), slice(left, None, 2))
            if not shift[own].numel():
                continue
            around = neighbours(shift, own)
            mine, place = shift[own], here[own]
            stirred = F.max_pool2d((recent | moved).float()[None, None], 3, 1, 1)[0, 0, *own] > 0
            for candidate in around[: len(BESIDE)]:
                agreeing = (around == candidate).sum(0) - (around == mine).sum(0)
                gain = agreeing * worth[own]
                tried, inside = landed(candidate + place, span, source)
                fits = inside & (candidate != mine)
                where = (stirred & fits & (found[0][own] + gain > score[own])).flatten().nonzero()[:, 0]
                if not len(where):
                    continue
                tried = tried.flatten()[where]
                flat = (top + where.div(mine.shape[1], rounding_mode="floor") * 2) * nx
                flat += left + where.remainder(mine.shape[1]) * 2
                got = scores(flat, tried)
                better = got + gain.flatten()[where] > score.flatten()[flat]
                flat, where = flat[better], where[better]
                score.view(-1)[flat] = got[better]
                index.view(-1)[flat] = tried[better]
                shift.view(-1)[flat] = candidate.flatten()[where]
                moved.view(-1)[flat] = True
                mine = shift[own]
        recent = moved
    return score, index


def shifts(index: Tensor, source: Source) -> tuple[Tensor, Tensor, int]:
    """How far patches, …×ny×nx indices into a style, are moved, down and along in one number: alike where they agree.

    Returns:
        The shifts; where each patch is, ny×nx, counted alike; and what a row counts.
    """
    nu, (ny, nx) = source.inverse.shape[1], index.shape[-2:]
    rows, columns = torch.arange(ny, device=index.device)[:, None], torch.arange(nx, device=index.device)
    span = 2 * (nu + nx)
    here = rows * span + columns
    return index.div(nu, rounding_mode="floor") * span + index.remainder(nu) - here, here, span


def landed(at: Tensor, span: int, source: Source) -> tuple[Tensor, Tensor]:
    """Indices of the style's patches at places counted as by `shifts`, and whether there are such."""
    nv, nu = source.inverse.shape
    down, along = at.div(span, rounding_mode="floor"), at.remainder(span)
    return down * nu + along, (down >= 0) & (down < nv) & (along < nu)


def worth_of_one(squares: Tensor, patch: int, stride: int, weight: float) -> Tensor:
    """What a neighbour that agrees counts, in the units of scores, N×ny×nx, of positions' squared lengths N×H×W."""
    return weight / len(_AROUND) * F.avg_pool2d(squares, patch, stride, divisor_override=1).sqrt()


def neighbours(shift: Tensor, own: tuple[Any, ...]) -> Tensor:
    """Those around every second patch of every second row: …×ny×nx -> 8×…×n×m."""
    ny, nx = shift.shape[-2:]
    framed = F.pad(shift, (1, 1, 1, 1), value=_NOWHERE)
    return torch.stack([framed[..., 1 + dy : 1 + dy + ny, 1 + dx : 1 + dx + nx][own] for dy, dx in _AROUND])
