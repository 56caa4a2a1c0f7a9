"""``impasto replay``: paints a finished picture again with the recipe inside it, which any flag overrides."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, make_dataclass, replace
from inspect import Parameter as Argument
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from cyclopts import App, Parameter, UnknownOptionError
from pydantic import TypeAdapter, ValidationError

from ..errors import ImpastoWarning, RequestError
from ..images.source import STANDARD_STREAM
from ..images.write import FORMATS
from ..methods import method, read_recipe
from ..methods.changes import with_settings
from ..methods.effort import Dials
from ..recipe import Recipe, Style
from ..session.provenance import Finder, Provenance, read_provenance
from ..untrusted import shorten
from ..values import explain, parse_none
from ..video import is_film
from . import DONE, run_app
from .flags import HELP, HELP_ALL, OUTPUT, PICTURES, flags, given, more_flags, shown, with_signature
from .paint import COMMON, FIRST, joined_name, parse_styles, refuse_file_as_init, settings_of, stem
from .painting import Output, run

_SUMMARY = "Paint a finished picture again, or paint another photo in the same way."


def replay(*tokens: Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]) -> int:
    """Paint a finished picture again, or paint another photo in the same way."""
    # The flags are those of the method that painted the picture, so the picture is read before the flags.
    if not tokens:
        raise RequestError("no picture; expected impasto replay PICTURE [OPTIONS]")
    source, *rest = tokens
    if source in HELP:
        summary = (
            f"{_SUMMARY}\n\nPICTURE is a picture that impasto wrote, or a .toml file with a recipe as `impasto show` "
            "prints it. Each setting of the recipe is a flag too, which replaces the recorded value: impasto replay "
            "PICTURE --help lists them."
        )
        general = with_signature(_general, "replay", summary, _arguments(_Output))
        _app("PICTURE", general, everything=source == HELP_ALL).help_print()
        return DONE
    if source.startswith("-") and source != STANDARD_STREAM:
        raise RequestError(f"{source} stands before the picture; expected it first: impasto replay PICTURE {source}")
    if is_film(source):
        from .video_replay import replay_film

        return replay_film(source, rest)
    record = read_provenance(source)
    recipe = recipe_in(source, record)
    everything = HELP_ALL in rest
    command = _command(source, record, recipe, everything=everything)
    try:
        return run_app(_app(source, command, everything=everything), rest)
    except UnknownOptionError as error:
        if dial := _dial(error.token.keyword or error.token.value):
            raise _no_dial(dial, source, record, recipe) from None
        raise


def _dial(flag: str) -> str | None:
    """The dial of `impasto paint` that a flag names; None if it names none."""
    name = flag.partition("=")[0].removeprefix("--")
    return name if name in Dials.model_fields else None


def _no_dial(dial: str, source: str, record: Provenance, recipe: Recipe) -> RequestError:
    """The error for a dial of `impasto paint`, which a recipe does not have."""
    styles = [str(style) for style in recipe.styles] or ["STYLE"]
    paint = shlex.join(["impasto", "paint", record.photo or "PHOTO", *styles, f"--{dial}"])
    return RequestError(
        f"--{dial} is a dial of `impasto paint`, which chooses a method and its settings by it; {source} holds the "
        f"settings of {recipe.method}, and not the dial; expected one of these settings (impasto replay {source} "
        f"--help-all), or a new painting: {paint} ..."
    )


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
    app["--help"].show = False  # cyclopts would list it as a command
    app.default(command)
    return app


def _general(**_: Any) -> int:
    raise AssertionError("this command is only there for its help")


def recipe_in(source: str, record: Provenance) -> Recipe:
    """Read the recipe of a record. Two styles may still have the same name, if they were in different folders.

    Raises:
        RequestError: the record holds no recipe, or a value is out of range.
    """
    data = parse_none(Recipe.model_fields, record.recipe)
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


def _command(source: str, record: Provenance, recipe: Recipe, *, everything: bool) -> Callable[..., int]:
    """Make the command for a picture. The defaults of its flags are what the picture was painted with."""
    own = type(recipe.options).model_fields
    output_type = _output_type(record)

    def command(
        *,
        photo: str | None = None,
        style: list[str] | None = None,
        inputs: list[Path] | None = None,
        output: Output | None = None,
        **values: Any,
    ) -> int:
        output = output or output_type()
        if output.output is None:
            output = replace(output, output=_default_name(source, photo))
        settings = given({**COMMON, **own}, values)
        refuse_file_as_init(settings)
        others = parse_styles(style or (), photo or record.photo or "PHOTO")
        finder = Finder(record.inputs, [*_check_places(inputs or ()), Path(source).parent, Path()])
        photo, found = _resolve(source, record.photo, photo, recipe, others, settings, finder)
        if record.stopped:
            warnings.warn(
                f"{source} was not painted to its end ({record.stopped}): the picture may differ",
                ImpastoWarning,
                stacklevel=2,
            )
        other_nets = settings.keys() & {*own, "encoder", "preset"}
        nets = None if other_nets else recipe.nets
        return run(found, photo, [each.path for each in found.styles], output, nets=nets)

    summary = (
        f"{_SUMMARY}\n\n{source} was painted with `impasto {recipe.method}`. The defaults of the flags below are "
        "what it was painted and written with."
    )
    styles = [str(style) for style in recipe.styles]
    arguments = [
        *_arguments(output_type, record.photo, styles, with_styles=method(recipe.method).styles),
        *flags({**FIRST, **own, **COMMON}, settings_of(recipe), everything=everything),
    ]
    return with_signature(command, "replay", summary, arguments)


def _arguments(
    output: type[Output], photo: str | None = None, styles: Sequence[str] = (), *, with_styles: bool = True
) -> list[Argument]:
    """Make the arguments that every picture's command has.

    Args:
        output: the flags of the output, a dataclass.
        photo: the recorded photograph, if any.
        styles: the recorded style pictures.
        with_styles: the method takes style pictures. If not, ``--style`` is hidden, and refused when given.
    """

    def several(name: str, kind: Any, help: str, default: str = "", *, show: bool = True) -> Argument:
        parameter = Parameter(
            help=help,
            group=PICTURES,
            negative="",
            consume_multiple=True,
            show=show,
            show_default=shorten(default) or False,
        )
        return Argument(name, Argument.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, parameter])

    return [
        several("photo", str, "Another photograph to paint; - reads standard input.", photo or ""),
        several(
            "style",
            list[str],
            "Other pictures to paint like, each as FILE[:WEIGHT][@MASK]; they replace all that were used.",
            " ".join(styles),
            show=with_styles,
        ),
        several(
            "inputs",
            list[Path],
            "Where to find the photo, styles and masks: folders that have them, or the files themselves, which may "
            "have other names now. The picture's folder and the current one are always searched.",
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
            help="File to write: .png, .jpg, .webp, .tif, .avif or .jxl; - writes PNG to standard output.",
            group=OUTPUT,
            show_default="PICTURE.replay.png",
            show=True,
        ),
    ] = None


def _output_type(record: Provenance) -> type[Output]:
    """Make a subclass of `Output` whose defaults are what the picture was written with."""
    recorded = {
        "bits": record.bits,
        "quality": record.quality,
        "keep_gps": record.keep_gps,
        "device": _usable_device(record.device),
    }
    kinds = get_type_hints(_Output, include_extras=True)
    each = [(f.name, kinds[f.name], field(default=recorded.get(f.name, f.default))) for f in fields(_Output)]
    # cyclopts resolves the type hints of a class by its module, and ignores classes of the standard library.
    here = {"__module__": __name__}
    return make_dataclass("_RecordedOutput", each, bases=(_Output,), namespace=here, frozen=True, kw_only=True)


def _usable_device(name: str) -> str:
    """The device that a picture was painted on; ``auto`` if this machine does not have it."""
    from ..runtime import pick_device

    try:
        pick_device(name)
    except RequestError:
        return "auto"
    return name


def _check_places(places: Sequence[Path]) -> Sequence[Path]:
    """Return the places that inputs are looked for in.

    Raises:
        RequestError: one does not exist.
    """
    for place in places:
        if not place.exists():
            raise RequestError(
                f"--inputs {place} is not a folder or a file; expected the photo, a style, or a folder with them"
            )
    return places


def _resolve(
    source: str,
    recorded_photo: str | None,
    photo: str | None,
    recipe: Recipe,
    styles: Sequence[Style],
    settings: Mapping[str, Any],
    finder: Finder,
) -> tuple[str, Recipe]:
    """Find the inputs of a painting.

    Args:
        source: the picture, for messages.
        recorded_photo: name of its photograph, if it is recorded.
        photo: a photograph to paint instead.
        recipe: its recipe.
        styles: style pictures to use instead.
        settings: settings to use instead, by name.
        finder: finds the recorded files.

    Returns:
        The path of the photograph, and the recipe with these changes and with paths instead of names.

    Raises:
        RequestError: a setting is wrong, or an input is missing or is another file than it was.
    """
    if styles and not method(recipe.method).styles:
        raise RequestError(
            f"{recipe.method} takes no style picture (got {styles[0].path}): its networks know their styles; "
            "name another with --net"
        )
    recipe = with_settings(recipe, settings).model_copy(update={"styles": tuple(styles) or recipe.styles})
    if photo is None and recorded_photo is None:
        raise RequestError(f"{source} does not record what photo it was painted from; expected --photo FILE")
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


def resolve_inputs(
    source: str,
    record: Provenance,
    recipe: Recipe,
    photo: str | None,
    styles: Sequence[str],
    settings: Mapping[str, Any],
    inputs: Sequence[Path] | None,
) -> tuple[str, Recipe]:
    """Find the inputs of a film; see `_resolve`. `styles` are texts, and `inputs` the places to look in."""
    refuse_file_as_init(settings)
    others = parse_styles(styles, photo or record.photo or "FILM")
    finder = Finder(record.inputs, [*_check_places(inputs or ()), Path(source).parent, Path()])
    return _resolve(source, record.photo, photo, recipe, others, settings, finder)


def _default_name(source: str, photo: str | None) -> str:
    """``SOURCE.replay.EXT`` in the current folder; for another photo, ``PHOTO.SOURCE.EXT``."""
    extension = Path(source).suffix
    parts = (stem(source), "replay") if photo is None else (stem(photo), stem(source))
    return joined_name(*parts, extension[1:] if extension.lower() in FORMATS else "png")
