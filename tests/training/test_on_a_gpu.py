"""Training on a GPU that is pretended: no devices are mixed, and the host hardly waits."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from torch.utils import backend_registration

pytestmark = pytest.mark.skipif(
    not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"),
    reason="this PyTorch cannot pretend to have a GPU",
)


@pytest.mark.parametrize(("task", "waits"), [("adain", 0), ("johnson", 0), ("steps", 2)])
def test_a_step_mixes_no_devices_and_hardly_waits(task: str, waits: int) -> None:
    script = Path(__file__).with_name("pretended_gpu.py")
    made = subprocess.run([sys.executable, script, task], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr[-2000:]
    on_cpu, on_gpu, waited = json.loads(made.stdout)
    assert on_gpu == pytest.approx(on_cpu, rel=0.02)
    assert sum(waited.values()) <= waits, waited
