"""A loss that holds a picture at another one: the temporal loss of films.

Ruder, Dosovitskiy & Brox 2016, "Artistic Style Transfer for Videos", equation 7.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from torch import Tensor

from ..images.geometry import resize

_FAR = 8 / 255  # a root mean square distance that costs as much as all other losses at the beginning


@dataclass
class Held:
    """``weight · mean(trust · (x − picture)²)``.

    The weight comes from the other losses of the first picture that is measured, whatever their scale is.

    Attributes:
        picture: what to stay at, 1×3×H×W in [0, 1].
        trust: how much each pixel is held, 1×1×H×W in [0, 1].
        strength: factor of the weight.
        weight: see above; None before the first picture.
    """

    picture: Tensor
    trust: Tensor
    strength: float = 1.0
    weight: float | None = None

    def at(self, height: int, width: int) -> Held:
        """Return this for a size, with its weight still open."""
        picture, trust = (resize(each, height, width) for each in (self.picture, self.trust))
        return dataclasses.replace(self, picture=picture, trust=trust, weight=None)

    def add(self, image: Tensor, gradient: Tensor, others: Tensor) -> Tensor:
        """Return the weighted loss, and add its gradient to `gradient` in place.

        Args:
            image: 1×3×H×W.
            gradient: of the same shape.
            others: the sum of all other losses.
        """
        if self.weight is None:
            self.weight = self.strength * float(others) / _FAR**2
        difference = (image - self.picture) * self.trust
        gradient.add_(difference, alpha=2 * self.weight / image.numel())
        return (difference * (image - self.picture)).mean() * self.weight
