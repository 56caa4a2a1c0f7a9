"""What a program has set for its own process stays as it is, and harms no painting."""

from __future__ import annotations

import multiprocessing
import random
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import impasto
from impasto.api import read_regions
from impasto.session.turns import TURNS, Turns
from impasto.weights.canonical import VGGWeights

WAYS: dict[str, dict[str, Any]] = {
    "gatys": {"steps": 2, "init": "random"},
    "adain": {},
    "swap": {},
    "johnson": {},
    "nnst": {"first_size": 24, "first_steps": 1, "steps": 1},
    "cascade": {},
}


@pytest.fixture(autouse=True)
def _tiny(tiny_encoder: VGGWeights) -> None:
    pass


@pytest.fixture
def defaults() -> Iterator[None]:
    """Restores torch's defaults after a test."""
    yield
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)


def paint(method: str, photo: Path, style: Path, settings: dict[str, dict[str, str]], **more: Any) -> torch.Tensor:
    styles = [] if method == "johnson" else [style]
    chosen = {"size": 32, "precision": "exact", **WAYS[method], **settings.get(method, {}), **more}
    return impasto.paint(photo, *styles, method=method, **chosen).image


@pytest.mark.parametrize("method", WAYS)
def test_nobody_elses_random_numbers_are_taken(
    method: str, photo: Path, style: Path, tiny_settings: dict[str, dict[str, str]]
) -> None:
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    paint(method, photo, style, tiny_settings, colour="coral" if method != "johnson" else "luminance")
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert np.array_equal(np.random.get_state()[1], before[2])


@pytest.mark.parametrize("method", WAYS)
def test_torchs_defaults_change_no_painting(
    method: str, photo: Path, style: Path, tiny_settings: dict[str, dict[str, str]], defaults: None, tmp_path: Path
) -> None:
    expected = paint(method, photo, style, tiny_settings)
    impasto.api._sessions.clear()
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    found = paint(method, photo, style, tiny_settings)
    assert torch.get_default_dtype() == torch.float64 and torch.get_default_device().type == "meta"
    assert found.dtype == torch.float32 and torch.equal(found, expected)


def test_torchs_defaults_change_no_other_verb(photo: Path, style: Path, defaults: None, tmp_path: Path) -> None:
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    settings = {"size": 32, "steps": 2}
    recipe = impasto.make_recipe("gatys", [impasto.Style(path=str(style), mask=str(photo))], settings=settings)
    picture = impasto.read(photo)
    assert picture.pixels.dtype == torch.float32 and picture.pixels.device.type == "cpu"
    regions = read_regions(recipe, picture)
    assert regions is not None and regions.shares.dtype == torch.float32
    painter = impasto.bind(recipe)
    *_, last = painter.painter.paint(picture.pixels, regions)
    assert last.image.dtype == torch.float32 and last.image.isfinite().all()
    painting = painter.paint(photo).done()
    painting.finished(strength=0.5, colour="oklab", feather=0.1).save(tmp_path / "out.png")
    assert painting.to_pil().size == painting.size


def test_a_default_between_two_steps_is_the_callers(photo: Path, style: Path, defaults: None) -> None:
    recipe = impasto.make_recipe("gatys", [impasto.Style(path=str(style))], settings={"size": 32, "steps": 3})
    torch.set_default_dtype(torch.float64)
    for step in impasto.bind(recipe).paint(photo):
        assert torch.get_default_dtype() == torch.float64 and step.image.dtype == torch.float32


def test_a_child_forgets_the_paintings_of_other_threads() -> None:
    turns = Turns()
    own = turns.take()
    thread = threading.Thread(target=lambda: turns._waiting.append(turns._painting[0]))
    thread.start()
    thread.join()
    other = Turns()
    held = threading.Thread(target=other.take)
    held.start()
    held.join()
    for each in (turns, other):
        each.forget_other_threads()
        each.take().end()
    own.give_way()
    own.end()


def _paint_in_child(photo: Path, style: Path, settings: dict[str, dict[str, str]], answer: Any) -> None:
    image = paint("adain", photo, style, settings)
    answer.put((torch.get_num_threads(), bool(image.isfinite().all())))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not fork by default")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_paints(photo: Path, style: Path, tiny_settings: dict[str, dict[str, str]]) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        paint("adain", photo, style, tiny_settings)
        (torch.rand(500, 500) @ torch.rand(500, 500)).sum()  # OpenMP has threads now
        fork = multiprocessing.get_context("fork")
        answer = fork.Queue()
        child = fork.Process(target=_paint_in_child, args=(photo, style, tiny_settings, answer), daemon=True)
        child.start()
        child.join(60)
        hangs = child.is_alive()
        child.kill()
        assert not hangs and answer.get(timeout=5) == (1, True)
        assert torch.get_num_threads() == 2 and TURNS.take().end() is None
    finally:
        torch.set_num_threads(threads)
