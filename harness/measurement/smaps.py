"""Texts of /proc/PID/smaps_rollup to memory sums (proc(5), kernel documentation: filesystems/proc)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.deployment import MemorySnapshot

_BYTES_PER_KB = 1024


def memory_snapshot(rollups: Sequence[str]) -> MemorySnapshot:
    """Sums over the processes whose smaps_rollup texts these are.

    RSS counts a page shared by n processes n times, PSS once in all (1/n each), USS (clean and dirty
    private pages) not at all. Without huge pages USS <= PSS <= RSS. A text without figures is that of
    a process that just ended: it holds no memory and is not counted.
    """
    living = [fields for fields in map(_kilobytes, rollups) if fields]
    total: Counter[str] = Counter()
    for fields in living:
        total.update(fields)
    return MemorySnapshot(
        processes=len(living),
        rss_bytes=total["Rss"] * _BYTES_PER_KB,
        pss_bytes=total["Pss"] * _BYTES_PER_KB,
        uss_bytes=(total["Private_Clean"] + total["Private_Dirty"]) * _BYTES_PER_KB,
    )


def _kilobytes(rollup: str) -> dict[str, int]:
    lines = (line.split() for line in rollup.splitlines() if line.endswith(" kB"))
    return {name.rstrip(":"): int(value) for name, value, _ in lines}
