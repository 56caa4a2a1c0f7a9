"""Strips that keep a painting within its memory."""

import pytest
import torch

from impasto import Style, bind, make_recipe, memory
from impasto.api import last
from impasto.errors import ImpastoError, RequestError
from impasto.images.regions import make_regions
from impasto.memory import Cost, in_use, parse
from impasto.methods.common import scales
from impasto.strip_plan import MIN_VALUES, StripPlan, plan_strips
from impasto.strips import VALUES

CPU = torch.device("cpu")


def strips(size: tuple[int, int], budget: int | None, held: float, later: float | None = None) -> StripPlan:
    """Planned in bfloat16, where so many bytes are held."""
    then = None if later is None else Cost.of_bytes(later)
    return plan_strips(Cost.of_bytes(held), size, budget, CPU, torch.bfloat16, then)


@pytest.fixture(autouse=True)
def used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that holds 1 GB on a machine where 100 GB are free."""
    monkeypatch.setattr(memory, "in_use", lambda _: 10**9)
    monkeypatch.setattr(memory, "available", lambda _: 10**11)


def test_without_a_budget_strips_are_as_large_as_is_quick() -> None:
    plan = strips((4000, 4000), None, 1e9)
    assert plan.way == VALUES and plan.note == ""
    assert 2e9 < plan.peak < 4e9


def test_the_prediction_stays_within_the_budget_and_grows_with_the_picture() -> None:
    last = 0.0
    for amount in ("2.2GB", "2.5GB", "3GB", "6GB"):
        plan = strips((3000, 4000), parse(amount), 1e9)
        assert plan.peak <= parse(amount) and plan.way >= last and "in strips, about" in plan.note
        last = plan.way
    assert strips((100, 100), parse("3GB"), 1e8).note == ""
    assert strips((100, 100), parse("3GB"), 1e8).peak < strips((9000, 100), parse("3GB"), 1e8).peak


def test_too_small_a_budget_is_told_the_least_that_would_do() -> None:
    with pytest.raises(
        RequestError, match=r"memory is 1.5 GB; painting 4000×3000 pixels takes at least ([\d.]+ GB)"
    ) as e:
        strips((3000, 4000), parse("1.5GB"), 1e9)
    least = str(e.value).partition("at least ")[2].partition(":")[0]
    assert strips((3000, 4000), parse(least), 1e9).way == MIN_VALUES


def test_a_style_is_refused_with_what_does_for_the_photograph_too() -> None:
    with pytest.raises(RequestError) as caught:
        strips((3000, 4000), parse("1.5GB"), 1e9, later=1.4e9)
    least = str(caught.value).partition("at least ")[2].partition(":")[0]
    strips((3000, 4000), parse(least), 1.4e9)
    strips((3000, 4000), parse("2.4GB"), 1e9, later=1.4e9)  # the photograph may be smaller


@pytest.mark.usefixtures("tiny_encoder")
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("method", ["adain", "swap"])
def test_what_a_refusal_asks_for_does_for_every_size_on_the_way(method, masked, tiny_nets, picture, monkeypatch):
    monkeypatch.setattr(scales, "_SIDE", 240)
    pictures = [picture(150, 160, 1), picture(160, 160, 2)]
    regions = None
    if masked:
        left = torch.linspace(1, 0, 80).expand(1, 1, 60, 80)
        regions = make_regions([left, 1 - left], [1.0, 1.0], 60, 80, 0.01, ["left", "right"])

    def painter(memory):
        settings = {"net": str(tiny_nets[method]), "size": 320, "memory": memory}
        masks = ("left.png", "right.png") if masked else (None, None)
        styles = [Style(path=path, mask=mask) for path, mask in zip(("one", "two"), masks, strict=True)]
        recipe = make_recipe(method, styles, settings=settings)
        return bind(recipe, styles=pictures, device="cpu")

    assert painter(None).painter.sizes(320) == (240, 320)  # both in several strips
    with pytest.raises(RequestError, match=r"painting 320×300 pixels takes at least ([\d.]+ GB)") as refusal:
        painter("1GB")
    least = str(refusal.value).partition("at least ")[2].partition(":")[0]
    assert last(painter(least).paint(picture(60, 80), regions)).image.shape == (1, 3, 240, 320)


def test_what_johnson_asks_for_does_for_the_last_pass_whose_photograph_is_in_memory(tiny_nets, picture, monkeypatch):
    def painted(memory):
        recipe = make_recipe("johnson", settings={"net": str(tiny_nets["johnson"]), "size": 1400, "memory": memory})
        return last(bind(recipe, device="cpu").paint(picture(60, 80))).image

    with pytest.raises(RequestError, match=r"painting 1400×1050 pixels takes at least ([\d.]+ GB)") as refusal:
        painted("1GB")
    least = str(refusal.value).partition("at least ")[2].partition(":")[0]
    begun: list[int] = []

    def grown(_: torch.device) -> int:
        begun.append(1)  # the first is asked before any pass
        return 10**9 + (len(begun) > 1) * 2 * 3 * 4 * 1400 * 1050  # then there are the photograph, and it framed

    monkeypatch.setattr(memory, "in_use", grown)
    assert painted(least).shape == (1, 3, 1050, 1400) and len(begun) > 2


def test_little_free_memory_alone_is_no_reason_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda _: 10**8)
    plan = strips((3000, 4000), None, 1e9)
    assert plan.way == MIN_VALUES and plan.note


def test_half_as_much_at_a_time_when_memory_runs_out() -> None:
    tried: list[int] = []

    def scarce(values: int) -> str:
        tried.append(values)
        if values > VALUES // 4:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory")
        return "done"

    plan = strips((3000, 4000), None, 1e9)
    assert plan.run(scarce) == "done"
    assert tried == [VALUES, VALUES // 2, VALUES // 4]
    with pytest.raises(ImpastoError, match="4000×3000 pixels, even in the smallest strips"):
        plan.run(lambda _: (_ for _ in ()).throw(MemoryError))
    with pytest.raises(RuntimeError, match="shape"):
        plan.run(lambda _: (_ for _ in ()).throw(RuntimeError("shape mismatch")))


def test_what_is_in_use_is_what_the_process_holds() -> None:
    assert in_use(CPU) > 10**7
