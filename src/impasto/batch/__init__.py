"""Folders of photos: planned, painted, and painted no second time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RequestError
from .problems import require_none
from .rows import Report, Row, Stop

if TYPE_CHECKING:
    from ..control import Cancel
    from ..recipe import Recipe
    from .batch import Batch

__all__ = ["Report", "Row", "paint_folder"]


def paint_folder(
    inputs: str | Path | Sequence[str | Path],
    out: str | Path,
    *styles: str | Path,
    method: str | None = None,
    preset: str | None = None,
    effort: str | None = None,
    boldness: float | None = None,
    recipe: Recipe | None = None,
    mix: bool = False,
    pattern: str | None = None,
    format: str | None = None,
    mask_dir: str | Path | None = None,
    keep_going: bool = False,
    overwrite: bool = False,
    quality: int = 95,
    device: str = "auto",
    cancel: Cancel | None = None,
    done: Callable[[Row], None] | None = None,
    **settings: Any,
) -> Report:
    """Paint folders of photos, each in every style. What is painted already is skipped.

    Args:
        inputs: files, folders, globs, or ``@FILE`` for a list of names; one or several.
        out: folder of the paintings; sub-folders are kept.
        styles: style pictures, as ``FILE[:WEIGHT][@MASK]``; for a method without, names of styles it knows.
        method: see `impasto.paint`.
        preset: see `impasto.paint`.
        effort: see `impasto.paint`.
        boldness: see `impasto.paint`.
        recipe: a recipe to paint with, instead of method, preset, effort and boldness.
        mix: mix all styles in each painting.
        pattern: names of the paintings; by default ``{photo}.{style}.{ext}``.
        format: format of the paintings, such as ``png``; by default that of each photo.
        mask_dir: folder with a mask for each photo.
        keep_going: paint the rest if some photos cannot be painted. Otherwise nothing is painted then.
        overwrite: replace files that impasto did not paint, too.
        quality: of lossy formats, 1 to 100.
        device: see `impasto.bind`.
        cancel: an object with ``is_set()``. The picture in hand is left soon after it is set.
        done: called with what has become of each painting.
        **settings: fields of `Recipe`, and with `method` or `recipe` of its options.

    Returns:
        What has become of each painting.

    Raises:
        RequestError: a style or setting is wrong, no photos are found, or without `keep_going` one cannot be
            painted.
        OutputError: the folder cannot be written.

    Examples:
        >>> from impasto.batch import paint_folder
        >>> report = paint_folder("photo.jpg", "painted", "painting.jpg", method="adain", size=48)
        >>> [(row.output, row.status) for row in report.rows]
        [('painted/photo.painting.jpg', 'painted')]
    """
    from ..methods.effort import check_shared, way
    from .batch import Batch
    from .jobs import Writing
    from .names import PATTERN, Pattern
    from .plan import Request
    from .ways import Maker

    if recipe is not None:
        if not (method is preset is effort is boldness is None):
            raise RequestError("a recipe and method, preset, effort or boldness are given; expected one or the other")
        maker = Maker(method=recipe.method, base=recipe, settings=settings)
    elif method is not None:
        if effort is not None or boldness is not None:
            raise RequestError(f"effort or boldness, and method={method!r} are given; expected one or the other")
        maker = Maker(method=method, preset=preset, settings=settings)
    else:
        check_shared([*settings, *(["preset"] if preset is not None else [])])
        name, chosen, dials = way(effort, boldness)
        maker = Maker(method=name, preset=chosen, settings={**dials, **settings})
    request = Request(
        inputs=[str(each) for each in ([inputs] if isinstance(inputs, str | Path) else inputs)],
        out=Path(out),
        maker=maker,
        styles=[str(style) for style in styles],
        mix=mix,
        pattern=Pattern(PATTERN if pattern is None else pattern, format),
        mask_dir=None if mask_dir is None else Path(mask_dir),
        writing=Writing(quality=quality, overwrite=overwrite),
    )
    with Batch(request, device) as batch:
        return _paint(batch, cancel, done, keep_going=keep_going)


def _paint(batch: Batch, cancel: Cancel | None, done: Callable[[Row], None] | None, *, keep_going: bool) -> Report:
    """Plan a batch and paint it."""
    plan = batch.plan()
    batch.reckon(plan)
    require_none(plan.problems, keep_going=keep_going)
    stop = Stop(cancel)
    for row in batch.paint(plan, stop):
        if done is not None:
            done(row)
    return batch.report
