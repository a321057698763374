"""The three meanings of "number of CPUs" in a container."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CGROUP_ROOT = Path("/sys/fs/cgroup")


class CpuCounts(NamedTuple):
    host: int
    affinity: int
    quota: float


def cpu_counts() -> CpuCounts:
    """CPUs of the machine, CPUs this process may run on, and CPU time it may use per second."""
    affinity = len(os.sched_getaffinity(0))
    limit = quota_cpus(Path("/proc/self/cgroup").read_text(), CGROUP_ROOT)
    quota = float(affinity) if limit is None else min(limit, float(affinity))
    return CpuCounts(host=os.cpu_count() or affinity, affinity=affinity, quota=quota)


def quota_cpus(proc_cgroup: str, root: Path) -> float | None:
    """The tightest quota, in CPUs, of the process's cgroup and those above it; None without one.

    `proc_cgroup` is the text of /proc/self/cgroup. In a container its paths may be the host's while
    the mount shows the container's own part, so directories that are not there are passed over.
    """
    return min(_quotas(proc_cgroup, root), default=None)


def _quotas(proc_cgroup: str, root: Path) -> Iterator[float]:
    for line in proc_cgroup.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            base, read = root, _quota_v2
        elif "cpu" in controllers.split(","):
            base, read = root / "cpu", _quota_v1
        else:
            continue
        inner = Path(path.lstrip("/"))
        for directory in (inner, *inner.parents):
            try:
                quota = read(base / directory)
            except FileNotFoundError:
                continue
            if quota is not None:
                yield quota


def _quota_v1(directory: Path) -> float | None:
    quota_us = int((directory / "cpu.cfs_quota_us").read_text())
    period_us = int((directory / "cpu.cfs_period_us").read_text())
    return quota_us / period_us if quota_us > 0 else None


def _quota_v2(directory: Path) -> float | None:
    quota_us, period_us = (directory / "cpu.max").read_text().split()
    return None if quota_us == "max" else int(quota_us) / int(period_us)
