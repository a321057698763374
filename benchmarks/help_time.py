"""`harness --help` against a bare interpreter, alternating in one run; limit 0.5 s in the median.

python benchmarks/help_time.py
"""

from __future__ import annotations

import platform
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

LIMIT_S = 0.5
ROUNDS = 9


def seconds(*argv: str) -> float:
    started = time.perf_counter()
    subprocess.run(argv, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def main() -> int:
    harness = str(Path(sys.executable).with_name("harness"))
    pairs = [(seconds(harness, "--help"), seconds(sys.executable, "-c", "")) for _ in range(ROUNDS)]
    help_s, bare_s = (median(column) for column in zip(*pairs, strict=True))
    print(f"harness --help {help_s:.2f} s, python -c '' {bare_s:.3f} s, ratio {help_s / bare_s:.0f}")
    print(f"limit {LIMIT_S:g} s; Python {platform.python_version()}, {ROUNDS} alternating rounds")
    return int(help_s > LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
