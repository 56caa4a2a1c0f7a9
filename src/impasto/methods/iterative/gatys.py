"""Painting by optimisation: Gatys, Ecker & Bethge 2015, "A Neural Algorithm of Artistic Style"."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from ...encoders.vgg import VGG
from ...errors import ImpastoError, RequestError
from ...images.geometry import fit, resize
from ...images.read import read
from ...losses.objective import NormalisedGradient, Objective, TVTerm, content_terms, style_terms
from ...losses.optimisers import LBFGS, Update, adam, frequency_preconditioner
from ...painter import Painter, Regions, Step
from ...recipe import Recipe
from ...runtime import compute_dtype, keep_freed_memory
from ...weights.layers import deepest, resolve_layer
from ...weights.load import load
from .options import GatysOptions

_PLATEAU_WINDOW = 50
_SMALLEST = 16  # pixels a side: relu5_1 is then a single position


def bind(recipe: Recipe, styles: Sequence[Tensor], device: torch.device) -> GatysPainter:
    """Load the encoder the recipe names."""
    return GatysPainter(recipe, styles, device)


class GatysPainter(Painter):
    """Optimises the pixels of a picture, from coarse to fine where the options say so."""

    def __init__(self, recipe: Recipe, styles: Sequence[Tensor], device: torch.device) -> None:
        if not isinstance(recipe.options, GatysOptions):
            raise RequestError(f"recipe holds {type(recipe.options).__name__}; expected GatysOptions")
        self.options = recipe.options
        self.device = device
        self._styles = [style.to(device) for style in styles]
        if not self._styles and self.options.style_weight > 0:
            raise RequestError("no style picture; give at least one, or style_weight 0")
        weights = load(recipe.encoder)
        arch = weights.spec.arch
        self._content_layers = {resolve_layer(k, arch): w for k, w in self.options.content_layers.items()}
        self._style_layers = {resolve_layer(k, arch): w for k, w in self.options.style_layers.items()}
        layers = [*self._content_layers, *self._style_layers]
        overrides: dict[str, Any] = {"pooling": self.options.pooling, "pool_gain": self.options.pool_gain}
        if self.options.padding is not None:
            overrides["padding"] = self.options.padding
        if self.options.preprocess == "unnormalised":
            overrides |= {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
        elif self.options.preprocess == "minus-128":
            level = 128 / 255 * weights.spec.scale
            overrides |= {"mean": (level, level, level), "std": (1.0, 1.0, 1.0)}
        self.encoder = VGG(
            weights,
            device=device,
            dtype=compute_dtype(device, recipe.precision),
            until=deepest(layers, arch),
            **overrides,
        )
        self.recipe = recipe.model_copy(update={"nets": {**recipe.nets, recipe.encoder: weights.sha256}})
        keep_freed_memory()

    def objective(self, content: Tensor, regions: Regions | None = None) -> Objective:
        """The loss to minimise for a photograph already at its working size, 1×3×H×W."""
        options = self.options
        styles = [self._fit_style(style, content) for style in self._styles]
        terms = style_terms(
            self.encoder,
            styles,
            self.recipe.style_shares(),
            {layer: weight * options.style_weight for layer, weight in self._style_layers.items()},
            kind=options.style_loss,
            norm=options.gram_norm,
            regions=regions,
        )
        terms += content_terms(
            self.encoder,
            content,
            {layer: weight * options.content_weight for layer, weight in self._content_layers.items()},
            options.content_reduction,
        )
        if options.normalize_gradients:
            terms = [NormalisedGradient(term) for term in terms]
        tv = TVTerm(options.tv_weight, options.tv_kind, self.encoder.spec.scale) if options.tv_weight else None
        return Objective(self.encoder, terms, tv, options.range_weight)

    def _fit_style(self, style: Tensor, content: Tensor) -> Tensor:
        options = self.options
        height, width = content.shape[2:]
        own_height, own_width = style.shape[2:]
        if options.style_fit == "native":
            longest = float(max(own_height, own_width))
        elif options.style_fit == "longest":
            longest = float(max(height, width))
        else:
            longest = (height * width / (own_height * own_width)) ** 0.5 * max(own_height, own_width)
        longest *= options.style_scale
        if not options.style_upscale:
            longest = min(longest, max(own_height, own_width))
        return fit(style, max(_SMALLEST, round(longest)))

    def beginning(self, content: Tensor) -> Tensor:
        """The picture to start from, at the size of `content`."""
        init = self.options.init
        height, width = content.shape[2:]
        if init == "content":
            return content.clone()
        if init == "random":
            generator = torch.Generator().manual_seed(self.recipe.seed)
            noise = torch.randn(content.shape, generator=generator).to(self.device) * self.options.init_noise / 255
            spec = self.encoder.spec
            mean = torch.tensor(spec.mean, device=self.device) / spec.scale
            if spec.channels == "bgr":
                mean = mean.flip(0)
            return noise + mean.view(1, 3, 1, 1)
        if init == "style" and self._styles:
            picture = self._styles[0]
        elif init == "style":
            raise RequestError("init is style, but there is no style picture")
        else:
            picture = read(init).pixels.to(self.device)
        return resize(_fill(picture, height, width), height, width)

    def paint(self, content: Tensor, regions: Regions | None = None) -> Iterator[Step]:
        """Paint; see `Painter.paint`. Losses are those of the picture the step began from."""
        options = self.options
        content = content.to(self.device)
        final = self.recipe.size or max(content.shape[2:])
        stages = options.stages(final)
        if min(content.shape[2:]) < 1 or max(content.shape[2:]) < 2:
            height, width = content.shape[2:]
            raise RequestError(f"the photo is {width}×{height} pixels; expected at least 2 a side")
        total = sum(steps for _, steps in stages)
        started = time.monotonic()
        image: Tensor | None = None
        done = 0
        for number, (size, steps) in enumerate(stages, 1):
            photo = fit(content, size)
            given = photo.shape[2:]
            # A sliver is painted wider than it is, so that deep layers see something, and shown at its size.
            photo = resize(photo, *(max(side, _SMALLEST) for side in given))
            image = self.beginning(photo) if image is None else resize(image, *photo.shape[2:])
            note = f"{max(photo.shape[2:])} px" if len(stages) > 1 else ""
            finished = number == len(stages)
            if steps == 0:
                yield Step(resize(image, *given).clamp(0, 1), done, total, {}, note)
                continue
            run = Descent(self.objective(photo, regions), image, options)
            stop = ""
            while not stop and run.steps < steps:
                losses = run.step()
                done += 1
                stop = run.reason_to_stop() if finished else ""
                if options.max_seconds is not None and time.monotonic() - started >= options.max_seconds:
                    stop = f"time limit of {options.max_seconds:g} s reached"
                last = bool(stop) or (finished and run.steps == steps)
                yield Step(resize(run.shown(final=last), *given), done, total, losses, stop or note)
            image = run.carried()
            if stop:
                return


class Descent:
    """The optimisation at one size: `step` until it is good, then `shown` or `carried`."""

    def __init__(self, objective: Objective, image: Tensor, options: GatysOptions) -> None:
        self._objective, self._options = objective, options
        # Optimisers work in levels of 255, as the peers' do with Caffe's networks: it decides what a step is.
        self._unit = 255.0
        self._image = image.float().clone(memory_format=torch.contiguous_format) * self._unit
        self._update = _optimiser(options, self._image)
        self._mean: Tensor | None = None
        self._best: tuple[float, Tensor] | None = None
        self._lows: deque[float] = deque(maxlen=_PLATEAU_WINDOW + 1)
        self.steps = 0

    def step(self) -> dict[str, float]:
        """One evaluation and one move; the losses are those before the move."""
        tensors, gradient = self._objective(self._image / self._unit)
        names = list(tensors)
        losses = dict(zip(names, torch.stack([tensors[n].reshape(()) for n in names]).tolist(), strict=True))
        total = losses["total"]
        if not torch.isfinite(torch.tensor(total)):
            raise ImpastoError(
                f"the loss became {total} at step {self.steps + 1}; lower the learning rate or the weights, "
                "or use --precision exact"
            )
        if self._options.keep_best and (self._best is None or total < self._best[0]):
            self._best = (total, self._image.clone())
        self._lows.append(min(total, self._lows[-1]) if self._lows else total)
        self._update(self._image, gradient / self._unit)
        if self._options.clamp:
            self._image.clamp_(0, self._unit)
        self.steps += 1
        if decay := self._options.average:
            kept = torch.zeros_like(self._image) if self._mean is None else self._mean
            self._mean = kept.mul_(decay).add_(self._image, alpha=1 - decay)
        return losses

    def reason_to_stop(self) -> str:
        """Why to stop early, or nothing."""
        limit = self._options.plateau
        if limit and len(self._lows) > _PLATEAU_WINDOW and self._lows[0] - self._lows[-1] < limit * self._lows[0]:
            return f"the loss improved by less than {limit:g} in {_PLATEAU_WINDOW} steps"
        return ""

    def shown(self, *, final: bool = False) -> Tensor:
        """The picture so far, in [0, 1]; the best one at the end where it is kept."""
        if final and self._best is not None:
            return (self._best[1] / self._unit).clamp_(0, 1)
        return self.carried().clamp_(0, 1)

    def carried(self) -> Tensor:
        """What the next size begins from: the picture, or its bias-corrected running mean."""
        if self._mean is None:
            return self._image / self._unit
        return self._mean / (self._unit * (1 - self._options.average**self.steps))


def _optimiser(options: GatysOptions, image: Tensor) -> Update:
    if options.optimizer == "lbfgs":
        height, width = image.shape[2:]
        preconditioner = frequency_preconditioner(height, width, options.precondition, image.device)
        return LBFGS(options.learning_rate or 1.0, options.lbfgs_history, preconditioner).update
    return adam(image, options.learning_rate or 5.0, (options.adam_beta1, options.adam_beta2))


def _fill(picture: Tensor, height: int, width: int) -> Tensor:
    """Crop the middle of `picture` to the proportions height:width."""
    own_height, own_width = picture.shape[2:]
    scale = min(own_height / height, own_width / width)
    crop_height, crop_width = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (own_height - crop_height) // 2, (own_width - crop_width) // 2
    return picture[:, :, top : top + crop_height, left : left + crop_width]
