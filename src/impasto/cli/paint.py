"""``impasto paint``, and one command for each method. Their flags are the fields of recipe and options."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from inspect import Parameter as Argument
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ..errors import RequestError
from ..methods import METHODS, Method, make_recipe
from ..methods.effort import Dials, owner, way
from ..recipe import DECIDED, Recipe, Style, is_picture
from ..session.inputs import parse_style
from .flags import PICTURES, SETTINGS, flags, given, heading, with_signature
from .gallery import with_gallery
from .painting import STANDARD_STREAM, Output, run

COMMON = {name: field for name, field in Recipe.model_fields.items() if name not in DECIDED}
"""The settings of every recipe, by name."""

FIRST = {name: COMMON[name] for name in ("size", "print")}
"""What help shows before the settings of a method."""

_WITHOUT_PRESET = {name: field for name, field in COMMON.items() if name != "preset"}  # which belongs to a method

_LONGEST_NAME = 240  # bytes; most file systems take 255, and "-steps" may follow

_OUTPUT = Argument(
    "output", Argument.KEYWORD_ONLY, default=None, annotation=Annotated[Output | None, Parameter(name="*")]
)


def commands(*, everything: bool = False) -> dict[str, Callable[..., int]]:
    """Make ``paint`` and the commands of all methods, by name; `everything`: their help shows every flag."""
    return {"paint": paint_command(everything=everything)} | {
        m.name: (command if m.styles else with_gallery(command))
        for m in METHODS.values()
        for command in [method_command(m, everything=everything)]
    }


def examples(name: str) -> tuple[str, ...]:
    """Two command lines, for the help of one of `commands`."""
    if name == "paint":
        return (
            "impasto paint photo.jpg painting.jpg",
            "impasto paint photo.jpg painting.jpg --effort best --size 1024 -o print.png",
        )
    return METHODS[name].examples


def paint_command(*, everything: bool = False) -> Callable[..., int]:
    """Make the everyday command, in which effort and boldness choose the method and its settings."""

    def command(photo: str, *styles: str, output: Output | None = None, **values: Any) -> int:
        name, preset, settings = way(**given(Dials.model_fields, values))
        settings |= given(_WITHOUT_PRESET, values)
        recipe = make_recipe(name, parse_styles(styles, photo), preset=preset, settings=settings)
        return _paint(recipe, photo, output or Output())

    fields = {**FIRST, **Dials.model_fields, **_WITHOUT_PRESET}
    arguments = [*_pictures(), *flags(fields, everything=everything), _OUTPUT]
    return with_signature(command, "paint", "Paint a photograph in the manner of other pictures.", arguments)


def method_command(method: Method, *, everything: bool = False) -> Callable[..., int]:
    """Make the command that paints with a method."""
    own = method.options.model_fields

    def command(
        photo: str, *styles: str, output: Output | None = None, exact_preset: bool = False, **values: Any
    ) -> int:
        settings = given({**COMMON, **own}, values)
        refuse_file_as_init(settings)
        preset = settings.pop("preset", None)
        named = parse_styles(styles, photo)
        recipe = make_recipe(method.name, named, preset=preset, settings=settings, exact_preset=exact_preset)
        return _paint(recipe, photo, output or Output())

    fields = {**FIRST, **own, **COMMON}
    defaults = settings_of(make_recipe(method.name))
    own_flags = [*flags(fields, defaults, everything=everything), _exact_preset(everything=everything)]
    arguments = [*_pictures(styles=method.styles), *own_flags, _OUTPUT]
    return with_signature(command, method.name, f"{method.summary}.", arguments)


def _exact_preset(*, everything: bool) -> Argument:
    """The flag that refuses a preset whose encoder is not on this machine."""
    parameter = Parameter(
        help="Refuse to paint if the preset's encoder is not on this machine. Otherwise the installed one takes its "
        "place.",
        group=heading(COMMON["encoder"]) if everything else SETTINGS,
        negative="",
        show_default=False,
    )
    return Argument("exact_preset", Argument.KEYWORD_ONLY, default=False, annotation=Annotated[bool, parameter])


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """Return the settings of a recipe and of its method, by name."""
    return {name: getattr(recipe, name) for name in COMMON} | {
        name: getattr(recipe.options, name) for name in type(recipe.options).model_fields
    }


def parse_styles(texts: Sequence[str], photo: str) -> list[Style]:
    """Read style pictures as they are typed; see `parse_style`.

    Args:
        texts: the styles.
        photo: the photograph, for the message.

    Raises:
        RequestError: a weight is wrong, what should be a picture is the name of a style in the gallery, or the last
            style is no file and was probably meant as the output.
    """
    styles = [parse_style(text) for text in texts]
    for style in styles:
        if is_gallery_style(style.path):
            raise RequestError(
                f"{style.path} is not a picture file but a style of the gallery; expected impasto johnson "
                f"{shlex.quote(photo)} --net {style.path}"
            )
    last = styles[-1].path if len(styles) > 1 and styles[-1].mask is None else None
    if last and is_picture(last) and not Path(last).exists():
        raise RequestError(
            f"there is no style picture {last}; expected one that exists: if it is the picture to write, give it as "
            f"-o {shlex.quote(last)}"
        )
    return styles


def is_gallery_style(name: str) -> bool:
    """Say whether a name is that of a style in the gallery, and not of a file."""
    if Path(name).name != name or Path(name).suffix:
        return False
    from ..methods.johnson.gallery import gallery

    return name in gallery() and not Path(name).exists()


def explain_unknown(flag: str) -> str | None:
    """Say what to do about a flag that `impasto paint` does not have but a method has; None if no method has it."""
    name = flag.partition("=")[0].removeprefix("--").removeprefix("no-").replace("-", "_")
    if (method := owner(name)) is None:
        return None
    return f"{flag} belongs to a method; expected --effort and --boldness, or use `impasto {method} {flag}`"


def refuse_file_as_init(settings: Mapping[str, Any]) -> None:
    """Refuse a picture as gatys's `init`. Old recipes may name one, so its type accepts it.

    Raises:
        RequestError: it is a picture.
    """
    init = settings.get("init", "content")
    if init not in ("content", "style", "random"):
        raise RequestError(f"--init is {init!r}; expected content, style or random: give a picture as --start {init}")


def default_name(photo: str, recipe: Recipe) -> str:
    """``PHOTO.STYLE.png`` in the current folder."""
    style = recipe.styles[0].path if recipe.styles else recipe.options.style_name or recipe.method
    return joined_name(stem(photo), stem(style), "png")


def joined_name(*parts: str) -> str:
    """Join parts of a file's name by dots. Long parts are cut, so that every file system takes the name."""
    if len(os.fsencode(".".join(parts))) <= _LONGEST_NAME:
        return ".".join(parts)
    return ".".join(_cut(part, _LONGEST_NAME // len(parts) - 1) for part in parts)


def _cut(text: str, most: int) -> str:
    """The beginning of a text that has at most so many bytes in a file's name."""
    while len(os.fsencode(text)) > most:
        text = text[:-1]
    return text


def stem(path: str) -> str:
    """The name of a picture inside the names of results."""
    return "stdin" if path == STANDARD_STREAM else Path(path).stem


def _paint(recipe: Recipe, photo: str, output: Output) -> int:
    if output.output is None:
        output = replace(output, output=default_name(photo, recipe))
    return run(recipe, photo, [style.path for style in recipe.styles], output)


def _pictures(*, styles: bool = True) -> list[Argument]:
    photo = _picture("photo", Argument.POSITIONAL_ONLY, "The photograph; - reads standard input.")
    about = "Pictures to paint like, as FILE[:WEIGHT][@MASK]."
    return [photo, *([_picture("styles", Argument.VAR_POSITIONAL, about)] if styles else [])]


def _picture(name: str, kind: Any, text: str) -> Argument:
    return Argument(name, kind, annotation=Annotated[str, Parameter(help=text, group=PICTURES, show=True)])
