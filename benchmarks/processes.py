"""Measurements in processes of their own, so that none gains from the memory or caches of another."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


class MeasurementFailed(Exception):
    """A measuring process ended with an error. The message is its last line; a note has more."""


def measure(module: str, *arguments: object) -> Any:
    """Call `work` of a benchmark in a fresh process, and return its result.

    Args:
        module: the benchmark's name. Its `main` hands the words after `--worker` to its `work`.
        arguments: text, numbers, or JSON data.

    Raises:
        MeasurementFailed: the process failed.

    Example:
        >>> measure("johnson", "great-wave", 512, 3)["seconds"]
    """
    command = [sys.executable, "-W", "ignore", "-m", f"benchmarks.{module}", "--worker", *words(arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        failure = MeasurementFailed(lines[-1] if lines else f"exit status {done.returncode}")
        failure.add_note(f"{' '.join(command)}\n{done.stderr[-2000:]}")
        raise failure
    return json.loads(done.stdout.splitlines()[-1])


def words(arguments: tuple[object, ...]) -> list[str]:
    """Write arguments for a command line: data as JSON, others as text."""
    return [json.dumps(each) if isinstance(each, dict | list | tuple) else str(each) for each in arguments]


def command_line(module: str) -> str:
    """Return the command line of this process, for the results. Of absolute paths it has the last part."""
    arguments = [Path(each).name if Path(each).is_absolute() else each for each in sys.argv[1:]]
    return " ".join([f"python -m benchmarks.{module}", *arguments])


def today() -> str:
    """Return the date as YYYY-MM-DD."""
    return time.strftime("%Y-%m-%d")


def write(path: Path, results: object) -> None:
    """Write results as JSON; the folder is made if it does not exist."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")
