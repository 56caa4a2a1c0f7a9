from collections.abc import Callable

import pytest
import torch


@pytest.fixture
def peak_of() -> Callable[[Callable[[], object]], int]:
    """Most bytes of tensors that a piece of work holds at a time."""

    def measure(work: Callable[[], object]) -> int:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
            work()
        live = peak = 0
        for event in profile.profiler.kineto_results.events():
            if event.name() == "[memory]":
                live += event.nbytes()
                peak = max(peak, live)
        return peak

    return measure
