"""What the harness adds to a trial outside load and drain: read from a stored run, limit 3 s in the median.

    python benchmarks/trial_overhead.py [RUN]

The first block is left out: images, page cache and imports are cold in it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median

from harness.adapters.result_store import find_run

LIMIT_S = 3.0


def main() -> int:
    store = find_run(Path("results"), sys.argv[1] if len(sys.argv) > 1 else None)
    warm = [record.phases_s for record in store.records() if record.block > 1 and record.metrics]
    if not warm:
        print(f"{store.path}: no warm trial; the run needs at least two blocks")
        return 2
    for phase in warm[0]:
        print(f"{phase:8} {median(phases[phase] for phases in warm):6.2f} s")
    overheads = [sum(phases.values()) - phases["load"] for phases in warm]
    facts = store.manifest()
    print(f"overhead: median {median(overheads):.2f} s, worst {max(overheads):.2f} s (limit {LIMIT_S:g} s)")
    print(f"{len(warm)} warm trials, {facts['engine']} engine, {facts['host']['cpu_model']}")
    return int(median(overheads) > LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
