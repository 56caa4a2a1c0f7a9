"""``impasto video``: paints a film so that strokes stay with things."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter as Argument
from pathlib import Path, PurePath
from typing import Annotated, Any

from cyclopts import App, Parameter
from pydantic import ValidationError

from ..errors import RequestError
from ..methods import METHODS, make_recipe, method
from ..methods.effort import Dials, way
from ..recipe import Recipe, Style
from ..values import explain
from ..video import require_extra
from ..video.options import FilmSettings
from ..video.times import parse_time
from . import DONE, INTERRUPTED, run_app
from .flags import (
    HELP,
    HELP_ALL,
    OUTPUT,
    PICTURES,
    SETTINGS,
    epilogue,
    flags,
    given,
    shown,
    shown_if,
    with_signature,
)
from .paint import COMMON, FIRST, joined_name, parse_styles, refuse_file_as_init, settings_of, stem
from .painting import option, signals_as_interrupt
from .video_progress import film_display

_SUMMARY = "Paint a film in the manner of other pictures, so that strokes stay with things."
_EXAMPLES = (
    "impasto video film.mp4 painting.jpg",
    "impasto video film.mp4 --method johnson --net the-scream --size 640 -o painted.mp4",
)
_WITHOUT = frozenset({"print", "dpi", "print_crop", "start", "start_detail"})
SHARED = {name: field for name, field in COMMON.items() if name not in _WITHOUT}
"""The settings of every recipe that a film has, by name."""

SIZE = {"size": FIRST["size"]}
"""What help shows before the settings of a method."""

_NAMES = {"begin": "--from", "end": "--to"}
_PLAIN = frozenset({"steady", "begin", "end", "fps", "style_at"})
_EFFORT = "draft"  # the others take minutes a frame


@dataclass(frozen=True, kw_only=True)
class FilmOutput:
    """Where a film goes and what is printed; each field is a flag."""

    output: Annotated[
        str | None,
        option(
            "File to write: .mp4, .mov, .mkv, .webm, .gif, .apng, .webp, or numbered pictures as frames/%05d.png.",
            name=("--output", "-o"),
            default="FILM.STYLE.mp4",
            plain=True,
        ),
    ] = None
    overwrite: Annotated[bool, option("Replace files that exist.", default=False, plain=True)] = False
    preview: Annotated[
        str | None,
        option("Also write the first seconds, as 3s, to OUTPUT.preview.mp4 while painting goes on.", plain=True),
    ] = None
    sheet: Annotated[Path | None, option("Also write a sheet of every 30th frame to this PNG file.", plain=True)] = (
        None
    )
    keep_gps: Annotated[bool, option("Keep the place where the film was taken.", default=False)] = False
    device: Annotated[str, option("Where to paint: auto (a GPU if there is one), cpu, cuda, cuda:N or mps.")] = "auto"
    quiet: Annotated[bool, option("Print nothing but errors.", name=("--quiet", "-q"), default=False)] = False
    json: Annotated[
        bool, option("Print one JSON object on standard output, and all else on standard error.", default=False)
    ] = False


def video(*tokens: Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]) -> int:
    """Paint a film in the manner of other pictures, so that strokes stay with things."""
    return run_app(film_app(tokens), list(tokens) or ["--help"])


def film_app(tokens: Sequence[str]) -> App:
    """Make the application for these arguments. Its flags are those of the method that they name."""
    name, everything = _method_in(tokens), HELP_ALL in tokens
    usage = "impasto video" if name is None else f"impasto video --method {name}"
    command = film_command(name, everything=everything)
    takes = "" if name is not None and not METHODS[name].styles else " STYLE [STYLE ...]"
    app = App(
        name="impasto video",
        usage=f"Usage: impasto video FILM{takes} [OPTIONS]",
        help_format="plaintext",
        help_flags=HELP,
        help_epilogue=epilogue(usage, _EXAMPLES, command, everything=everything),
        version_flags=[],
        default_parameter=shown(everything=everything),
    )
    app["--help"].show = False  # cyclopts would list it as a command
    app.default(command)
    return app


def _method_in(tokens: Sequence[str]) -> str | None:
    """The method that is asked for; None if the dials choose one.

    Raises:
        RequestError: there is no such method.
    """
    for place, token in enumerate(tokens):
        flag, equals, value = token.partition("=")
        if flag == "--method":
            name = value if equals else tokens[place + 1] if place + 1 < len(tokens) else ""
            return method(name).name
    return None


def film_command(name: str | None, *, everything: bool = False) -> Callable[..., int]:
    """Make the command that paints a film.

    Args:
        name: the method, whose settings are flags; None for the dials of `impasto paint`.
        everything: the help shows all flags.
    """
    own = {} if name is None else METHODS[name].options.model_fields
    dials = Dials.model_fields if name is None else {}

    def command(film: str, *styles: str, output: FilmOutput | None = None, **values: Any) -> int:
        settings = given({**SHARED, **own}, values)
        refuse_file_as_init(settings)
        film_settings = film_settings_of(values)
        named = _all_styles(styles, film, film_settings, name)
        preset = settings.pop("preset", None)
        if name is None:
            chosen, preset, more = way(**{"effort": _EFFORT, **given(dials, values)})
            recipe = make_recipe(chosen, named, preset=preset, settings={**more, **settings})
        else:
            if film_settings.style_at and not METHODS[name].styles:
                from ..video.timeline import nets_of

                settings["net"] = tuple(nets_of(film_settings.style_at))
            recipe = make_recipe(name, named, preset=preset, settings=settings, exact_preset=False)
        return run_film(film, recipe, film_settings, output or FilmOutput())

    defaults = {"effort": _EFFORT} if name is None else settings_of(make_recipe(name))
    shared = {field: about for field, about in SHARED.items() if name is not None or field != "preset"}
    about_method = Parameter(
        help="Method to paint with, instead of effort and boldness; its settings are then flags, too.",
        group=SETTINGS,
        show=True,
        show_default=False,
    )
    arguments = [
        *_inputs(styles=name is None or METHODS[name].styles),
        Argument("method", Argument.KEYWORD_ONLY, default=None, annotation=Annotated[str | None, about_method]),
        *flags({**SIZE, **dials, **own, **shared}, defaults, everything=everything),
        *film_flags(),
        output_argument(),
    ]
    return with_signature(command, "video", _SUMMARY, arguments)


def _inputs(*, styles: bool) -> list[Argument]:
    def picture(name: str, kind: Any, text: str) -> Argument:
        return Argument(name, kind, annotation=Annotated[str, Parameter(help=text, group=PICTURES, show=True)])

    film = picture("film", Argument.POSITIONAL_ONLY, "A film, an animated picture, or numbered pictures.")
    about = "Pictures to paint like, as FILE[:WEIGHT][@MASK]; a mask may be a film."
    return [film, *([picture("styles", Argument.VAR_POSITIONAL, about)] if styles else [])]


def output_argument() -> Argument:
    """The flags of `FilmOutput`, as an argument of a command."""
    annotation = Annotated[FilmOutput | None, Parameter(name="*")]
    return Argument("output", Argument.KEYWORD_ONLY, default=None, annotation=annotation)


def film_flags(recorded: FilmSettings | None = None) -> list[Argument]:
    """Make the flags of a film's own settings.

    Args:
        recorded: settings whose values are shown as defaults.
    """
    made: list[Argument] = []
    for name, field in FilmSettings.model_fields.items():
        value = getattr(recorded, name) if recorded is not None else field.default
        several, yes = name == "style_at", name == "sound"
        parameter = Parameter(
            name=_NAMES.get(name),
            help=(field.description or "").replace("`", "'"),
            group=OUTPUT if name in ("codec", "crf", "sound") else SETTINGS,
            negative="--no-sound" if yes else "",
            negative_iterable=(),
            show_default=str(value) if value not in (None, ()) and not yes else False,
            allow_leading_hyphen=name in ("crf", "fps", "steady"),
            **shown_if(plain=name in _PLAIN),
        )
        kind: Any = list[str] if several else bool if yes else str
        made.append(Argument(name, Argument.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, parameter]))
    return made


def film_settings_of(values: Mapping[str, Any], recorded: FilmSettings | None = None) -> FilmSettings:
    """Return the settings of a film by the values of its flags.

    Args:
        values: by name; None for a flag that was not given.
        recorded: settings for flags that were not given.

    Raises:
        RequestError: a value is wrong.
    """
    told = {name: values[name] for name in FilmSettings.model_fields if values.get(name) is not None}
    before = {} if recorded is None else recorded.model_dump()
    try:
        return FilmSettings.model_validate({**before, **told})
    except ValidationError as error:
        raise explain(error) from None


def _all_styles(texts: Sequence[str], film: str, settings: FilmSettings, name: str | None) -> list[Style]:
    """The style pictures; those of a timeline, if there is one."""
    if not settings.style_at:
        return parse_styles(texts, film)
    if texts:
        raise RequestError(f"{texts[0]} and --style-at are both given; expected one: as --style-at 0s={texts[0]}")
    if name is not None and not METHODS[name].styles:
        return []
    from ..video.timeline import styles_of

    return styles_of(settings.style_at)


def run_film(film: str, recipe: Recipe, settings: FilmSettings, output: FilmOutput) -> int:
    """Paint a film, write it and report on it; return the exit status.

    Raises:
        RequestError: the request is wrong. As much as possible is checked before any work.
        OutputError: the result cannot be written.
    """
    require_extra()
    from ..session.session import Session
    from ..video.film import paint_film
    from ..video.job import plan_film

    target = output.output or default_film_name(film, recipe)
    preview = None if output.preview is None else parse_time(output.preview, "--preview")
    job = plan_film(
        film,
        target,
        recipe,
        settings,
        device=output.device,
        keep_gps=output.keep_gps,
        overwrite=output.overwrite,
    )
    if output.sheet is not None:
        from ..images.write import check_target

        check_target(output.sheet, True)
    with film_display(quiet=output.quiet) as watch, signals_as_interrupt(), Session(device=output.device) as session:
        report = paint_film(job, session, watch=watch, preview=preview, sheet=output.sheet)
    _report(report, target, output, job.total)
    return INTERRUPTED if report.stopped else DONE


def default_film_name(film: str, recipe: Recipe) -> str:
    """``FILM.STYLE.mp4`` in the current folder, with the film's own ending if it can be written."""
    from ..video.coding import is_film_name, is_numbered

    style = recipe.styles[0].path if recipe.styles else recipe.options.style_name or recipe.method
    ending = PurePath(film).suffix[1:].lower() if is_film_name(film) and not is_numbered(film) else "mp4"
    return joined_name(stem(film).replace("%", ""), stem(style), ending)


def _report(report: Any, target: str, output: FilmOutput, total: int | None) -> None:
    import sys

    width, height = report.size
    if output.json:
        shown_report = {
            "output": target,
            "size": [width, height],
            "frames": report.frames,
            "continued": report.continued,
            "seconds": round(report.seconds, 3),
            "duration": round(report.duration, 3),
            "shots": report.shots,
            "flicker": {name: round(value, 3) for name, value in report.flicker.items()},
            "stopped": "interrupted" if report.stopped else "finished",
            "problems": report.problems,
            "files": report.files,
            "recipe": report.recipe,
        }
        print(json.dumps(shown_report))
    elif not output.quiet:
        rate = (report.frames - report.continued) / max(report.seconds, 1e-6)
        print(f"{target}  {width}×{height}, {report.frames} frames, {report.seconds:.1f} s, {rate:.2g} a second")
        if report.flicker:
            found = report.flicker
            print(
                f"flicker {found['result']:.1f} of 255; of the film itself {found['input']:.1f}, of its frames "
                f"painted each by itself {found['frames']:.1f}"
            )
        for path in report.files:
            print(path)
    if report.stopped:
        of = f" of about {total}" if total else ""
        print(
            f"impasto: interrupted after {report.frames}{of} frames; {target} can be played, and the same command "
            "goes on",
            file=sys.stderr,
        )
