"""What a run must know, and write down, about the machine it measures on."""

from __future__ import annotations

import os
import platform
import shutil
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from harness.adapters import proc

NOT_EXPOSED = "not exposed"
"""The value of a fact that this kernel or hypervisor does not tell."""

CpuSplit = tuple[tuple[int, ...], tuple[int, ...]]
"""The server's cores and the generator's."""


def cpu_split() -> CpuSplit:
    """How the cores this process may use are divided; both sides are equal where there is only one."""
    cpus = sorted(os.sched_getaffinity(0))
    return split_cpus(cpus, [_siblings(cpu) for cpu in cpus])


def split_cpus(cpus: Sequence[int], siblings: Sequence[frozenset[int]] = ()) -> CpuSplit:
    """A quarter of the CPUs, and at least one, to the generator, the rest to the server.

    The generator gets the first ones, where the machine's own interrupts tend to land. `siblings` are for
    each CPU those of its core: the two sides share no core unless there is only one. A single CPU is shared:
    then each side takes time from the other, and the results must say so.
    """
    if len(cpus) == 1:
        return tuple(cpus), tuple(cpus)
    cores = list(dict.fromkeys(siblings))
    if len(cores) < 2:
        cores = [frozenset({cpu}) for cpu in cpus]
    generators: list[int] = []
    for core in cores[:-1]:
        generators += [cpu for cpu in cpus if cpu in core]
        if len(generators) >= len(cpus) // 4:
            break
    return tuple(cpu for cpu in cpus if cpu not in generators), tuple(sorted(generators))


def _siblings(cpu: int) -> frozenset[int]:
    """The CPUs (hardware threads) of its core; itself alone where the kernel does not tell."""
    text = _text(Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"))
    return frozenset({cpu}) if text == NOT_EXPOSED else cpu_list(text)


def cpu_list(text: str) -> frozenset[int]:
    """A kernel's list of CPUs, such as "0-1,64"."""
    ranges = (part.partition("-") for part in text.split(","))
    return frozenset(cpu for first, _, last in ranges for cpu in range(int(first), int(last or first) + 1))


def own_addresses() -> tuple[str, ...]:
    """IPv4 addresses of this machine's network interfaces."""
    found = (one for addresses in psutil.net_if_addrs().values() for one in addresses)
    return tuple(one.address for one in found if one.family is socket.AddressFamily.AF_INET)


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
        "smt": {"0": "off", "1": "on"}.get(_text(Path("/sys/devices/system/cpu/smt/active")), "not exposed"),
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
