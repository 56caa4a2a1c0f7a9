"""``impasto replay``: a painting painted again, from what it carries; any flag overrides that."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, make_dataclass, replace
from inspect import Parameter as Argument
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from cyclopts import App, Parameter
from pydantic import TypeAdapter, ValidationError

from ..errors import ImpastoWarning, RequestError
from ..images.source import STANDARD_STREAM
from ..images.write import FORMATS
from ..methods import make_recipe, method, read_recipe
from ..recipe import Recipe, Style
from ..session.provenance import Finder, Provenance, read_provenance
from ..values import explain, parse_none
from . import run_app
from .flags import HELP, HELP_ALL, OUTPUT, PICTURES, flags, given, more_flags, shown
from .paint import COMMON, defaults_of, refuse_file_as_init, signed, stem
from .painting import Output, run
from .status import DONE

_SUMMARY = "Paint a finished picture again, or another photo as it was painted."


def replay(*tokens: Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]) -> int:
    """Paint a finished picture again, or another photo as it was painted."""
    # Which flags there are depends on the method, and that on the picture: it is read before they are.
    if not tokens:
        raise RequestError("no picture; expected impasto replay PICTURE [OPTIONS]")
    source, *rest = tokens
    if source in HELP:
        also = "PICTURE is one that impasto wrote, or a recipe as `impasto show` prints it (.toml)."
        more = "Every setting it was painted with is a flag as well: impasto replay PICTURE --help lists them."
        general = signed(_general, "replay", f"{_SUMMARY}\n\n{also} {more}", _arguments(_Output))
        _app("PICTURE", general, everything=source == HELP_ALL).help_print()
        return DONE
    if source.startswith("-") and source != STANDARD_STREAM:
        raise RequestError(f"{source} stands before the picture; expected it first: impasto replay PICTURE {source}")
    kept = read_provenance(source)
    everything = HELP_ALL in rest
    command = _command(source, kept, _recipe_in(source, kept), everything=everything)
    return run_app(_app(source, command, everything=everything), rest)


def _app(source: str, command: Callable[..., int], *, everything: bool) -> App:
    usage = f"impasto replay {source}"
    app = App(
        name="impasto replay",
        usage=f"Usage: {usage} [OPTIONS]",
        help_format="plaintext",
        help_flags=HELP,
        help_epilogue=more_flags(usage, command, everything=everything),
        version_flags=[],
        default_parameter=shown(everything=everything),
    )
    app.default(command)
    return app


def _general(**_: Any) -> int:
    raise AssertionError("it is only asked for its help")


def _recipe_in(source: str, kept: Provenance) -> Recipe:
    """The recipe, its styles still by name: two of different folders may share one."""
    data = parse_none(Recipe.model_fields, kept.recipe)
    styles, options = data.pop("styles", ()), data.get("options")
    try:
        if isinstance(options, Mapping) and isinstance(data.get("method"), str):
            data["options"] = parse_none(method(data["method"]).options.model_fields, options)
        named = TypeAdapter(tuple[Style, ...]).validate_python(styles)
        return read_recipe(data).model_copy(update={"styles": named})
    except ValidationError as error:
        raise explain(error, f"{source}: styles") from None
    except RequestError as error:
        raise RequestError(f"{source}: {error}") from None


def _command(source: str, kept: Provenance, recipe: Recipe, *, everything: bool) -> Callable[..., int]:
    """The command whose flags have, as their defaults, what the picture says."""
    own = type(recipe.options).model_fields
    as_before = _output_of(kept)

    def command(
        *,
        photo: str | None = None,
        style: list[str] | None = None,
        inputs: list[Path] | None = None,
        output: Output | None = None,
        **values: Any,
    ) -> int:
        output = output or as_before()
        if output.output is None:
            output = replace(output, output=_default_name(source, photo))
        settings = given({**COMMON, **own}, values)
        refuse_file_as_init(settings)
        instead = [Style.parse(each) for each in style or ()]
        finder = Finder(kept.inputs, [*_places(inputs or ()), Path(source).parent, Path()])
        photo, found = _found(source, kept.photo, photo, recipe, instead, settings, finder)
        if kept.stopped:
            warnings.warn(
                f"{source} was not painted to its end ({kept.stopped}): the picture may differ",
                ImpastoWarning,
                stacklevel=2,
            )
        another_way = settings.keys() & {*own, "encoder", "preset"}
        nets = None if another_way else recipe.nets
        return run(found, photo, [each.path for each in found.styles], output, nets=nets)

    summary = f"{_SUMMARY}\n\n{source} was painted by {recipe.method}; its settings are the defaults."
    arguments = [
        *_arguments(as_before, styles=method(recipe.method).styles),
        *flags({"size": COMMON["size"], **own, **COMMON}, defaults_of(recipe), everything=everything),
    ]
    return signed(command, "replay", summary, arguments)


def _arguments(output: type[Output], *, styles: bool = True) -> list[Argument]:
    def several(name: str, kind: Any, help: str, *, show: bool = True) -> Argument:
        parameter = Parameter(help=help, group=PICTURES, negative="", consume_multiple=True, show=show)
        return Argument(name, Argument.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, parameter])

    about = "Other pictures to paint like, as FILE[:WEIGHT][@MASK], in place of all."
    return [
        several("photo", str, "Another photograph to paint; - reads standard input."),
        several("style", list[str], about, show=styles),  # where there are none, to be refused
        several(
            "inputs",
            list[Path],
            "Folders to look for photo, styles and masks in, before the picture's own and this one; or the files "
            "themselves, whatever they are called now.",
        ),
        Argument(
            "output", Argument.KEYWORD_ONLY, default=None, annotation=Annotated[output | None, Parameter(name="*")]
        ),
    ]


@dataclass(frozen=True, kw_only=True)
class _Output(Output):
    output: Annotated[
        str | None,
        Parameter(
            name=("--output", "-o"),
            help="PNG, JPEG, WebP or TIFF by extension; - writes PNG to standard output.",
            group=OUTPUT,
            show_default="PICTURE.replay.png",
            show=True,
        ),
    ] = None


def _output_of(kept: Provenance) -> type[Output]:
    """`Output`, whose defaults are what the picture was written with."""
    before = {"bits": kept.bits, "quality": kept.quality, "keep_gps": kept.keep_gps, "device": _device(kept.device)}
    kinds = get_type_hints(_Output, include_extras=True)
    # cyclopts looks up hints that are text in the module a class is of, and into no class of the standard library.
    each = [(f.name, kinds[f.name], field(default=before.get(f.name, f.default))) for f in fields(_Output)]
    here = {"__module__": __name__}
    return make_dataclass("_OutputAsBefore", each, bases=(_Output,), namespace=here, frozen=True, kw_only=True)


def _device(name: str) -> str:
    """The device that the picture was painted on; auto where it is not available here."""
    from ..runtime import pick_device

    try:
        pick_device(name)
    except RequestError:
        return "auto"
    return name


def _places(named: Sequence[Path]) -> Sequence[Path]:
    for place in named:
        if not place.exists():
            raise RequestError(
                f"--inputs {place} is not a folder or a file; expected what holds the photo or a style, or is it"
            )
    return named


def _found(
    source: str,
    recorded_photo: str | None,
    photo: str | None,
    recipe: Recipe,
    styles: Sequence[Style],
    settings: Mapping[str, Any],
    finder: Finder,
) -> tuple[str, Recipe]:
    """The photograph's path, and the recipe with settings and styles overridden and every name in it a path.

    Raises:
        RequestError: a setting is wrong, or an input is missing or is another file than it was.
    """
    if styles and not method(recipe.method).styles:
        raise RequestError(
            f"{recipe.method} takes no style picture (got {styles[0].path}): its networks know their styles; "
            "name another with --net"
        )
    recipe = _overridden(recipe, settings).model_copy(update={"styles": tuple(styles) or recipe.styles})
    if photo is None and recorded_photo is None:
        raise RequestError(f"{source} does not say what photo it is of; expected --photo FILE")
    if photo is None:
        photo = finder.find(str(recorded_photo))
    elif recorded_photo is not None:
        finder.expected(recorded_photo)
    as_given = {value for value in settings.values() if isinstance(value, str)}
    as_given |= {name for style in styles for name in style.model_dump().values() if isinstance(name, str)}
    if "rungs" in settings:
        rungs = getattr(recipe.options, "rungs", ())
        as_given |= {value for rung in rungs for value in rung.settings.values() if isinstance(value, str)}
    data = recipe.renamed(lambda name: name if name in as_given else finder.find(name))
    finder.check(source)
    return photo, read_recipe(data)


def _overridden(recipe: Recipe, settings: Mapping[str, Any]) -> Recipe:
    """The recipe without styles and networks, with `settings` in place of its own.

    A preset replaces the method's settings, encoder and size; a plain `steps` a schedule.
    """
    preset = settings.get("preset")
    common = {name: getattr(recipe, name) for name in COMMON if name != "preset"}
    others = {name: value for name, value in settings.items() if name != "preset"}
    if preset is not None:
        kept = {name: value for name, value in common.items() if name not in ("encoder", "size")}
        return make_recipe(recipe.method, preset=preset, settings={**kept, **others})
    own = {name: getattr(recipe.options, name) for name in type(recipe.options).model_fields}
    if "steps" in others and "schedule" not in others:
        own.pop("schedule", None)
    changed = make_recipe(recipe.method, settings={**common, **own, **others})
    return changed if "preset" in settings else changed.model_copy(update={"preset": recipe.preset})


def _default_name(source: str, photo: str | None) -> str:
    """``SOURCE.replay.EXT`` in the current folder; of another photo ``PHOTO.SOURCE.EXT``."""
    extension = Path(source).suffix
    name = f"{stem(source)}.replay" if photo is None else f"{stem(photo)}.{stem(source)}"
    return f"{name}{extension if extension.lower() in FORMATS else '.png'}"
