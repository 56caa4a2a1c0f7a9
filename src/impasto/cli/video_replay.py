"""``impasto replay`` of a film: it is painted again with the recipe inside it, which any flag overrides."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from inspect import Parameter as Argument
from pathlib import Path, PurePath
from typing import Annotated, Any

from cyclopts import App, Parameter

from ..methods import method
from ..recipe import Recipe
from . import run_app
from .flags import HELP, HELP_ALL, PICTURES, flags, given, shown, with_signature
from .paint import joined_name, settings_of, stem
from .replay import recipe_in, resolve_inputs
from .video import SHARED, SIZE, FilmOutput, film_flags, film_settings_of, output_argument, run_film


def replay_film(source: str, tokens: Sequence[str]) -> int:
    """Paint a film again with the recipe inside it, which any flag overrides."""
    from ..video.record import film_provenance

    record = film_provenance(source)
    recipe = recipe_in(source, record)
    everything = HELP_ALL in tokens
    app = App(
        name="impasto replay",
        usage=f"Usage: impasto replay {source} [OPTIONS]",
        help_format="plaintext",
        help_flags=HELP,
        version_flags=[],
        default_parameter=shown(everything=everything),
    )
    app["--help"].show = False  # cyclopts would list it as a command
    own = method(recipe.method).options.model_fields
    arguments = [
        _several("film", str, "Another film to paint."),
        _several("style", list[str], "Other pictures to paint like, each as FILE[:WEIGHT][@MASK]."),
        _several("inputs", list[Path], "Where to find film, styles and masks: folders, or the files themselves."),
        *flags({**SIZE, **own, **SHARED}, settings_of(recipe), everything=everything),
        *film_flags(record.film),
        output_argument(),
    ]
    summary = f"Paint {shlex.quote(source)} again, or another film in the same way."
    app.default(with_signature(_command(source, record, recipe), "replay", summary, arguments))
    return run_app(app, list(tokens))


def _command(source: str, record: Any, recipe: Recipe) -> Callable[..., int]:
    """Make the command for a film."""
    own = method(recipe.method).options.model_fields

    def command(
        *,
        film: str | None = None,
        style: list[str] | None = None,
        inputs: list[Path] | None = None,
        output: FilmOutput | None = None,
        **values: Any,
    ) -> int:
        output = output or FilmOutput(keep_gps=record.keep_gps)
        settings, changes = film_settings_of(values, record.film), given({**SHARED, **own}, values)
        found, named = resolve_inputs(source, record, recipe, film, style or (), changes, inputs)
        if settings.style_at == record.film.style_at:
            from ..video.timeline import renamed

            settings = settings.model_copy(update={"style_at": renamed(settings.style_at, named)})
        if output.output is None:
            parts = (stem(source), "replay") if film is None else (stem(film), stem(source))
            output = replace(output, output=joined_name(*parts, PurePath(source).suffix[1:] or "mp4"))
        return run_film(found, named, settings, output)

    return command


def _several(name: str, kind: Any, text: str) -> Argument:
    parameter = Parameter(help=text, group=PICTURES, negative="", consume_multiple=True, show=True)
    return Argument(name, Argument.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, parameter])
