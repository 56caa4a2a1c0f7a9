"""Devices, arithmetic, memory."""

import pytest
import torch

from impasto import runtime
from impasto.errors import RequestError


def test_cpu_is_always_there():
    assert runtime.pick_device("cpu").type == "cpu"
    assert runtime.pick_device("auto").type in ("cpu", "cuda", "mps")


def test_unknown_devices_are_refused():
    with pytest.raises(RequestError, match="expected auto, cpu, cuda, cuda:N or mps"):
        runtime.pick_device("gpu")


def test_exact_is_float32():
    assert runtime.compute_dtype(torch.device("cpu"), "exact") is torch.float32


@pytest.mark.parametrize(("supported", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_follows_the_processor(monkeypatch, supported, expected):
    monkeypatch.setattr(runtime, "_cpu_has_bf16", lambda: supported)
    assert runtime.compute_dtype(torch.device("cpu"), "auto") is expected
