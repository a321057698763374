"""What this process may use: the three meanings of "number of CPUs" in a container, and its memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

CGROUP_ROOT = Path("/sys/fs/cgroup")
NO_LIMIT_BYTES = 1 << 60
"""cgroup v1 has no word for "no limit": it gives the largest number of whole pages."""


class CpuCounts(NamedTuple):
    host: int
    affinity: int
    quota: float


def cpu_counts() -> CpuCounts:
    """CPUs of the machine, CPUs this process may run on, and CPU time it may use per second."""
    affinity = len(os.sched_getaffinity(0))
    limit = quota_cpus(own_cgroup(), CGROUP_ROOT)
    quota = float(affinity) if limit is None else min(limit, float(affinity))
    return CpuCounts(host=os.cpu_count() or affinity, affinity=affinity, quota=quota)


def own_cgroup() -> str:
    return Path("/proc/self/cgroup").read_text()


def quota_cpus(proc_cgroup: str, root: Path) -> float | None:
    """The tightest quota, in CPUs, of the process's cgroup and those above it; None without one.

    `proc_cgroup` is the text of /proc/self/cgroup. In a container its paths may be the host's while
    the mount shows the container's own part, so directories that are not there are passed over.
    """
    return min(_limits(proc_cgroup, root, "cpu", _quota_v1, _quota_v2), default=None)


def memory_limit_bytes(proc_cgroup: str, root: Path) -> int | None:
    """The tightest memory limit, found in the same way; None without one."""
    tightest = min(_limits(proc_cgroup, root, "memory", _memory_v1, _memory_v2), default=None)
    return None if tightest is None else int(tightest)


def _limits(
    proc_cgroup: str,
    root: Path,
    controller: str,
    read_v1: Callable[[Path], float | None],
    read_v2: Callable[[Path], float | None],
) -> Iterator[float]:
    for line in proc_cgroup.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            base, read = root, read_v2
        elif controller in controllers.split(","):
            base, read = root / controller, read_v1
        else:
            continue
        inner = Path(path.lstrip("/"))
        for directory in (inner, *inner.parents):
            try:
                limit = read(base / directory)
            except FileNotFoundError:
                continue
            if limit is not None:
                yield limit


def _quota_v1(directory: Path) -> float | None:
    quota_us = int((directory / "cpu.cfs_quota_us").read_text())
    period_us = int((directory / "cpu.cfs_period_us").read_text())
    return quota_us / period_us if quota_us > 0 else None


def _quota_v2(directory: Path) -> float | None:
    quota_us, period_us = (directory / "cpu.max").read_text().split()
    return None if quota_us == "max" else int(quota_us) / int(period_us)


def _memory_v1(directory: Path) -> float | None:
    limit = int((directory / "memory.limit_in_bytes").read_text())
    return limit if limit < NO_LIMIT_BYTES else None


def _memory_v2(directory: Path) -> float | None:
    limit = (directory / "memory.max").read_text().strip()
    return None if limit == "max" else int(limit)
