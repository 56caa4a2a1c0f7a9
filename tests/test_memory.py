"""Amounts of memory, and the errors that say there is none left."""

import ctypes
import errno

import psutil
import pytest
import torch

from impasto import RequestError, make_recipe, memory


@pytest.mark.parametrize(
    ("text", "amount"),
    [("4GB", 4 * 10**9), ("4 gb", 4 * 10**9), ("3.5GiB", 3.5 * 2**30), ("800M", 8e8), ("100000000B", 10**8)],
)
def test_amounts_are_read(text, amount):
    assert make_recipe("gatys", settings={"memory": text}).memory == amount


@pytest.mark.parametrize("text", ["4", "lots", "-4GB", "4XB", "4GiBs", "", "GB", "nan GB"])
def test_nonsense_is_refused(text):
    with pytest.raises(RequestError, match="memory: expected an amount of memory with its unit"):
        make_recipe("gatys", settings={"memory": text})


@pytest.mark.parametrize("amount", ["0GB", "0.2B", 0])
def test_none_at_all_is_refused(amount):
    with pytest.raises(RequestError, match=r"memory: .*greater than 0"):
        make_recipe("gatys", settings={"memory": amount})


@pytest.mark.parametrize(
    ("amount", "text"), [(4e9, "4 GB"), (4.321e9, "4.32 GB"), (817.4e6, "817 MB"), (999.6e6, "1 GB"), (3e5, "0.3 MB")]
)
def test_amounts_are_written(amount, text):
    assert memory.describe(amount) == text
    assert memory.parse(text) == pytest.approx(amount, rel=5e-3)


def test_the_budget_stays_out_of_what_is_written():
    recipe = make_recipe("gatys", settings={"memory": "4GB"})
    assert recipe.portable() == make_recipe("gatys").portable()


def test_a_container_has_less_than_the_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_CONTROL_GROUP", tmp_path)
    cpu = torch.device("cpu")
    assert 0 < memory.available(cpu) <= psutil.virtual_memory().total
    for name, text in (
        ("max", "90000000\n"),
        ("current", "50000000\n"),
        ("stat", "anon 5\ninactive_file 10000000\n"),
    ):
        (tmp_path / f"memory.{name}").write_text(text)
    assert memory.available(cpu) == 50_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.available(cpu) > 50_000_000


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("could not create a primitive"),
        RuntimeError("could not create a memory object"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes"),
        RuntimeError("std::bad_alloc"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
)
def test_every_way_of_saying_that_memory_ran_out(error: Exception) -> None:
    assert memory.is_out_of_memory(error)
    ways: list[int] = []

    def work(way: int) -> int:
        ways.append(way)
        if way > 1:
            raise error
        return way

    assert memory.with_less(work, 4, lambda way: way // 2, lambda: "too little") == 1
    assert ways == [4, 2, 1]


@pytest.mark.parametrize(
    "error", [RuntimeError("could not create a primitive descriptor for a convolution"), OSError(errno.EIO, "I/O")]
)
def test_other_errors_are_not_for_want_of_memory(error: Exception) -> None:
    assert not memory.is_out_of_memory(error)


def test_want_of_memory_is_told_from_other_errors():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert memory.is_out_of_memory(caught.value)
    assert memory.is_out_of_memory(MemoryError())
    assert memory.is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert not memory.is_out_of_memory(RuntimeError("shapes do not fit"))
    assert not memory.is_out_of_memory(ValueError("out of memory"))


def test_peak_memory_grows():
    before = memory.peak_memory_mb()
    block = torch.ones(64 * 2**20 // 4 + int(before) * 2**18)
    assert memory.peak_memory_mb() >= before + 32
    assert block[0] == 1


def test_the_c_library_is_only_set_up_in_a_process_of_its_own(monkeypatch):
    asked = []
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: asked.append(name) or ctypes.CDLL(name))
    monkeypatch.setattr(memory, "_own_process", False)
    memory.keep_freed_memory()
    memory.keep_freed_memory(False)
    assert asked == []


def test_keeping_freed_memory_is_safe_to_repeat(monkeypatch):
    monkeypatch.setattr(memory, "_own_process", True)
    memory.keep_freed_memory()
    memory.keep_freed_memory()
    assert torch.rand(1000, 1000).sum() > 0


@pytest.mark.parametrize(
    ("given", "spins"),
    [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, None)],
    ids=["nothing", "a count", "a policy"],
)
def test_threads_of_an_own_process_soon_sleep_while_they_wait(monkeypatch, given, spins):
    import os

    from impasto import memory

    monkeypatch.setattr(memory, "_own_process", False)
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.setenv(name, "")  # so that it is restored
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    memory.own_process()
    assert os.environ.get("GOMP_SPINCOUNT") == spins
    assert os.environ.get("OMP_WAIT_POLICY") == given.get("OMP_WAIT_POLICY")
