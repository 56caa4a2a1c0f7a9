"""Films need the extra ``video``; without it these tests are skipped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from impasto.methods import make_recipe
from impasto.recipe import Recipe


@pytest.fixture(autouse=True)
def _extra() -> None:
    for library in ("av", "cv2"):
        pytest.importorskip(library, reason="the extra video is not installed")


@pytest.fixture
def recipe(tiny_nets: dict[str, Path]) -> Recipe:
    """Paints by a tiny feed-forward net, in its own size."""
    return make_recipe("johnson", settings={"net": str(tiny_nets["johnson"]), "size": None})


@pytest.fixture
def paint(recipe: Recipe) -> Callable[..., Any]:
    """Paints a film: paint(source, target, recipe=..., run={...}, **settings of the film) returns the report."""
    from impasto.session.session import Session
    from impasto.video.film import paint_film
    from impasto.video.job import plan_film
    from impasto.video.options import FilmSettings

    def run(source: Path, target: Path, *, run: dict[str, Any] | None = None, **settings: Any) -> Any:
        chosen = settings.pop("recipe", recipe)
        overwrite = settings.pop("overwrite", False)
        job = plan_film(str(source), str(target), chosen, FilmSettings(**settings), device="cpu", overwrite=overwrite)
        return paint_film(job, Session(device="cpu"), **(run or {}))

    return run


@pytest.fixture
def frames_of() -> Callable[..., list[Any]]:
    """Reads the frames of a film at its own size."""
    from impasto.video.sources import open_film

    def read(path: Path) -> list[Any]:
        film = open_film(str(path))
        return list(film.frames(film.info.size))

    return read
