"""What photos are painted with: recipes, one for each style."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from ..errors import RequestError
from ..images.read import stated_size
from ..images.source import STANDARD_STREAM
from ..methods import make_recipe, method
from ..methods.changes import with_settings
from ..recipe import Recipe, Style
from ..session.inputs import parse_style


@dataclass(frozen=True, eq=False, slots=True)
class Way:
    """A recipe, and what its style is called in the names of paintings."""

    recipe: Recipe
    style: str

    @classmethod
    def of(cls, recipe: Recipe) -> Way:
        """Name a recipe's style: after its pictures, or as its network calls it."""
        names = "+".join(PurePath(style.path).stem for style in recipe.styles)
        return cls(recipe, names or recipe.options.style_name or recipe.method)


@dataclass(frozen=True, kw_only=True)
class Maker:
    """Makes recipes of one method that differ in their styles.

    Attributes:
        method: name of the method.
        preset: one of its presets, or None.
        settings: fields of `Recipe` and of the method's options, by name.
        base: a recipe that the settings change, instead of a preset.
        exact_preset: see `make_recipe`.
    """

    method: str
    preset: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    base: Recipe | None = None
    exact_preset: bool = False

    def __post_init__(self) -> None:
        if self.base is not None and self.base.method != self.method:
            raise RequestError(
                f"the recipe is one of {self.base.method}, and the method {self.method} is asked for; expected one "
                f"method: leave out the other, or give a recipe of {self.method}"
            )

    def ways(self, styles: Sequence[str], *, mix: bool = False, more: Mapping[str, Any] | None = None) -> list[Way]:
        """Make a way of each style, or one of all styles.

        Args:
            styles: pictures as ``FILE[:WEIGHT][@MASK]``; or, of a method that takes none, the names of styles that
                its networks know. Empty for those of `base`, or the method's default.
            mix: mix all styles in one painting.
            more: settings that override the others.

        Raises:
            RequestError: there is no style, one is unreadable, or a setting is wrong.
        """
        if not styles:
            return [self._way([], more or {})]
        return [self._way(styles, more or {})] if mix else [self._way([style], more or {}) for style in styles]

    def _way(self, names: Sequence[str], more: Mapping[str, Any]) -> Way:
        settings, styles = {**self.settings, **more}, list[Style]()
        if names and method(self.method).styles:
            styles = [_readable(parse_style(name)) for name in names]
        elif names:
            if "net" in settings:
                raise RequestError(
                    f"--style {names[0]} and --net are both given, and both name a style of {self.method}; expected "
                    "one of them"
                )
            settings["net"] = tuple(names)
        if self.base is not None:
            preset = {} if self.preset is None else {"preset": self.preset}
            recipe = with_settings(self.base, {**settings, **preset}, styles or self.base.styles)
        else:
            recipe = make_recipe(
                self.method, styles, preset=self.preset, settings=settings, exact_preset=self.exact_preset
            )
        if not recipe.styles and method(self.method).styles:
            raise RequestError(
                f"no style is given, and {self.method} paints like style pictures; expected at least one: "
                "--style painting.jpg"
            )
        return Way.of(recipe)


def _readable(style: Style) -> Style:
    """Return a style whose file is a picture.

    Raises:
        ImageError: it is not.
    """
    if style.path == STANDARD_STREAM:
        raise RequestError("a style is -, standard input; expected a file: a batch reads its styles more than once")
    stated_size(style.path)
    return style
