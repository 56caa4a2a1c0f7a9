"""How good a feed-forward network is: the steps of optimisation that do as well on the same loss.

Johnson et al. 2016 compare their networks in this way (their figure 5): with L-BFGS, without preconditioning, on the
very objective the network was trained for. They begin with white noise; from the photograph it is many steps ahead.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..encoders.vgg import VGG
from ..losses.objective import ContentTerm, GramTerm, Objective, Term, TVTerm
from ..losses.optimisers import LBFGS
from ..weights.layers import resolve_layer
from .tasks.johnson import StyleTargets, active
from .tasks.johnson_options import JohnsonTraining


def objective(vgg: VGG, options: JohnsonTraining, targets: StyleTargets, style: int, photo: Tensor) -> Objective:
    """The loss a network was trained for, of a style and a photograph, 1×3×H×W; but for the term of its own grid."""
    terms: list[Term] = []
    for layer, weight in targets.weights.items():
        gram = targets.grams[layer][style]
        if options.style_form == "relative":  # the term divides by the number of entries
            weight = weight * gram.numel() / float(gram.square().sum())
        terms.append(GramTerm(layer, gram, weight, options.gram_norm))
    content = {resolve_layer(name, vgg.spec.arch): weight for name, weight in options.content_layers.items()}
    wanted = active(content, options.content_weight)
    for layer, features in vgg(photo, wanted).items():
        weight = wanted[layer]
        if options.content_form == "relative":
            weight = weight * features.numel() / float(features.float().square().sum())
        terms.append(ContentTerm(layer, features.clone(), weight))
    tv = TVTerm(options.tv, "squared-mean", 1.0) if options.tv else None
    return Objective(vgg, terms, tv, options.range / 255**2)


def steps_worth(loss: Objective, begin: Tensor, picture: Tensor, most: int = 200) -> tuple[int, list[float]]:
    """Steps of L-BFGS from `begin` whose loss `picture` still matches, and the losses on the way.

    Returns:
        The largest N up to `most` with ``loss(picture) ≤ loss after N steps``, and the losses after 0, 1, … steps
        (one more than N where `most` was not reached).
    """
    aim = float(loss(picture)[0]["total"])
    image, optimiser = begin.clone(), LBFGS(history=100)
    losses: list[float] = []
    for step in range(most + 1):
        values, gradient = loss(image)
        losses.append(float(values["total"]))
        if losses[-1] < aim:
            return step - 1, losses
        optimiser.update(image, gradient)
    return most, losses


@torch.no_grad()
def optimised(loss: Objective, photo: Tensor, steps: int) -> Tensor:
    """What L-BFGS makes of a photograph in so many steps."""
    image, optimiser = photo.clone(), LBFGS(history=100)
    for _ in range(steps):
        optimiser.update(image, loss(image)[1])
    return image
