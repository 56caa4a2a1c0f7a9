"""Styles that follow each other in a film, and fade into each other in between."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import PurePath

from ..errors import RequestError
from ..recipe import NetShare, Recipe, Style
from ..session.inputs import parse_style
from .times import parse_time

_STEPS = 32
"""Steps of a fade from one style to the next. Each needs statistics of its own."""

Key = tuple[Fraction, int]
"""A time in seconds, and the number of the style that is alone then."""


def parse_timeline(texts: Sequence[str]) -> tuple[list[Fraction], list[str]]:
    """Read ``TIME=STYLE`` texts; return the times and the styles.

    Raises:
        RequestError: a text has no time, or the times do not rise.
    """
    times: list[Fraction] = []
    styles: list[str] = []
    for text in texts:
        time, equals, style = text.partition("=")
        if not equals or not style.strip():
            raise RequestError(f"--style-at is {text!r}; expected a time and a style, as 5s=scream.jpg")
        times.append(parse_time(time, "--style-at"))
        styles.append(style.strip())
    if any(later <= earlier for earlier, later in pairwise(times)):
        raise RequestError(f"--style-at has the times {', '.join(map(str, texts))}; expected rising ones")
    return times, styles


def styles_of(texts: Sequence[str]) -> list[Style]:
    """Return the style pictures of a timeline, each once."""
    return list({text: parse_style(text) for text in parse_timeline(texts)[1]}.values())


def nets_of(texts: Sequence[str]) -> list[NetShare]:
    """Return the networks' styles of a timeline, each once, for a method that takes no pictures."""
    return list({text: NetShare.parse(text) for text in parse_timeline(texts)[1]}.values())


class Timeline:
    """The recipe of each frame of a film.

    Args:
        recipe: it has all styles.
        texts: see `parse_timeline`; if there are none, the recipe is the same throughout.
    """

    def __init__(self, recipe: Recipe, texts: Sequence[str] = ()) -> None:
        self._recipe = recipe
        self._times, styles = parse_timeline(texts)
        names = list(dict.fromkeys(styles))
        self._numbers = [names.index(style) for style in styles]

    def shares_at(self, time: Fraction) -> dict[int, int]:
        """Return the share of each style that is used at a time, in steps of a fade, by its number."""
        times, numbers = self._times, self._numbers
        if not times:
            return {}
        if time <= times[0]:
            return {numbers[0]: _STEPS}
        for place in range(1, len(times)):
            if time < times[place]:
                done = (time - times[place - 1]) / (times[place] - times[place - 1])
                later = round(done * _STEPS)
                found = {numbers[place - 1]: _STEPS - later}
                found[numbers[place]] = found.get(numbers[place], 0) + later
                return {number: share for number, share in found.items() if share}
        return {numbers[-1]: _STEPS}

    def recipe_with(self, shares: dict[int, int]) -> Recipe:
        """Return the recipe with these shares of its styles."""
        recipe = self._recipe
        if not shares:
            return recipe
        if recipe.styles:
            styles = tuple(
                recipe.styles[number].model_copy(update={"weight": recipe.styles[number].weight * share})
                for number, share in sorted(shares.items())
            )
            return recipe.model_copy(update={"styles": styles})
        net = tuple(
            part.model_copy(update={"weight": part.weight * shares.get(number, 0)})
            for number, part in enumerate(recipe.options.known_styles)
        )
        return recipe.model_copy(update={"options": recipe.options.model_copy(update={"net": net})})


def renamed(texts: Sequence[str], recipe: Recipe) -> tuple[str, ...]:
    """Return a timeline with the names that a recipe has for its styles, in their order."""
    if not texts:
        return ()
    times, styles = parse_timeline(texts)
    names = list(dict.fromkeys(styles))
    parts = [str(part) for part in recipe.parts]
    if len(parts) != len(names):
        raise RequestError(
            f"--style-at has {len(names)} styles, and the recipe has {len(parts)}; expected as many: give --style-at "
            "anew"
        )
    starts = [text.partition("=")[0] for text in texts[: len(times)]]
    return tuple(f"{start}={parts[names.index(style)]}" for start, style in zip(starts, styles, strict=True))


def portable(texts: Sequence[str], *, pictures: bool) -> tuple[str, ...]:
    """Return a timeline with names of files instead of paths, as a film's record has it.

    Args:
        texts: the timeline.
        pictures: its styles are pictures, and not names of networks.
    """
    made: list[str] = []
    for text in texts:
        time, _, style = text.partition("=")
        part = parse_style(style.strip()) if pictures else NetShare.parse(style.strip())
        data = {"mask": part.mask and PurePath(part.mask).name}
        data["path" if pictures else "name"] = PurePath(part.path if isinstance(part, Style) else part.name).name
        made.append(f"{time}={part.model_copy(update=data)}")
    return tuple(made)
