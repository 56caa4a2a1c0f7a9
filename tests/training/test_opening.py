"""What a run says before its first step."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from impasto.errors import ImpastoWarning
from impasto.training.data import Batches, Cropping, Pictures
from impasto.training.opening import describe_opening, paint_command, warn_of_full_disk

from .blur import OPTIONS, Blur

NET = Path("my runs/net.safetensors")
PARENT = {"name": "old.safetensors", "sha256": "0" * 64}


@pytest.mark.parametrize(
    ("about", "command"),
    [
        ({"task": "adain"}, "impasto adain photo.jpg painting.jpg --net '{net}'"),
        ({"task": "swap"}, "impasto swap photo.jpg painting.jpg --net '{net}'"),
        ({"task": "swap-steps"}, "impasto swap photo.jpg painting.jpg --net '{net}'"),
        ({"task": "johnson", "styles": ["a"]}, "impasto johnson photo.jpg --net '{net}'"),
        ({"task": "johnson", "styles": ["a", "b"]}, "impasto johnson photo.jpg --net '{net}#a'"),
        ({"task": "blur"}, None),
        ({}, None),
    ],
)
def test_the_command_that_paints_with_a_net(about: dict[str, Any], command: str | None) -> None:
    metadata = {"recipe": about, "network": {"styles": about.get("styles", [])}}
    assert paint_command(NET, metadata) == (command and command.format(net=NET))


def test_an_added_style_is_painted_with_and_not_an_old_one() -> None:
    metadata = {"recipe": {"task": "johnson", "styles": ["new"]}, "network": {"styles": ["old", "new"]}}
    assert str(paint_command(Path("net"), metadata)).endswith("--net 'net#new'")


@pytest.mark.parametrize(
    ("recipe", "done", "words"),
    [
        ({"parent": None}, 0, "begins with random weights (--net: with those of a net)"),
        ({"parent": PARENT}, 0, "begins with the weights of old.safetensors (--net none: with random ones)"),
        ({"parent": PARENT, "learn": "styles"}, 0, "begins with the weights of old.safetensors"),
        ({"parent": PARENT, "task": "swap-steps"}, 0, "begins with the weights of old.safetensors"),
        ({"parent": PARENT}, 3, "the run began with the weights of old.safetensors"),
        ({"parent": None}, 3, "the run began with random weights"),
    ],
)
def test_a_run_says_what_it_begins_with(
    recipe: dict[str, Any], done: int, words: str, pictures: Pictures, tmp_path: Path
) -> None:
    batches = Batches(pictures, pictures, Cropping(32), (2, 2), 0)
    lines = describe_opening(Blur(), batches, OPTIONS, tmp_path, recipe, (done, 12))
    assert lines[1] == words
    over = describe_opening(Blur(), batches, OPTIONS, tmp_path, recipe, (12, 12))
    assert len(over) == 1 and "all 12 steps are done" in over[0]


@pytest.mark.parametrize(("free", "resumed", "warned"), [(1_500_000, False, True), (1_500_000, True, False)])
def test_too_little_room_is_told_of_at_the_start(
    free: int, resumed: bool, warned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    if warned:
        with pytest.warns(ImpastoWarning, match=r"1\.5 MB free.*needs about 2 MB: make room"):
            warn_of_full_disk(Blur(), tmp_path, resumed=resumed)
    else:
        warn_of_full_disk(Blur(), tmp_path, resumed=resumed)
