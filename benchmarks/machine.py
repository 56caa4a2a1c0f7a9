"""The machine that figures were measured on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version

from benchmarks.shapes import Machine


def describe() -> Machine:
    """Return processor, cores, memory and versions."""
    import psutil
    import torch

    from impasto.runtime import processor_name

    return {
        "processor": processor_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "bf16": bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()),
        "torch_threads": torch.get_num_threads(),
        "system": platform.system(),
        "versions": {name: version(name) for name in ("impasto", "torch", "numpy")}
        | {"python": platform.python_version()},
    }
