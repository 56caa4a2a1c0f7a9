"""Measurements in processes of their own, so that none profits from the memory or caches of another."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


class MeasurementFailed(Exception):
    """A measuring process ended with an error; the message is the last line it wrote, and a note tells more."""


def measure(module: str, *arguments: object) -> Any:
    """What `work` of a benchmark makes of these arguments, in a fresh process.

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
    """Arguments as they stand in a command line: data as JSON, all else as text."""
    return [json.dumps(each) if isinstance(each, dict | list | tuple) else str(each) for each in arguments]


def command_line(module: str) -> str:
    """The command that runs now, for the results."""
    return " ".join([f"python -m benchmarks.{module}", *sys.argv[1:]])


def today() -> str:
    """The day as YYYY-MM-DD."""
    return time.strftime("%Y-%m-%d")


def write(path: Path, results: object) -> None:
    """Write results as JSON; the folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")
