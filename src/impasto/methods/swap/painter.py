"""Painting by style-swap: Chen & Schmidt 2016, "Fast Patch-based Style Transfer of Arbitrary Style"."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...encoders.vgg import VGG
from ...errors import RequestError, WeightsError
from ...images.geometry import fit, fitted_size, resize
from ...images.grain import grained
from ...losses.descent import Descent
from ...losses.functional import relative_distance
from ...losses.objective import ContentTerm, NormalisedGradient, TVTerm
from ...losses.optimisers import LBFGS, Adam, Learned, Optimiser, frequency_preconditioner
from ...losses.tiled import TiledObjective
from ...matching.swap import BUDGET_MB, SwapStyle, prepare, swap, tone
from ...memory import describe
from ...nets.decoder import LAYERS, Decoder
from ...nets.descreen import descreened
from ...nets.files import SWAP_KIND, load_decoder
from ...painter import Painter, Regions, Step
from ...recipe import Recipe
from ...runtime import compute_dtype, give_back_freed_memory, keep_freed_memory
from ...statistics.moments import Moments, stacked
from ...statistics.transfer import impose_moments, mix_moments, stack_moments
from ...strips import VALUES
from ...weights.layers import layer_stride
from ...weights.load import load
from ..common.any_style import MARGIN, fitted_style, moments_inside
from ..common.budget import Optimisation, Plan, Stage, least, plan_within, told
from ..common.fitting import covered, covered_regions, fitted_photo
from ..common.scales import coarse_to_fine, scales
from ..common.within import Strips, held, strips_for
from .options import SwapOptions

_LEVELS = 255.0
_HISTORY = 20  # pairs L-BFGS remembers
# Of L-BFGS: the exponent of its preconditioner, and the mean of its first move. The net's picture has its colours and
# large shapes, which a preconditioner made for a photograph's would move; its loss is least 0.007 to 0.02 downhill.
_FROM_THE_PHOTO, _FROM_THE_NET = (0.5, 0.001), (0.25, 0.008)


def bind(recipe: Recipe, styles: Sequence[Tensor], device: torch.device) -> SwapPainter:
    """Load the encoder, the inverse net where one is used, and encode the styles' patches."""
    return SwapPainter(recipe, styles, device)


@dataclass(frozen=True)
class StyleStats:
    """The styles as seen beside a picture of one size.

    Attributes:
        apart: each one's moments by layer.
        mixed: these, mixed by weight.
        patches: of all styles together; or, for a painting with regions, each one's.
    """

    apart: Sequence[Mapping[str, Moments]]
    mixed: Mapping[str, Moments]
    patches: Sequence[SwapStyle]


class SwapPainter(Painter):
    """Encode, rebuild the features out of the styles' patches, turn them back; large pictures from coarse to fine."""

    def __init__(self, recipe: Recipe, styles: Sequence[Tensor], device: torch.device) -> None:
        options = recipe.options
        if not isinstance(options, SwapOptions):
            raise RequestError(f"recipe holds {type(options).__name__}; expected SwapOptions")
        if not styles:
            raise RequestError("no style picture; give at least one")
        self.options, self.device = options, device
        weights = load(recipe.encoder, until=LAYERS[-1])
        dtype = compute_dtype(device, recipe.precision)
        nets = {**recipe.nets, recipe.encoder: weights.sha256}
        self.decoder: Decoder | None = None
        as_trained: Mapping[str, Any] = {}
        if options.inverse != "optimise":
            try:
                net = load_decoder(
                    options.net, kind=SWAP_KIND, weights=weights, layer=options.layer, device=device, dtype=dtype
                )
            except WeightsError as error:
                raise WeightsError(f"{error}; or use --inverse optimise, which needs no net") from None
            self.decoder, as_trained = net.decoder, net.encoder
            nets[options.net] = net.sha256
        self.recipe = recipe.model_copy(update={"nets": nets})
        self.encoder = VGG(weights, device=device, dtype=dtype, until=options.layer, **as_trained)
        keep_freed_memory()
        self._inject = self.decoder.spec.inject if self.decoder else ()
        self._styles = [style.to(device) for style in styles]
        self._manners: dict[int, StyleStats] = {}
        if recipe.size:
            self._encode(self._scales(recipe.size), apart=any(part.mask for part in recipe.parts))

    def paint(self, content: Tensor, regions: Regions | None = None) -> Iterator[Step]:
        """Paint; see `Painter.paint`. One step by the net; by optimisation, losses are those before the step."""
        content = content.to(self.device)
        final = self.recipe.size or max(content.shape[2:])
        sizes = self._scales(final)
        self._encode(sizes, apart=regions is not None)
        height, width = content.shape[2:]
        given = fitted_size(height, width, final)
        largest = sizes[-1]
        if len(sizes) > 1:  # refused, if at all, before the passes of less memory
            self._strips(content.new_empty(1).expand(1, 3, *given), self._manners[largest], regions)
        # Planned before any work, the largest first: if one is refused, then with what does for all.
        refined = reversed(sizes) if self.options.descent(largest) else ()
        descents = {size: self._descent_plan(fitted_size(height, width, size), size) for size in refined}

        tones = {size: self._tones(content, size) for size in sizes}  # small, and of the photo in every pass

        def coarse(photo: Tensor, size: int) -> Tensor:
            ((picture, *_),) = deque(self._once(photo, size, tones[size], regions, descents.get(size)), maxlen=1)
            if self.recipe.memory is not None:
                del self._manners[size]
            return picture

        # Handed over, not held: a large picture is let go as soon as it is used.
        begun = coarse_to_fine(content, sizes, self._fitted, coarse)
        pictures = self._once(begun, largest, tones[largest], regions, descents.get(largest))
        for index, (picture, losses, note) in enumerate(pictures, 1):
            yield Step(resize(picture, *given), index, self.options.descent(largest) or 1, losses, note)

    def _once(
        self,
        photo: Tensor,
        size: int,
        tones: Tensor | None,
        regions: Regions | None,
        descent: tuple[Plan, int] | None = None,
    ) -> Iterator[tuple[Tensor, Mapping[str, float], str]]:
        """Pictures painted at one size, losses, and what is worth telling; see `_pictures`."""
        options, manner = self.options, self._manners[size]
        if self.decoder is not None:
            photo = grained(photo, options.grain * options.alpha, self.recipe.seed)
        margin = MARGIN if self.decoder else 0
        where = covered_regions(
            regions, photo, layer_stride(options.layer), options.patch_size, options.stride, margin
        )
        photo, (rows, columns) = self._covered(photo, margin)
        plan = self._strips(photo, manner, regions)
        target = plan.run(lambda values: self._swapped(photo, manner, tones, where, values))
        styles = manner.mixed if where is None else stack_moments(manner.apart)
        inside = moments_inside(styles, self.encoder, photo, self._inject, options.alpha, plan.values)
        note = "; ".join(filter(None, (plan.note, self._match_note(photo, manner))))
        if self.decoder is not None:
            photo = photo.new_empty(0)  # the net begins without it
        for picture, losses, how in self._pictures(target, inside, photo, plan, descent, where):
            if self.decoder is not None and options.descreen:
                picture = descreened(picture, self.decoder.spec.grid).clamp_(0, 1)
            yield picture[:, :, rows, columns], losses, "; ".join(filter(None, (note, how)))

    def _tones(self, content: Tensor, size: int) -> Tensor | None:
        """A photograph's at one size, at every position that is matched, where they count."""
        if not self.options.luminance_weight:
            return None
        photo, _ = self._covered(self._fitted(content, size), MARGIN if self.decoder else 0)
        return tone(photo, *self._positions(photo))

    def _scales(self, final: int) -> tuple[int, ...]:
        """Longest sides to paint at; without a net nothing bounds the strokes but the patches, and there is one."""
        return scales(final, self.options.style_scale) if self.decoder else (final,)

    def _strips(self, photo: Tensor, manner: StyleStats, regions: Regions | None = None) -> Strips:
        excess = max(each.excess(*self._positions(photo), self._match_budget) for each in manner.patches)
        holding = self._held(photo, apart=regions is not None) + excess
        return strips_for(photo, self.encoder, self.recipe.memory, holding)

    def _held(self, photo: Tensor, *, apart: bool) -> float:
        """Bytes that painting holds beside its strips, if the match keeps to its budget."""
        let_go = photo.numel() * photo.element_size() if self.decoder else 0  # before the picture is made
        # The photo's features, and what is matched, then made, of them; and, by region, the sum of what is made.
        return held(
            photo,
            self.encoder,
            (self.options.layer,),
            copies=3 if apart else 2,
            decoder=self.decoder,
            more=self._match_budget * 2**20 - let_go,
        )

    def _positions(self, photo: Tensor) -> tuple[int, int]:
        """Height and width of a picture's features."""
        stride = layer_stride(self.options.layer)
        return photo.shape[2] // stride, photo.shape[3] // stride

    def _match_note(self, photo: Tensor, manner: StyleStats) -> str:
        approximate = any(each.is_approximate(*self._positions(photo)) for each in manner.patches)
        return "patches by PatchMatch" if approximate else ""

    @property
    def _match_budget(self) -> float:
        """Working memory of the match in MiB."""
        return BUDGET_MB if self.recipe.memory is None else min(BUDGET_MB, self.recipe.memory / 16 / 2**20)

    def _encode(self, sizes: Sequence[int], *, apart: bool = False) -> None:
        """Have the styles encoded as they are seen beside pictures of these sizes, and of no others."""
        count = len(self._styles) if apart else 1
        kept = {size for size in sizes if size in self._manners and len(self._manners[size].patches) == count}
        for size in self._manners.keys() - kept:
            del self._manners[size]
        shares = self.recipe.style_shares()
        for size in reversed(sizes):  # the largest first: a budget too small is told what does for all
            if size in self._manners:
                continue
            patches: list[SwapStyle] = []
            features: list[Tensor] = []
            tones: list[Tensor] = []
            moments: list[dict[str, Moments]] = []
            for style in self._styles:
                found, its_tone, own = self._encoded(style, size, apart=apart, last=size == sizes[-1])
                moments.append(own)
                features.append(found)
                tones.append(its_tone)
                del found
                if apart:
                    patches.append(self._prepared([features.pop()], [tones.pop()], [1.0]))
            if not apart:
                patches.append(self._prepared(features, tones, shares))
            self._manners[size] = StyleStats(moments, mix_moments(moments, shares, self._inject), patches)

    def _encoded(
        self, style: Tensor, size: int, *, apart: bool, last: bool
    ) -> tuple[Tensor, Tensor, dict[str, Moments]]:
        """A style's features, their tones, and its moments, at a size, which may be the last."""
        style, layers = self._fitted_style(style, size), (self.options.layer,)
        now = held(style, self.encoder, layers)
        height, width = self._positions(style)
        patches = height * width * self.encoder.channels(self.options.layer) * self.encoder.dtype.itemsize
        # Every style's stay, and those of the smaller sizes, each a quarter of the one before.
        later = self._held(style, apart=apart)
        stage = self._descent_stage((style.shape[2], style.shape[3]), size)
        if last and stage.steps:
            later = max(later, least(stage, self._optimisation, self.encoder))
        later += patches * len(self._styles) * 4 / 3
        plan = strips_for(style, self.encoder, self.recipe.memory, now, later)
        found, own = plan.run(lambda values: self.encoder.measure(style, layers, self._inject, values))
        features = found.pop(self.options.layer)
        return features, tone(style, *features.shape[2:]), own

    @property
    def _least(self) -> int:
        """Pixels a side that a picture is worked on with: a patch has to fit in."""
        return max(16, layer_stride(self.options.layer) * self.options.patch_size)

    def _fitted_style(self, style: Tensor, size: int) -> Tensor:
        fitted = fitted_style(style, size, self.options)
        if not self.options.style_upscale or min(fitted.shape[2:]) >= self._least:
            return fitted
        return fit(style, math.ceil(self._least * max(style.shape[2:]) / min(style.shape[2:])))

    def _fitted(self, content: Tensor, size: int) -> Tensor:
        return fitted_photo(content, size, self._least)[0]

    def _covered(self, picture: Tensor, margin: int = 0) -> tuple[Tensor, tuple[slice, slice]]:
        options = self.options
        return covered(picture, layer_stride(options.layer), options.patch_size, options.stride, margin)

    @torch.no_grad()
    def _swapped(
        self,
        photo: Tensor,
        manner: StyleStats,
        tones: Tensor | None,
        regions: Regions | None = None,
        values: int = VALUES,
    ) -> Tensor:
        options = self.options
        layer, budget = options.layer, self._match_budget
        if regions is None:  # the features are not held here: they are free once they are matched
            return swap(
                self.encoder.encode(photo, (layer,), values)[layer],
                manner.patches[0],
                tones=tones,
                alpha=options.alpha,
                restore=options.moments,
                budget_mb=budget,
            )
        features = self.encoder.encode(photo, (layer,), values)[layer]
        shares = regions.everywhere(*features.shape[2:])
        made = torch.zeros_like(features)
        for share, patches in zip(shares, manner.patches, strict=True):
            made += swap(features, patches, tones=tones, budget_mb=budget).mul_(share.to(features.dtype))
        if options.moments == "style":
            impose_moments(made, stacked([patches.moments for patches in manner.patches]), regions=regions)
        return features.lerp_(made, options.alpha)

    def _prepared(self, features: Sequence[Tensor], tones: Sequence[Tensor], shares: Sequence[float]) -> SwapStyle:
        options = self.options
        return prepare(
            features,
            shares,
            patch=options.patch_size,
            stride=options.stride,
            match=options.match,
            search=options.search,
            seed=self.recipe.seed,
            tones=tones,
            luminance_weight=options.luminance_weight,
            coherence=options.coherence,
            dtype=self.encoder.dtype,
        )

    def _pictures(
        self,
        target: Tensor,
        manner: Mapping[str, Moments],
        start: Tensor,
        plan: Strips,
        descent: tuple[Plan, int] | None = None,
        regions: Regions | None = None,
    ) -> Iterator[tuple[Tensor, dict[str, float], str]]:
        """Pictures, in [0, 1], whose features come ever nearer to `target`, losses before each step, and notes.

        Without a descent the net's picture alone.
        """
        if self.decoder is not None:
            decoder, layer = self.decoder, self.options.layer
            made = plan.run(lambda values: decoder.paint({layer: target}, manner, regions, values=values))
            start = made.clamp_(0, 1).contiguous()
        if descent is None:
            yield start, {}, ""
        else:  # in place: without a net it begins with the photo, which may be the caller's own
            yield from self._descent(target, start if self.decoder else start.clone(), *descent)

    def _descent(
        self, target: Tensor, picture: Tensor, plan: Plan, steps: int
    ) -> Iterator[tuple[Tensor, dict[str, float], str]]:
        """Minimise ``‖Φ(I) − target‖² + λ Σ(Δx² + Δy²)`` over pictures I, beginning with `picture`, in place."""
        options = self.options
        # Twice a half sum; or, normalised as style-swap.lua does, a gradient whose L1 norm is 1.
        content = ContentTerm(options.layer, target, 1.0 if options.normalize_gradients else 2.0, "half-sum")
        term = NormalisedGradient(content) if options.normalize_gradients else content
        tv = TVTerm(2 * options.tv_weight, "squared", _LEVELS) if options.tv_weight and not self._learned else None
        if plan.tile is not None:  # in tiles memory is scarce
            keep_freed_memory(False)
            give_back_freed_memory()
        boxed = self._learned is not None or options.optimizer == "adam"
        objective = TiledObjective(self.encoder, [term], tv, tile=plan.tile)
        descent = Descent(objective, picture, self._optimiser(picture, plan.history, steps), clamp=boxed)
        height, width = picture.shape[2:]
        for _ in range(steps):
            losses = descent.step()
            parts = told(plan, self._optimisation, descent.tile, (height, width))
            if parts or self.recipe.memory:  # beside the peak of encoding and matching, which may be less
                parts = [*(parts or ["optimised whole"]), f"about {describe(plan.peak)}"]
            yield descent.image.clamp(0, 1), losses, ", ".join(parts)

    @property
    def _learned(self) -> Decoder | None:
        """The net, where the steps are those that it has learned: down the distance of features alone."""
        taught = self.decoder is not None and self.decoder.spec.steps and self.options.optimizer == "auto"
        return self.decoder if taught else None

    def _optimiser(self, picture: Tensor, history: int, steps: int) -> Optimiser:
        """What moves the picture."""
        options = self.options
        if self._learned is not None:
            return Learned(self._learned.learned_steps(steps))
        if options.optimizer == "adam":
            return Adam(picture, options.learning_rate or 0.05)
        exponent, first = _FROM_THE_NET if self.decoder is not None else _FROM_THE_PHOTO
        preconditioner = frequency_preconditioner(picture.shape[2], picture.shape[3], exponent, self.device)
        return LBFGS(options.learning_rate or 1.0, history, preconditioner, first)

    @property
    def _optimisation(self) -> Optimisation:
        """What the memory of a descent depends on."""
        options = self.options
        by = "lbfgs" if options.optimizer == "auto" else options.optimizer
        # The content loss is of the difference, and of that in float32; the picture shown is a copy.
        return Optimisation(
            "learned" if self._learned else by,
            _HISTORY,
            pictures=2,
            copies=self.encoder.dtype.itemsize + 4,
            whole_too=True,
            tv=bool(options.tv_weight) and not self._learned,
        )

    def _descent_stage(self, size: tuple[int, int], longest: int) -> Stage:
        """The descent, if any, of a picture of a height and a width, asked for as `longest`."""
        margin, layers = 2 * MARGIN if self.decoder else 0, (self.options.layer,)
        return Stage((size[0] + margin, size[1] + margin), (), self.options.descent(longest), layers, layers)

    def _descent_plan(self, size: tuple[int, int], longest: int) -> tuple[Plan, int] | None:
        """How it is worked on within the budget, and in how many steps; None without one."""
        stage = self._descent_stage(size, longest)
        if not stage.steps:
            return None
        return plan_within(self.recipe.memory, stage, self._optimisation, self.encoder), stage.steps

    def feature_errors(self, content: Tensor) -> dict[str, float]:
        """``‖Φ(f(H))−H‖ / ‖H‖`` of the photo's features, the first style's, and the swapped ones.

        Optimisation begins from mid-grey where the features are a picture's own, or it would begin at the answer.
        """
        layer, size = self.options.layer, self.recipe.size or max(content.shape[2:])
        self._encode([size])
        manner = self._manners[size]
        descent = self._descent_plan((size, size), size)
        fitted = self._fitted(content.to(self.device), size), self._fitted_style(self._styles[0], size)
        photo, style = (self._covered(each)[0] for each in fitted)
        errors: dict[str, float] = {}
        for kind, picture in {"photo": photo, "painting": style, "swapped": photo}.items():
            if kind == "swapped":
                tones = tone(photo, *self._positions(photo))
                target, alpha, start = self._swapped(photo, manner, tones), self.options.alpha, photo
            else:
                target, alpha, start = self.encoder(picture, (layer,))[layer], 0.0, torch.full_like(picture, 0.5)
            inside = moments_inside(manner.mixed, self.encoder, picture, self._inject, alpha)
            (made, *_), *_ = deque(
                self._pictures(target, inside, start, self._strips(picture, manner), descent), maxlen=1
            )
            errors[kind] = relative_distance(self.encoder(made, (layer,))[layer], target)
        return errors
