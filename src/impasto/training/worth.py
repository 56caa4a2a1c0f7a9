"""How good a feed-forward network is: how many steps of optimisation reach the same loss.

Johnson et al. 2016 compare their networks in this way (their figure 5): with L-BFGS, without preconditioning, on the
objective that the network was trained for. They begin with white noise. Optimisation that begins with the photograph
needs far fewer steps.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..encoders.vgg import VGG
from ..losses.objective import ContentTerm, GramTerm, Objective, Term, TVTerm
from ..losses.optimisers import LBFGS
from ..weights.layers import resolve_layer
from .tasks.johnson_options import JohnsonTraining
from .tasks.johnson_targets import StyleTargets, active


def objective(vgg: VGG, options: JohnsonTraining, targets: StyleTargets, style: int, photo: Tensor) -> Objective:
    """Return the loss that a network was trained for, without the loss against a lattice.

    Args:
        vgg: the encoder.
        options: the network's training settings.
        targets: of its styles.
        style: place of the style in `targets`.
        photo: 1×3×H×W in [0, 1].
    """
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
    """Count the steps of L-BFGS that do no better than a picture.

    Args:
        loss: of the picture's photograph and style.
        begin: the image that L-BFGS begins with, 1×3×H×W.
        picture: what a network painted, 1×3×H×W.
        most: steps to stop at.

    Returns:
        The largest N up to `most` with ``loss(picture) ≤ loss after N steps``, and the losses after 0, 1, … steps.
    """
    target = float(loss(picture)[0]["total"])
    image, optimiser = begin.clone(), LBFGS(history=100)
    losses: list[float] = []
    for step in range(most + 1):
        values, gradient = loss(image)
        losses.append(float(values["total"]))
        if losses[-1] < target:
            return step - 1, losses
        optimiser.update(image, gradient)
    return most, losses


@torch.no_grad()
def optimise(loss: Objective, photo: Tensor, steps: int) -> Tensor:
    """Return the image that L-BFGS makes of a photograph, 1×3×H×W, in a number of steps."""
    image, optimiser = photo.clone(), LBFGS(history=100)
    for _ in range(steps):
        optimiser.update(image, loss(image)[1])
    return image
