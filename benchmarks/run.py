"""Runs all benchmarks, one after the other. Results go to benchmarks/results/.

make bench
"""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS = ("gatys", "memory", "arbitrary", "johnson", "strokes", "large", "ladder", "studio")


def main() -> None:
    for name in BENCHMARKS:
        print(f"== {name}", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *sys.argv[1:]], check=True)


if __name__ == "__main__":
    main()
