"""``impasto batch``: paints folders of photos. Its flags are those of the method that it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import Parameter as Argument
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from ..batch import storage
from ..batch.jobs import Writing
from ..batch.names import PATTERN, Pattern
from ..batch.plan import Request
from ..batch.ways import Maker
from ..errors import RequestError
from ..methods import make_recipe, read_recipe
from ..methods import method as method_called
from ..methods.effort import Dials, way
from ..recipe import Recipe
from ..session.provenance import Finder, read_provenance
from . import run_app
from .flags import HELP, HELP_ALL, OUTPUT, PICTURES, flags, given, more_flags, shown, shown_if, with_signature
from .paint import COMMON, FIRST, is_gallery_style, refuse_file_as_init, settings_of
from .replay import recipe_in

_SUMMARY = (
    "Paint folders of photos, each in every style. What is painted already is skipped, by what is inside the "
    "pictures.\n\nIN is a photo, a folder with sub-folders, a pattern such as 'photos/**/*.jpg', @FILE for a list of "
    "names, or - for a list on standard input."
)
_EXAMPLES = (
    "impasto batch photos --style painting.jpg -o painted",
    "impasto batch photos --style a.jpg --style b.jpg --method adain -o painted --dry-run",
)


def _option(help: str, *, plain: bool = False, group: Any = OUTPUT, **more: Any) -> Parameter:
    more.setdefault("show_default", False)
    return Parameter(help=help, group=group, negative="", **more, **shown_if(plain=plain))


@dataclass(frozen=True, kw_only=True)
class Folders:
    """What is painted, where it goes and what is printed; each field is a flag."""

    output: Annotated[
        str | None, _option("Folder of the paintings; sub-folders are kept.", name=("--output", "-o"), plain=True)
    ] = None
    style: Annotated[
        list[str] | None,
        _option(
            "Picture to paint like, as FILE[:WEIGHT][@MASK]; of a method without, a style it knows. May be given "
            "several times.",
            group=PICTURES,
            plain=True,
        ),
    ] = None
    mix: Annotated[bool, _option("Mix all styles in each painting.", group=PICTURES, plain=True)] = False
    table: Annotated[
        Path | None,
        _option("CSV file of photos, styles and settings, instead of IN: its columns.", group=PICTURES),
    ] = None
    mask_dir: Annotated[
        Path | None,
        _option("Folder with masks: PHOTO.png for each photo, or PHOTO.STYLE.png for each style.", group=PICTURES),
    ] = None
    method: Annotated[
        str | None, _option("Method to paint with; its settings are flags then.", group=PICTURES, plain=True)
    ] = None
    recipe: Annotated[
        Path | None,
        _option("Paint by the recipe in a .toml file or a painting.", group=PICTURES, plain=True),
    ] = None
    pattern: Annotated[str, _option("Names of the paintings.", show_default=PATTERN)] = PATTERN
    format: Annotated[
        str | None, _option("Format: png, jpg, webp, tif, avif or jxl.", show_default="the photo's", plain=True)
    ] = None
    quality: Annotated[int, _option("Quality of lossy formats, 1 to 100.", show_default=True)] = 95
    bits: Annotated[int, _option("Bits of each colour channel: 8 or 16.", show_default=True)] = 8
    keep_gps: Annotated[bool, _option("Keep the place where a photo was taken.")] = False
    overwrite: Annotated[bool, _option("Replace files that impasto did not paint, too.")] = False
    dry_run: Annotated[bool, _option("Print the plan, and paint nothing.", plain=True)] = False
    keep_going: Annotated[bool, _option("Leave out what cannot be painted.", plain=True)] = False
    watch: Annotated[bool, _option("Go on with new photos as they arrive, until Ctrl-C.", plain=True)] = False
    prune: Annotated[bool, _option("List paintings in the output that no photo belongs to, and paint nothing.")] = (
        False
    )
    sheet: Annotated[Path | None, _option("Write a contact sheet of the paintings.", plain=True)] = None
    report: Annotated[Path | None, _option("Write a page of photos and paintings: report.html.", plain=True)] = None
    device: Annotated[str, _option("Where to paint: auto, cpu, cuda, cuda:N or mps.", show_default=True)] = "auto"
    engine: Annotated[
        Literal["local", "ray"], _option("Where the work is done: this machine, or a Ray cluster.", show_default=True)
    ] = "local"
    address: Annotated[str | None, _option("Address of a running Ray cluster.")] = None
    workers: Annotated[int | None, _option("Painters of --engine ray.", show_default="one a CPU or GPU")] = None
    quiet: Annotated[bool, _option("Print nothing but errors.", name=("--quiet", "-q"))] = False
    json: Annotated[bool, _option("Print one JSON object for each painting on standard output.")] = False


def batch(*tokens: Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]) -> int:
    """Paint folders of photos, each in every style."""
    return run_app(app_for(tokens), tokens)


def app_for(tokens: Sequence[str]) -> App:
    """Make the application whose one command has the flags of the method that tokens ask for.

    Raises:
        RequestError: there is no such method, or the recipe cannot be read.
    """
    # The flags are those of the method, so the method is read before the flags.
    everything = HELP_ALL in tokens
    name, source = _value_of(tokens, "--method"), _value_of(tokens, "--recipe")
    base = None
    if source is not None and not set(tokens) & set(HELP):
        base = _recipe_of(source, own_styles=_value_of(tokens, "--style") is not None)
        if name is not None and name != base.method:
            raise RequestError(
                f"{source} is a recipe of {base.method}, and --method {name} is asked for; expected one method: "
                f"leave out --method, or give a recipe of {name}"
            )
        name = base.method
    command = _command(name, base, everything=everything)
    usage = "impasto batch" if name is None else f"impasto batch --method {name}"
    app = App(
        name="impasto batch",
        usage="Usage: impasto batch IN [IN ...] --style FILE [--style FILE ...] -o OUT [OPTIONS]",
        help_format="plaintext",
        help_flags=HELP,
        help_epilogue="\n\n".join(
            ["\n".join(["Examples:", *(f"  {each}" for each in _EXAMPLES)])]
            + [text for text in [more_flags(usage, command, everything=everything)] if text]
        ),
        version_flags=[],
        default_parameter=shown(everything=everything),
    )
    app["--help"].show = False  # cyclopts would list it as a command
    app.default(command)
    return app


def _value_of(tokens: Sequence[str], flag: str) -> str | None:
    """The value that a flag has among tokens that are not parsed yet."""
    for number, token in enumerate(tokens):
        if token.startswith(f"{flag}="):
            return token.partition("=")[2]
        if token == flag and number + 1 < len(tokens):
            return tokens[number + 1]
    return None


def _recipe_of(source: str, *, own_styles: bool) -> Recipe:
    """Read a recipe whose files are found beside it; its styles too, unless others are given.

    Raises:
        RequestError: it is unreadable, or a file is missing.
    """
    record = read_provenance(source)
    recipe = recipe_in(source, record)
    if own_styles:
        recipe = recipe.model_copy(update={"styles": ()})
    finder = Finder(record.inputs, [Path(source).parent, Path()])
    if record.photo is not None:
        finder.expected(record.photo)
    data = recipe.renamed(finder.find)
    finder.check(source)
    return read_recipe(data)


def _command(name: str | None, base: Recipe | None, *, everything: bool) -> Callable[..., int]:
    """Make the command: with the dials of `impasto paint`, or with the settings of a method."""
    own = Dials.model_fields if name is None else method_called(name).options.model_fields
    common = {field: COMMON[field] for field in COMMON if field != "preset" or name is not None}

    def command(*inputs: str, folders: Folders | None = None, **values: Any) -> int:
        folders = folders or Folders()
        settings = given(common, values)
        if name is None:
            chosen, preset, dials = way(**given(Dials.model_fields, values))
            maker = Maker(method=chosen, preset=preset, settings={**dials, **settings})
        else:
            settings |= given(own, values)
            refuse_file_as_init(settings)
            maker = Maker(method=name, preset=settings.pop("preset", None), settings=settings, base=base)
        columns = [*common, *(own if name is not None else ())]
        from .batching import run

        return run(_request(inputs, folders, maker, columns), folders)

    defaults = None
    if base is not None or name is not None:
        defaults = settings_of(base or make_recipe(str(name)))
    about = "Photos, folders, patterns, or lists of names."
    photos = Argument(
        "inputs",
        Argument.VAR_POSITIONAL,
        annotation=Annotated[str, Parameter(help=about, group=PICTURES, show=True, name="IN")],
    )
    where = Argument(
        "folders", Argument.KEYWORD_ONLY, default=None, annotation=Annotated[Folders | None, Parameter(name="*")]
    )
    arguments = [photos, *flags({**FIRST, **own, **common}, defaults, everything=everything), where]
    return with_signature(command, "batch", _SUMMARY, arguments)


def _request(inputs: Sequence[str], folders: Folders, maker: Maker, columns: Sequence[str]) -> Request:
    """Make the request of the flags.

    Raises:
        RequestError: one is missing or wrong.
    """
    if folders.output is None:
        raise RequestError("no folder for the paintings is given; expected one: -o painted")
    for style in folders.style or ():
        if method_called(maker.method).styles and is_gallery_style(style):
            raise RequestError(
                f"{style} is not a picture file but a style of the gallery; expected --method johnson --style {style}"
            )
    if not inputs and folders.table is None:
        raise RequestError("no photos are given; expected a folder, photos or --table FILE: impasto batch photos ...")
    return Request(
        inputs=inputs,
        out=folders.output if storage.is_remote(folders.output) else Path(folders.output).expanduser(),
        maker=maker,
        styles=folders.style or (),
        mix=folders.mix,
        table=folders.table,
        columns=columns,
        pattern=Pattern(folders.pattern, folders.format),
        mask_dir=folders.mask_dir,
        writing=Writing(
            quality=folders.quality, bits=folders.bits, keep_gps=folders.keep_gps, overwrite=folders.overwrite
        ),
    )
