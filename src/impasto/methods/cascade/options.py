"""Settings of cascade: its rungs, as data and as text. A rung is one of its paintings. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from ...recipe import Detail, Frozen, Options, SidesUsed, Size, StyleScale
from ...settings import names_file, setting

NAME = "cascade"

_FULL = 512  # px: a rung's size is meant for pictures of that size or more
_LEAST = 16  # px of a longest side that a rung paints at
_NARROWEST = 4  # px of a shorter side, likewise: narrower pictures show no shapes

_OWN = ("start_detail", "keep_tones", "spread_colours")  # a rung's own, written as its method's settings are

_WORDS: dict[str, Any] = {"none": None, "yes": True, "no": False}


class Rung(Frozen):
    """One painting of a cascade: its method, size and settings, and how it continues the picture of the rung before.

    Examples:
        >>> rung = Rung.parse("adain:256:style_scale=2")
        >>> rung.size, rung.settings
        (256, {'style_scale': 2})
    """

    FORM = "METHOD[:SIZE][:SETTING=VALUE...]"

    method: str = Field(description="A method that takes style pictures, except cascade itself.")
    size: Size | None = Field(
        default=None,
        description="Longest side in pixels, if the final picture has 512 px or more; smaller pictures have smaller "
        "rungs, in proportion. Unset: the final size.",
    )
    start_detail: Detail = Field(
        default=1.0,
        description="How much of the photo's brightness detail finer than two pixels of the rung before is added to "
        "its picture. The first rung has the start_detail of the recipe.",
    )
    keep_tones: bool = Field(
        default=True,
        description="Keep the light and colour of large areas of the rung before. If not, the rung paints its own, "
        "as the first rung does.",
    )
    spread_colours: bool = Field(
        default=False,
        description="Move colours apart where they are nearer together than the painting's.",
    )
    settings: Mapping[str, Any] = Field(
        default_factory=dict[str, Any],
        description="Settings of the method, by name; the others have their defaults.",
    )

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return _read(value) if isinstance(value, str) else value

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``METHOD[:SIZE][:SETTING=VALUE...]``; a rung's own fields are given as settings are.

        Values are numbers, ``none``, ``yes``, ``no`` or other text. What has no ``=`` belongs to the value before it,
        as in ``net=C:/mine.safetensors``.

        Raises:
            ValueError: it is not of that form, or a value is out of range.
        """
        return cls.model_validate(text)

    def rename_files(self, data: dict[str, Any], rename: Callable[[str], str], without: Sequence[str] = ()) -> None:  # noqa: ARG002 (a rung is renamed whole)
        """See `Frozen.rename_files`: here the names are those among its method's settings."""
        from .. import method

        fields = method(self.method).options.model_fields
        for name, value in self.settings.items():
            file = names_file(fields[name])
            if file is not None and isinstance(value, str) and value not in file.words:
                data["settings"][name] = rename(value)

    def scaled_options(self, style_scale: float) -> Options:
        """Return the options of the rung's method, with `style_scale` as a factor on its own."""
        from .. import make_recipe

        options: Any = make_recipe(self.method, settings=self.settings).options
        if style_scale == 1 or "style_scale" not in type(options).model_fields:
            return options
        scale = min(16.0, max(1 / 16, options.style_scale * style_scale))
        return options.model_copy(update={"style_scale": scale})

    def __str__(self) -> str:
        parts = [self.method, *(() if self.size is None else (str(self.size),))]
        if self.start_detail != 1:
            parts.append(f"start_detail={self.start_detail!r}")
        if not self.keep_tones:
            parts.append("keep_tones=no")
        if self.spread_colours:
            parts.append("spread_colours=yes")
        return ":".join([*parts, *(f"{name}={_written(value)}" for name, value in self.settings.items())])

    def continued(self) -> Self:
        """Return the rung with the settings that its method has for a film's next frame; see `Options.continued`."""
        options = self.scaled_options(1)
        changed = options.continued().model_dump(include=set(type(options).model_fields))
        new = {name: value for name, value in changed.items() if value != getattr(options, name)}
        return self.model_copy(update={"settings": {**self.settings, **new}}) if new else self

    def longest(self, final: int, shape: tuple[int, int]) -> int:
        """Return the longest side in pixels to paint at, for a final picture of `final` pixels.

        For pictures under 512 px the size shrinks in proportion, to at least 16 px. The forms that the rung paints
        then have fewer pixels, so a cascade is bolder at small sizes. Very narrow pictures have larger rungs, with at
        least 4 pixels on the shorter side.

        Args:
            final: longest side of the finished picture.
            shape: height and width of the photograph, at any size.
        """
        if self.size is None:
            return final
        least = max(_LEAST, -(-_NARROWEST * max(shape) // min(shape)))
        return min(final, max(least, round(self.size * min(1.0, final / _FULL))))


def _largest(sides: Sequence[int | None]) -> int | None:
    """The largest side; None, which stands for all pixels, is larger than any."""
    known = [side for side in sides if side is not None]
    return max(known) if known and len(known) == len(sides) else None


def _read(text: str) -> dict[str, Any]:
    name, *parts = text.strip().split(":")
    found: dict[str, Any] = {"method": name}
    if parts and parts[0].isdigit():
        found["size"] = int(parts.pop(0))
    pairs: list[list[str]] = []
    for part in parts:
        setting, equals, value = part.partition("=")
        if equals and setting.isidentifier():
            pairs.append([setting, value])
        elif pairs:
            pairs[-1][1] += f":{part}"
        else:
            raise ValueError(f"{part!r} in rung {text!r}: expected {Rung.FORM}, as in adain:256:style_scale=2")
    settings = {setting: _value(value) for setting, value in pairs}
    found |= {name: settings.pop(name) for name in _OWN if name in settings}
    return {**found, "settings": settings}


def _value(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _written(value: Any) -> str:
    words = [word for word, meant in _WORDS.items() if value is meant]
    return words[0] if words else str(value)


def _split(value: Any) -> Any:
    """``"adain:256,swap"``, or a sequence of such -> what pydantic reads as rungs."""
    parts: Sequence[Any] = [value] if isinstance(value, str | Rung) else value
    if not isinstance(parts, list | tuple):
        return value
    return tuple(each for part in parts for each in (part.split(",") if isinstance(part, str) else [part]) if each)


QUICK = (
    Rung(method="adain", size=336),
    Rung(
        method="nnst",
        size=256,
        keep_tones=False,
        settings={
            "content_weight": 0.2,
            "so_far": 0.45,
            "detail": 0.6,
            "first_steps": 24,
            "steps": 8,
            "split_steps": 4,
        },
    ),
    Rung(method="swap", start_detail=1.3, spread_colours=True, settings={"alpha": 0.65}),
)
"""Colours by one pass, large forms by a short optimisation, then strokes that follow them."""

PASSES = (
    Rung(method="adain", size=336, settings={"style_scale": 1.75}),
    Rung(method="swap", settings={"alpha": 0.75}),
)
"""Large forms at once, then strokes that follow them: no optimisation, and half the time."""

BOLD = (
    Rung(method="swap", size=128),
    Rung(method="swap", size=256, start_detail=0),
    Rung(method="swap", start_detail=0),
)
"""The style's own patches at every size, with nothing of the photo brought back."""


class CascadeOptions(Options):
    """Several methods in turn, from small to large: forms are painted small, and strokes follow them."""

    rungs: Annotated[tuple[Rung, ...], BeforeValidator(_split)] = setting(
        "picture",
        "advanced",
        default=QUICK,
        description=f"The methods to paint with in turn, called rungs, as {Rung.FORM},... Sizes are longest sides "
        "in pixels for a picture of 512 px or more. Smaller pictures have smaller rungs, in proportion, and look "
        "bolder. The last rung has no size: it has the picture's own.",
    )
    style_scale: StyleScale = setting(
        "strokes",
        default=1.0,
        description="Size of strokes as a share of the picture: a factor on the style_scale of every rung.",
    )

    @field_validator("rungs")
    @classmethod
    def _sensible(cls, rungs: tuple[Rung, ...]) -> tuple[Rung, ...]:
        if not rungs:
            raise ValueError("there is no rung; expected at least one, as in adain:256:style_scale=2,swap")
        if any(rung.method == NAME for rung in rungs):
            raise ValueError(f"a rung is {NAME} itself; expected another method: write its rungs in place of it")
        if rungs[-1].size is not None:
            raise ValueError(
                f"the last rung paints at {rungs[-1].size} px; expected the final size: leave its size out, or add "
                f"one, as in {rungs[-1]},swap"
            )
        return rungs

    def sides_used(self, size: int) -> SidesUsed:
        """See `Options.sides_used`: the most that a rung uses, were it painted at the final size."""
        rungs = [rung.scaled_options(self.style_scale).sides_used(size) for rung in self.rungs]
        return SidesUsed(_largest([each.photo for each in rungs]), _largest([each.style for each in rungs]))

    def continued(self) -> Self:
        """Return the settings without what comes before the first rung that optimises; see `Options.continued`."""
        kept = [rung.continued() for rung in self.rungs]
        first = next((number for number, rung in enumerate(kept) if rung != self.rungs[number]), 0)
        return self.model_copy(update={"rungs": tuple(kept[first:])})

    def settled(self, settle: Callable[[Rung], Mapping[str, Any]]) -> Self:
        """Return these options with the settings of each rung replaced by what `settle` returns for it."""
        rungs = tuple(rung.model_copy(update={"settings": dict(settle(rung))}) for rung in self.rungs)
        return self.model_copy(update={"rungs": rungs})
