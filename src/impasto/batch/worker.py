"""`PaintWorker`: paints rows of a table, by ``map_batches`` of Ray Data; `impasto batch --engine ray` does so."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..images.atomic import make_folder
from ..methods import method, read_recipe
from ..recipe import Recipe
from . import storage
from .claims import Claims
from .done import Done
from .inputs import Photo
from .jobs import Job, State, Writing
from .local import explain
from .rows import Row
from .ways import Way

if TYPE_CHECKING:
    from ..images.picture import Picture
    from ..session.painting import Painting

_PATIENCE = 3600.0  # seconds to wait for another worker that paints the same picture

COLUMNS = ("photo", "output", "style", "status", "size", "seconds", "error")
"""The columns of the rows that a worker returns."""


class PaintWorker:
    """Paints photos that rows of a table name. It loads networks and encodes styles once.

    Each row has a ``photo``, the path of a file or an address such as ``s3://bucket/photo.jpg``; and an ``output``,
    where its painting goes. A row may name one of several recipes by its number in ``way``, and ``masks`` as a JSON
    list of paths. Each returned row has `COLUMNS`. What is painted already is skipped. What goes wrong is an
    ``error`` in the row, and raises nothing.

    Args:
        recipe: what to paint with; or several recipes, as plain data too.
        styles: bytes of each recipe's style pictures, for machines that do not have the files; None reads the files.
        device: where to paint; see `impasto.bind`.
        quality: of lossy formats, 1 to 100.
        bits: of a channel.
        keep_gps: keep the place where a photo was taken.
        overwrite: replace files that impasto did not paint, too.
        claims: folder of the paintings on a disk that all workers share, to paint no picture twice; None for none.

    Examples:
        >>> recipe = impasto.make_recipe("adain", [impasto.Style(path="painting.jpg")], settings={"size": 48})
        >>> worker = PaintWorker(recipe)
        >>> worker({"photo": ["photo.jpg"], "output": ["painted.png"]})["status"]
        ['painted']
    """

    def __init__(
        self,
        recipe: Recipe | Mapping[str, Any] | Sequence[Recipe | Mapping[str, Any]],
        *,
        styles: Sequence[Sequence[bytes]] | None = None,
        device: str = "auto",
        quality: int = 95,
        bits: int = 8,
        keep_gps: bool = False,
        overwrite: bool = False,
        claims: str | None = None,
    ) -> None:
        from ..session.session import Session

        recipes = [recipe] if isinstance(recipe, Recipe | Mapping) else list(recipe)
        self._ways = [Way.of(each if isinstance(each, Recipe) else read_recipe(each)) for each in recipes]
        self._styles = styles
        self._pictures: dict[int, list[Picture]] = {}
        self._session = Session(device=device)
        self._writing = Writing(quality=quality, bits=bits, keep_gps=keep_gps, overwrite=overwrite)
        self._done = Done(self._writing, self._nets_of, self._digests_of)
        self._claims = None if claims is None else Claims(Path(claims))

    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
        """Paint the photos of some rows, given by columns; return what became of them, by columns."""
        count = len(batch["photo"])
        found = [self._row({name: column[number] for name, column in batch.items()}) for number in range(count)]
        return {name: [each[name] for each in found] for name in COLUMNS}

    def _row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        way = self._ways[int(row.get("way", 0))]
        masks = json.loads(str(row.get("masks") or "null"))
        job = Job(Photo(str(row["photo"])), way, str(row["output"]), None if masks is None else tuple(masks))
        found = self._paint(job)
        return {
            "photo": found.photo,
            "output": job.output,
            "style": way.style,
            "status": found.status,
            "size": json.dumps(found.size),
            "seconds": found.seconds,
            "error": found.error or "",
        }

    def _paint(self, job: Job) -> Row:
        """Paint a photo, unless its painting is there."""
        claim = None
        try:
            if self._claims is not None:
                claim = self._claims.take(job.output, patience=_PATIENCE)
            state = self._done.state(job)
            if state is State.DONE:
                return Row.of(job, "skipped")
            self._writing.check_replaces(job.output, state)
            painting = self._painting(job)
            replaces = state is not State.ABSENT or self._writing.overwrite or storage.is_remote(job.output)
            storage.write(
                job.output, lambda path: self._writing.save(painting, path, overwrite=replaces), make_folder
            )
            return Row.of(job, "painted", size=painting.size, seconds=painting.seconds)
        except Exception as error:
            return Row.of(job, "failed", error=explain(error))
        finally:
            if claim is not None:
                claim.release()

    def _painting(self, job: Job) -> Painting:
        from ..images.read import read

        recipe = job.way.recipe
        photo = read(storage.load(job.photo.path), recipe.sides_used().photo)
        photo = dataclasses.replace(photo, source=job.photo.path)
        return self._session.paint(recipe, photo, styles=self._styles_of(job.way), masks=job.masks).done()

    def _styles_of(self, way: Way) -> list[Picture] | None:
        """The style pictures of a way, decoded once; None if its recipe's files are read."""
        from ..images.read import read

        if self._styles is None or not way.recipe.styles:
            return None
        number = self._ways.index(way)
        if number not in self._pictures:
            longest = way.recipe.sides_used().style
            self._pictures[number] = [
                dataclasses.replace(read(data, longest), source=style.path)
                for data, style in zip(self._styles[number], way.recipe.styles, strict=True)
            ]
        return self._pictures[number]

    def _digests_of(self, way: Way) -> list[str | None] | None:
        pictures = self._styles_of(way)
        return None if pictures is None else [picture.sha256 for picture in pictures]

    def _nets_of(self, way: Way) -> Mapping[str, str]:
        return method(way.recipe.method).load(way.recipe, self._session.device, self._session.cache.keep).sha256
