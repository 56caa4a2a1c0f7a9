"""Painting within a budget: what is chosen, what it does to the picture, and what happens when memory runs out."""

from itertools import pairwise

import pytest
import torch

from impasto import ImpastoError, RequestError, Style, bind, make_recipe, memory
from impasto.api import last
from impasto.encoders.vgg import VGG
from impasto.losses.cost import Tiling
from impasto.losses.descent import run_in_tiles
from impasto.losses.optimisers import LBFGS
from impasto.memory import Plan
from impasto.methods.gatys import painter as gatys
from impasto.methods.gatys.options import GatysOptions
from impasto.methods.gatys.painter import optimisation
from impasto.weights.canonical import tiny_weights

LAYERS = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu4_2", "relu5_1"]
OPTIONS = GatysOptions()
USED = 4e8


@pytest.fixture(scope="module")
def encoder():
    """Nearly as wide as VGG-19: what is predicted counts its channels."""
    return VGG(tiny_weights(channels=60), dtype=torch.bfloat16)


def needs(options, encoder, size, steps=300):
    return optimisation(options, encoder, size, content=["relu4_2"], layers=LAYERS, steps=steps, styles=[size])


@pytest.fixture
def chosen(encoder, monkeypatch):
    """The plan of a process that holds `USED` bytes, within a budget or, not strictly, where so much is free."""

    def choose(budget, size=(3072, 4096), steps=300, options=OPTIONS, strict=True):
        monkeypatch.setattr(memory, "in_use", lambda _: USED)
        monkeypatch.setattr(memory, "available", lambda _: budget)
        return needs(options, encoder, size, steps).plan(budget if strict else None)

    return choose


def test_a_small_picture_is_painted_whole(chosen):
    found = chosen(4e9, (384, 512))
    assert found.way == (None, OPTIONS.lbfgs_history)
    assert USED < found.peak < 4e9


@pytest.mark.parametrize("budget", [4e9, 5e9, 8e9, 16e9, 40e9])
def test_the_peak_predicted_is_within_the_budget(chosen, budget):
    assert chosen(budget).peak <= budget


def test_more_memory_is_used_for_longer_histories_and_larger_tiles(chosen):
    plans = [chosen(budget) for budget in (4e9, 6e9, 8e9, 12e9, 60e9)]
    assert all(a.way.history <= b.way.history for a, b in pairwise(plans))
    assert plans[0].way.history < plans[-1].way.history == OPTIONS.lbfgs_history
    assert plans[0].way.tile is not None
    assert plans[-1].way.tile is None


def test_a_few_steps_need_few_pairs(chosen):
    assert chosen(5e9, steps=3).peak < chosen(50e9, steps=30).peak
    assert chosen(5e9, steps=3).way.history == OPTIONS.lbfgs_history


def test_too_small_a_budget_says_the_least_that_would_do(chosen):
    with pytest.raises(RequestError, match=r"memory is 1 GB; painting 4096×3072 .* at least ([\d.]+) GB") as caught:
        chosen(1e9)
    least = float(str(caught.value).partition("at least ")[2].split()[0])
    assert chosen(least * 1e9 * 1.01).way.history >= 1
    with pytest.raises(RequestError):
        chosen(least * 1e9 * 0.98)
    assert chosen(1e9, strict=False).peak > 1e9, "without a budget it is tried all the same"


@pytest.mark.parametrize(
    ("costly", "tile"),
    [
        (GatysOptions(keep_best=True), 512),
        (GatysOptions(optimizer="adam", average=0.5), 512),
        (GatysOptions(tv_weight=1.0, lbfgs_history=1), 96),
        (GatysOptions(style_loss="wasserstein"), 512),
    ],
)
def test_what_keeps_more_is_predicted_to_need_more(encoder, costly, tile):
    plain = {"optimizer": costly.optimizer, "lbfgs_history": costly.lbfgs_history}
    size, tiling = (1536, 2048), Tiling(tile, 5)
    cheap = needs(GatysOptions(**plain), encoder, size).cost(tiling).at(size)
    assert needs(costly, encoder, size).cost(tiling).at(size) > cheap


def test_float32_takes_about_twice_as_much():
    halves, singles = (
        VGG(tiny_weights(channels=60), dtype=dtype).vjp_cost(LAYERS).at((64, 64))
        for dtype in (torch.bfloat16, torch.float32)
    )
    assert 1.5 < singles / halves < 3


def test_tiles_are_halved_until_nothing_is_left():
    tried = []

    def work(tile):
        tried.append(tile)
        raise MemoryError

    with pytest.raises(ImpastoError, match="even in the smallest tiles"):
        run_in_tiles(work, None, (300, 400))
    assert tried == [None, 200, 100]
    with pytest.raises(ValueError, match="shapes"):
        run_in_tiles(lambda _: (_ for _ in ()).throw(ValueError("shapes")), 200, (300, 400))


@pytest.fixture
def painting(picture, monkeypatch, tiny_encoder):
    """Paints 200×150 pixels, by a plan given or the painter's own."""

    def paint(plan=None, **settings):
        settings = {"size": 200, "steps": 6, "precision": "exact", **settings}
        painter = bind(make_recipe("gatys", [Style(path="s")], settings=settings), styles=[picture(120, 90, 2)])
        if plan is not None:
            monkeypatch.setattr(gatys.GatysPainter, "plan", lambda *_: plan)
        return list(painter.paint(picture(150, 200)))

    return paint


def test_the_budget_changes_no_picture(painting):
    adam = {"optimizer": "adam", "init": "random"}  # which does not multiply rounding, as L-BFGS may
    whole, tiled = painting(**adam), painting(Plan(Tiling(70, 20), 1e9), **adam)
    assert whole[0].note == ""
    assert tiled[0].note == "tiles of 70 px, about 1 GB"
    for one, other in zip(whole, tiled, strict=True):
        assert other.losses["total"] == pytest.approx(one.losses["total"], rel=1e-3)
    assert float((whole[-1].image - tiled[-1].image).abs().mean()) < 1e-3
    assert whole[-1].losses["total"] < 0.7 * whole[0].losses["total"]


def test_what_is_done_within_a_budget_is_said(painting):
    assert painting(memory="4GB", steps=1)[0].note.startswith("about ")
    steps = painting(Plan(Tiling(100, 20), 2.5e9), schedule="0.5:1,1:1")
    assert [step.note for step in steps] == ["100 px", "200 px, tiles of 100 px, about 2.5 GB"]
    assert painting(Plan(Tiling(None, 3), 2e9))[0].note == "3 of 20 pairs, about 2 GB"


def test_too_small_a_budget_is_refused_before_any_work(painting):
    with pytest.raises(RequestError, match="memory is 1 MB; painting 200×150 pixels takes at least"):
        painting(memory="1MB")
    with pytest.raises(RequestError, match="painting 200×150 pixels takes at least"):  # of all sizes, the last
        painting(memory="1MB", schedule="0.5:1,1:1")


def short_of_memory(real, times):
    left = iter(range(times))

    def call(self, *arguments, **named):
        if next(left, None) is not None:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes")
        return real(self, *arguments, **named)

    return call


def test_want_of_memory_is_answered_by_smaller_tiles(painting, monkeypatch):
    expected = painting(optimizer="adam")[-1]
    monkeypatch.setattr(gatys.TiledObjective, "__call__", short_of_memory(gatys.TiledObjective.__call__, 1))
    found = painting(optimizer="adam")
    assert found[0].note.startswith("tiles of 100 px")
    assert float((expected.image - found[-1].image).abs().mean()) < 1e-3


def test_want_of_memory_at_the_targets_too(painting, monkeypatch):
    monkeypatch.setattr(gatys.GatysPainter, "objective", short_of_memory(gatys.GatysPainter.objective, 1))
    assert painting(steps=1)[0].note.startswith("tiles of 100 px")


def test_want_of_memory_in_a_move_is_answered_by_a_shorter_history(painting, monkeypatch):
    real, histories = LBFGS._two_loop, []

    def scarce(self, g, pairs, gamma):
        histories.append(self.history)
        if len(histories) == 3:
            raise MemoryError
        return real(self, g, pairs, gamma)

    monkeypatch.setattr(LBFGS, "_two_loop", scarce)
    steps = painting()
    assert len(steps) == 6
    assert histories[2:4] == [20, 10]


def test_memory_that_never_suffices_is_an_error(painting, monkeypatch):
    monkeypatch.setattr(gatys.TiledObjective, "__call__", short_of_memory(gatys.TiledObjective.__call__, 100))
    with pytest.raises(ImpastoError, match="memory ran out at 200×150 pixels"):
        painting()


def test_other_errors_pass(painting, monkeypatch):
    def broken(*_):
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(gatys.TiledObjective, "__call__", broken)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        last(painting())
