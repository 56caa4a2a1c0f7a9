"""``impasto paint``, which has two dials, and one command a method: flags are the fields of recipe and options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from inspect import Parameter as Argument
from inspect import Signature
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ..errors import RequestError
from ..methods import METHODS, Method, make_recipe
from ..methods.effort import Dials, owner, way
from ..recipe import DECIDED, Recipe, Style
from .flags import PICTURES, flags, given
from .gallery import with_gallery
from .painting import STANDARD_STREAM, Output, run

COMMON = {name: field for name, field in Recipe.model_fields.items() if name not in DECIDED}
SHARED = {name: field for name, field in COMMON.items() if name != "preset"}  # a preset is a method's

_OUTPUT = Argument(
    "output", Argument.KEYWORD_ONLY, default=None, annotation=Annotated[Output | None, Parameter(name="*")]
)


def paint_command(*, everything: bool = False) -> Callable[..., int]:
    """The everyday command: two dials choose the method and its settings."""

    def command(photo: str, *styles: str, output: Output | None = None, **values: Any) -> int:
        name, preset, settings = way(**given(Dials.model_fields, values))
        recipe = make_recipe(
            name,
            [Style.parse(style) for style in styles],
            preset=preset,
            settings={**settings, **given(SHARED, values)},
        )
        return _paint(recipe, photo, output or Output())

    fields = {"size": SHARED["size"], **Dials.model_fields, **SHARED}
    arguments = [*_pictures(), *flags(fields, everything=everything), _OUTPUT]
    return signed(command, "paint", "Paint a photograph in the manner of other pictures.", arguments)


def painting_command(method: Method, *, everything: bool = False) -> Callable[..., int]:
    """The command that paints with a method."""
    own = method.options.model_fields

    def command(photo: str, *styles: str, output: Output | None = None, **values: Any) -> int:
        settings = given({**COMMON, **own}, values)
        refuse_file_as_init(settings)
        recipe = make_recipe(
            method.name,
            [Style.parse(style) for style in styles],
            preset=settings.pop("preset", None),
            settings=settings,
        )
        return _paint(recipe, photo, output or Output())

    fields = {"size": COMMON["size"], **own, **COMMON}
    defaults = defaults_of(make_recipe(method.name))
    arguments = [*_pictures(styles=method.styles), *flags(fields, defaults, everything=everything), _OUTPUT]
    return signed(command, method.name, f"{method.summary}.", arguments)


def defaults_of(recipe: Recipe) -> dict[str, Any]:
    """What a recipe's settings are, by name."""
    return {name: getattr(recipe, name) for name in COMMON} | {
        name: getattr(recipe.options, name) for name in type(recipe.options).model_fields
    }


def _paint(recipe: Recipe, photo: str, output: Output) -> int:
    if output.output is None:
        output = replace(output, output=default_name(photo, recipe))
    return run(recipe, photo, [style.path for style in recipe.styles], output)


def explain_unknown(flag: str) -> str | None:
    """What to do where `impasto paint` is given a flag that a method has; None where none has it."""
    name = flag.partition("=")[0].removeprefix("--").removeprefix("no-").replace("-", "_")
    if (method := owner(name)) is None:
        return None
    return f"{flag} belongs to a method; expected --effort and --boldness, or use `impasto {method} {flag}`"


def refuse_file_as_init(settings: Mapping[str, Any]) -> None:
    """Refuse a picture as gatys's `init`: recipes may still name one."""
    init = settings.get("init", "content")
    if init not in ("content", "style", "random"):
        raise RequestError(f"--init is {init!r}; expected content, style or random: give a picture as --start {init}")


def signed(command: Callable[..., int], name: str, summary: str, arguments: Sequence[Argument]) -> Callable[..., int]:
    """The command with a signature, off which cyclopts reads its flags."""
    command.__name__, command.__doc__ = name, summary
    command.__annotations__ = {argument.name: argument.annotation for argument in arguments} | {"return": int}
    setattr(command, "__signature__", Signature(arguments, return_annotation=int))  # noqa: B010
    return command


def default_name(photo: str, recipe: Recipe) -> str:
    """``PHOTO.STYLE.png`` in the current folder."""
    with_what = recipe.styles[0].path if recipe.styles else recipe.options.style_name or recipe.method
    return f"{stem(photo)}.{stem(with_what)}.png"


def stem(path: str) -> str:
    """What the names of results call a picture."""
    return "stdin" if path == STANDARD_STREAM else Path(path).stem


def _pictures(*, styles: bool = True) -> list[Argument]:
    photo = _picture("photo", Argument.POSITIONAL_ONLY, "The photograph; - reads standard input.")
    about = "Pictures to paint like, as FILE[:WEIGHT][@MASK]."
    return [photo, *([_picture("styles", Argument.VAR_POSITIONAL, about)] if styles else [])]


def _picture(name: str, kind: Any, text: str) -> Argument:
    return Argument(name, kind, annotation=Annotated[str, Parameter(help=text, group=PICTURES, show=True)])


def commands(*, everything: bool = False) -> dict[str, Callable[..., int]]:
    """``paint`` and every method's command, by name; `everything`: their help shows every flag."""
    return {"paint": paint_command(everything=everything)} | {
        m.name: (command if m.styles else with_gallery(command))
        for m in METHODS.values()
        for command in [painting_command(m, everything=everything)]
    }


def examples(name: str) -> tuple[str, ...]:
    """Two lines to type, for the help of one of `commands`."""
    if name == "paint":
        return (
            "impasto paint photo.jpg painting.jpg",
            "impasto paint photo.jpg painting.jpg --effort best --size 1024 -o print.png",
        )
    return METHODS[name].examples
