"""What a run must know, and write down, about the machine it measures on."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.adapters import proc

NOT_EXPOSED = "not exposed"
"""The value of a fact that this kernel or hypervisor does not tell."""

CpuSplit = tuple[tuple[int, ...], tuple[int, ...]]
"""The server's cores and the generator's."""


def cpu_split() -> CpuSplit:
    """How the cores this process may use are divided; both sides are equal where there is only one."""
    return split_cpus(sorted(os.sched_getaffinity(0)))


def split_cpus(cpus: Sequence[int]) -> CpuSplit:
    """A quarter of the cores, and at least one, to the generator, the rest to the server.

    The generator gets the first ones, where the machine's own interrupts tend to land. A single core
    is shared: then each side takes time from the other, and the results must say so.
    """
    if len(cpus) == 1:
        return tuple(cpus), tuple(cpus)
    generators = max(1, len(cpus) // 4)
    return tuple(cpus[generators:]), tuple(cpus[:generators])


@contextmanager
def pinned_to(cpus: Sequence[int]) -> Iterator[None]:
    """Keep this process with all its threads, and what it starts meanwhile, on these cores."""
    before = os.sched_getaffinity(0)
    _pin_threads(cpus)
    try:
        yield
    finally:
        _pin_threads(before)


def _pin_threads(cpus: Iterable[int]) -> None:
    """A call for the process would move its calling thread only; one that draws the terminal moves too."""
    for thread in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread.name), cpus)


def facts(path: Path) -> dict[str, str | float | int]:
    """The machine as a run's manifest records it; `path` is where results go, and need not exist yet."""
    affinity = sorted(os.sched_getaffinity(0))
    return {
        "host": platform.node(),
        "boot_id": _text(Path("/proc/sys/kernel/random/boot_id")),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "cpu_model": _field(Path("/proc/cpuinfo"), "model name"),
        "cpus_host": os.cpu_count() or len(affinity),
        "cpus_affinity": len(affinity),
        "governor": _text(Path(f"/sys/devices/system/cpu/cpu{affinity[0]}/cpufreq/scaling_governor")),
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "cgroup": "v2" if Path("/sys/fs/cgroup/cgroup.controllers").exists() else "v1",
        "steal_s": proc.steal_s(affinity),
        "load_average_1min": os.getloadavg()[0],
        "disk_free_bytes": shutil.disk_usage(_existing(path)).free,
    }


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return NOT_EXPOSED


def _field(path: Path, name: str) -> str:
    """The value of the first line "name : value"."""
    for line in path.read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return NOT_EXPOSED


def _existing(path: Path) -> Path:
    """`path`, or the nearest directory above it that exists."""
    path = path.absolute()
    return next(place for place in (path, *path.parents) if place.exists())
