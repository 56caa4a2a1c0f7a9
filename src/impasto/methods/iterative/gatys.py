"""Painting by optimisation: Gatys, Ecker & Bethge 2015, "A Neural Algorithm of Artistic Style"."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ...encoders.vgg import VGG
from ...errors import RequestError
from ...images.geometry import fit, fitted_size, resize
from ...images.read import read
from ...losses.descent import Descent, smaller
from ...losses.objective import NormalisedGradient, Term, TVTerm, content_terms, style_terms
from ...losses.optimisers import LBFGS, Adam, Optimiser, frequency_preconditioner
from ...losses.tiled import TiledObjective
from ...memory import describe
from ...painter import Checkpoint, Painter, Regions, State, Step
from ...recipe import Recipe
from ...runtime import compute_dtype, keep_freed_memory
from ...weights.layers import deepest, resolve_layer
from ...weights.load import load
from ..budget import Optimisation, Plan, Stage, plan_within, told
from ..resume import digest
from .options import GatysOptions

_LEVELS = 255.0
_PLATEAU_WINDOW = 50
_SMALLEST = 16  # pixels a side: relu5_1 is then a single position

# Settings a resumed painting may change: it may go on for longer (`_Log` checks the stages), and they decide no step.
_FREE = {"steps", "schedule", "min_size", "scale_step", "first_steps", "max_seconds", "plateau"}


def bind(recipe: Recipe, styles: Sequence[Tensor], device: torch.device) -> GatysPainter:
    """Load the encoder the recipe names."""
    return GatysPainter(recipe, styles, device)


class GatysPainter(Painter):
    """Optimises the pixels of a picture, from coarse to fine where the options say so."""

    resumable = True

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

    def objective(self, content: Tensor, regions: Regions | None = None, tile: int | None = None) -> TiledObjective:
        """The loss to minimise for a photograph already at its working size, 1×3×H×W; in tiles of `tile` pixels."""
        options = self.options
        styles = (self._fit_style(style, content) for style in self._styles)
        terms: list[Term] = []
        terms += style_terms(
            self.encoder,
            styles,
            self.recipe.style_shares(),
            {layer: weight * options.style_weight for layer, weight in self._style_layers.items()},
            kind=options.style_loss,
            norm=options.gram_norm,
            regions=regions,
            tile=tile,
        )
        terms += content_terms(
            self.encoder,
            content,
            {layer: weight * options.content_weight for layer, weight in self._content_layers.items()},
            options.content_reduction,
            tile=tile,
        )
        if options.normalize_gradients:
            terms = [NormalisedGradient(term) for term in terms]
        tv = TVTerm(options.tv_weight, options.tv_kind, self.encoder.spec.scale) if options.tv_weight else None
        return TiledObjective(self.encoder, terms, tv, options.range_weight, tile=tile)

    def _fit_style(self, style: Tensor, content: Tensor) -> Tensor:
        return resize(style, *self._style_size(style, _size_of(content)))

    def _style_size(self, style: Tensor, photo: tuple[int, int]) -> tuple[int, int]:
        """Height and width a style picture is seen at beside a photograph of height and width `photo`."""
        options = self.options
        height, width = photo
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
        return fitted_size(own_height, own_width, max(_SMALLEST, round(longest)))

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
        # The last first: a budget too small is told what does for all.
        plans = [self.plan(content, size, steps) for size, steps in reversed(stages)][::-1]
        total = sum(steps for _, steps in stages)
        log = _Log(self.checkpoint, self._origin(content, regions) if self.checkpoint else {}, stages)
        image: Tensor | None = None
        for number, ((size, steps), plan) in enumerate(zip(stages, plans, strict=True)):
            if number < log.stage:
                continue  # done before the painting was put aside
            photo, given = _fitted(content, size)
            image = self.beginning(photo) if image is None else resize(image, *photo.shape[2:])
            finished = number == len(stages) - 1
            if steps == 0:
                note = f"{max(photo.shape[2:])} px" if len(stages) > 1 else ""
                yield Step(resize(image, *given).clamp(0, 1), log.done, total, {}, note)
                continue
            keep_freed_memory(plan.tile is None)  # in tiles memory is scarce
            run = Run(self._objective_within(photo, regions, plan), image, options, plan.history)
            image = None
            log.begin(number, run)
            stop = log.reason_to_stop(options, finished) if run.steps else ""
            if stop or (finished and run.steps == steps):  # resumed, and there is nothing left to do
                yield Step(resize(run.shown(final=True), *given), log.done, total, log.losses, stop)
                return
            with log:
                while not stop and run.steps < steps:
                    log.losses = run.step()
                    log.done += 1
                    stop = log.reason_to_stop(options, finished)
                    last = bool(stop) or (finished and run.steps == steps)
                    log.save(ended=last or run.steps == steps)
                    note = self._note(photo, plan, run.tile, alone=len(stages) == 1)
                    yield Step(resize(run.shown(final=last), *given), log.done, total, log.losses, stop or note)
            image = run.carried()
            if stop:
                return

    def plan(self, content: Tensor, size: int, steps: int) -> Plan:
        """How a stage is worked on within the budget."""
        photo = _fitted_size(content, size)
        stage = Stage(
            photo,
            [self._style_size(style, photo) for style in self._styles],
            steps,
            _weighing(self._content_layers, self.options.content_weight),
            _weighing({**self._content_layers, **self._style_layers}, 1),
        )
        return plan_within(self.recipe.memory, stage, optimisation(self.options, self.encoder), self.encoder)

    def _note(self, photo: Tensor, plan: Plan, tile: int | None, *, alone: bool) -> str:
        """The size where there are several, and how memory is kept within bounds where it has to be."""
        size = _size_of(photo)
        parts = [] if alone else [f"{max(size)} px"]
        parts += told(plan, optimisation(self.options, self.encoder), tile, size)
        if self.recipe.memory or len(parts) > (not alone):
            parts.append(f"about {describe(plan.peak)}")
        return ", ".join(parts)

    def _objective_within(self, photo: Tensor, regions: Regions | None, plan: Plan) -> TiledObjective:
        tile = plan.tile
        while True:
            try:
                return self.objective(photo, regions, tile)
            except (RuntimeError, MemoryError) as error:
                tile = smaller(error, tile, _size_of(photo))

    def _origin(self, content: Tensor, regions: Regions | None) -> dict[str, Any]:
        """What a painting is made from, as far as its next step depends on it; pictures by their pixels."""
        data = self.recipe.model_dump(
            mode="json", exclude={"options", "styles", "encoder", "nets", "preset", "memory"}
        )
        data |= self.options.model_dump(mode="json", exclude=_FREE)
        data["encoder"] = ", ".join(self.recipe.nets.values())
        data["photo"] = digest(content)
        data["style weights"] = list(self.recipe.style_shares())
        data |= {f"style {number}": digest(style) for number, style in enumerate(self._styles, 1)}
        if self.options.init not in ("content", "style", "random"):
            data["init"] = digest(self.beginning(content))
        if regions is not None:
            data["masks"] = digest(regions.shares)
        return data


def _weighing(layers: Mapping[str, float], weight: float) -> list[str]:
    return [layer for layer, own in layers.items() if own * weight > 0]


def _fitted_size(content: Tensor, size: int) -> tuple[int, int]:
    """Height and width a stage works at: a sliver is painted wider than it is, so that deep layers see something."""
    height, width = fitted_size(*_size_of(content), size)
    return max(height, _SMALLEST), max(width, _SMALLEST)


def _fitted(content: Tensor, size: int) -> tuple[Tensor, tuple[int, int]]:
    """The photograph at a stage's working size, and the height and width it is shown at."""
    photo = fit(content, size)
    return resize(photo, *_fitted_size(content, size)), _size_of(photo)


def _size_of(image: Tensor) -> tuple[int, int]:
    return image.shape[2], image.shape[3]


class _Log:
    """How far a painting has come, and its checkpoint. As a context it saves what an interruption would lose."""

    def __init__(
        self, checkpoint: Checkpoint | None, origin: Mapping[str, Any], stages: Sequence[tuple[int, int]]
    ) -> None:
        self._checkpoint, self._origin, self._stages = checkpoint, origin, stages
        self._state = checkpoint.load(origin) if checkpoint else None
        facts = self._state.facts if self._state else {}
        self.stage: int = facts.get("stage", 0)
        self.done: int = facts.get("done", 0)
        self.losses: dict[str, float] = facts.get("losses", {})
        self._began = time.monotonic() - facts.get("seconds", 0.0)
        self._run: Run | None = None
        self._saved = self.done
        if facts:
            self._check(facts)

    def _check(self, facts: Mapping[str, Any]) -> None:
        """Refuse stages under which the state would not have come about."""
        was = [tuple(stage) for stage in facts["stages"]]
        stages, now, made = list(self._stages), self.stage, facts["run"]["steps"]
        same = len(stages) > now and stages[:now] == was[:now] and stages[now][0] == was[now][0]
        if not same or stages[now][1] < made:
            so_far = [*was[:now], (was[now][0], made)]
            asked = stages[: now + 1]
            raise RequestError(
                f"the state has done {_spelled(so_far)}, which {_spelled(asked)} does not begin with (SIZE:STEPS); "
                "expected the same stages or more steps"
            )

    def begin(self, stage: int, run: Run) -> None:
        """A stage begins, or the one goes on that was put aside."""
        if self._state is not None:
            run.restore(self._state.tensors, self._state.facts["run"])
            self._state = None
        self.stage, self._run = stage, run

    def reason_to_stop(self, options: GatysOptions, finished: bool) -> str:
        """Why to stop before the last step, or nothing; `finished` at the final size."""
        assert self._run is not None
        if options.max_seconds is not None and time.monotonic() - self._began >= options.max_seconds:
            return f"time limit of {options.max_seconds:g} s reached"
        return self._run.reason_to_stop() if finished else ""

    def save(self, *, ended: bool) -> None:
        """Save where it is time, or where a stage has `ended`."""
        checkpoint, run = self._checkpoint, self._run
        if checkpoint is None or run is None or not (ended or checkpoint.due()):
            return
        tensors, facts = run.state()
        progress = {
            "stage": self.stage,
            "stages": self._stages,
            "done": self.done,
            "losses": self.losses,
            "seconds": time.monotonic() - self._began,
            "run": facts,
        }
        checkpoint.save(State(tensors, progress, self._origin))
        self._saved = self.done

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt | GeneratorExit)
        if interrupted and self._run is not None and self._run.whole and self._saved < self.done:
            self.save(ended=True)


def _spelled(stages: Sequence[tuple[int, ...]]) -> str:
    return ",".join(":".join(map(str, stage)) for stage in stages)


class Run(Descent):
    """The optimisation at one size: `step` until it is good, then `shown` or `carried`. It can be put aside.

    Optimisers work in levels of 255, as the peers' do with Caffe's networks.
    """

    def __init__(
        self, objective: TiledObjective, image: Tensor, options: GatysOptions, history: int | None = None
    ) -> None:
        image = image.float().clone(memory_format=torch.contiguous_format) * _LEVELS
        optimiser = _optimiser(options, image, history or options.lbfgs_history)
        super().__init__(objective, image, optimiser, unit=_LEVELS, clamp=options.clamp)
        self._options = options
        self._mean: Tensor | None = None
        self._best: tuple[float, Tensor] | None = None
        self._lows: deque[float] = deque(maxlen=_PLATEAU_WINDOW + 1)

    def _before(self, total: float) -> None:
        if self._options.keep_best and (self._best is None or total < self._best[0]):
            self._best = (total, self.image.clone())
        self._lows.append(self.lowest)

    def _after(self) -> None:
        if decay := self._options.average:
            kept = torch.zeros_like(self.image) if self._mean is None else self._mean
            self._mean = kept.mul_(decay).add_(self.image, alpha=1 - decay)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """All that the next step depends on: tensors, not copied, and JSON data."""
        tensors, facts = self._optimiser.state()
        kept = {f"optimiser.{name}": tensor for name, tensor in tensors.items()}
        kept["image"] = self.image
        if self._mean is not None:
            kept["mean"] = self._mean
        if self._best is not None:
            kept["best"] = self._best[1]
        best = self._best and self._best[0]
        return kept, {"steps": self.steps, "lows": list(self._lows), "best": best, "optimiser": facts}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Go on from a `state`, whose tensors are taken over."""
        found = {name: tensor.to(self.image.device) for name, tensor in tensors.items()}
        self.image.copy_(found["image"])
        self._mean = found.get("mean")
        self._best = (facts["best"], found["best"]) if "best" in found else None
        self._lows.extend(facts["lows"])
        self.lowest = min(self._lows, default=math.inf)
        self.steps = facts["steps"]
        prefix = "optimiser."
        own = {name.removeprefix(prefix): tensor for name, tensor in found.items() if name.startswith(prefix)}
        self._optimiser.restore(own, facts["optimiser"])

    def reason_to_stop(self) -> str:
        """Why to stop early, or nothing."""
        limit = self._options.plateau
        if limit and len(self._lows) > _PLATEAU_WINDOW and self._lows[0] - self._lows[-1] < limit * self._lows[0]:
            return f"the loss improved by less than {limit:g} in {_PLATEAU_WINDOW} steps"
        return ""

    def shown(self, *, final: bool = False) -> Tensor:
        """The picture so far, in [0, 1]; the best one at the end where it is kept."""
        if final and self._best is not None:
            return (self._best[1] / _LEVELS).clamp_(0, 1)
        return self.carried().clamp_(0, 1)

    def carried(self) -> Tensor:
        """What the next size begins from: the picture, or its bias-corrected running mean."""
        if self._mean is None:
            return self.image / _LEVELS
        return self._mean / (_LEVELS * (1 - self._options.average**self.steps))


def optimisation(options: GatysOptions, encoder: VGG) -> Optimisation:
    """What the memory depends on, of the settings."""
    # Statistics of an inner region are of a copy; those of Gaussians of two, in float32, everywhere.
    gaussians = options.style_loss == "wasserstein"
    return Optimisation(
        options.optimizer,
        options.lbfgs_history,
        pictures=1 + bool(options.average) + options.keep_best,  # the photograph fitted, the mean, the best
        copies=3 * 4 if gaussians else encoder.dtype.itemsize,
        whole_too=gaussians,
        tv=bool(options.tv_weight),
    )


def _optimiser(options: GatysOptions, image: Tensor, history: int) -> Optimiser:
    if options.optimizer == "lbfgs":
        height, width = image.shape[2:]
        preconditioner = frequency_preconditioner(height, width, options.precondition, image.device)
        return LBFGS(options.learning_rate or 1.0, history, preconditioner)
    return Adam(image, options.learning_rate or 5.0, (options.adam_beta1, options.adam_beta2))


def _fill(picture: Tensor, height: int, width: int) -> Tensor:
    """Crop the middle of `picture` to the proportions height:width."""
    own_height, own_width = picture.shape[2:]
    scale = min(own_height / height, own_width / width)
    crop_height, crop_width = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (own_height - crop_height) // 2, (own_width - crop_width) // 2
    return picture[:, :, top : top + crop_height, left : left + crop_width]
