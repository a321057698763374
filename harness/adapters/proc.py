"""Reads processes from /proc: trees, CPU, memory, and the machine's steal."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.deployment import MemorySnapshot, ResourceReading
from harness.errors import DeploymentDied, EnvironmentProblem
from harness.measurement import proc_stat
from harness.measurement.smaps import memory_snapshot

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def is_gone(error: OSError) -> bool:
    """Whether a file of /proc or of a cgroup failed because what it describes has ended."""
    return error.errno in (errno.ENOENT, errno.ESRCH, errno.ENODEV)


def descendants(pid: int) -> tuple[int, ...]:
    """`pid` itself, then its living descendants, parents before children.

    Raises DeploymentDied when `pid` has ended, reaped or not.
    """
    children: dict[int, list[int]] = {}
    living = set()
    for process, stat in _stats():
        if not proc_stat.is_zombie(stat):
            living.add(process)
            children.setdefault(proc_stat.parent(stat), []).append(process)
    if pid not in living:
        raise DeploymentDied(f"process {pid} ended. Read server.log in the trial's directory.")
    tree = [pid]
    for parent in tree:
        tree += children.get(parent, [])
    return tuple(tree)


def running_under(pid: int, word: str) -> tuple[int, ...]:
    """The descendants of `pid` whose command line holds `word` as an argument."""
    arguments = {one: _text(Path(f"/proc/{one}/cmdline")).split("\0") for one in descendants(pid)}
    return tuple(one for one, words in arguments.items() if word in words)


def innermost_pid(pid: int) -> int | None:
    """The number by which a process knows itself, in the innermost of its pid namespaces.

    None when it has ended, reaped or not. Source: proc_pid_status(5), State and NSpid.
    """
    lines = _text(Path(f"/proc/{pid}/status")).splitlines()
    status = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
    return int(status["NSpid"][-1]) if status and status["State"][0] not in "ZX" else None


def tree_reading(pid: int, *, cpus: Sequence[int]) -> ResourceReading:
    """CPU and memory (the sum of PSS) of a process tree, and the steal of `cpus`.

    /proc knows neither throttling nor OOM kills of a tree: both stay 0. Raises DeploymentDied when
    the root process has ended, EnvironmentProblem when its memory may not be read.
    """
    pids = descendants(pid)
    snapshot = memory(pids)
    if snapshot is None:
        raise EnvironmentProblem(
            f"/proc/{pid}/smaps_rollup may not be read: the server runs as another user. "
            f"Run the harness as that user or as root."
        )
    stats = filter(None, (_text(Path(f"/proc/{member}/stat")) for member in pids))
    return ResourceReading(
        at_s=time.monotonic(),
        cpu_s=sum(proc_stat.process_cpu_s(stat, ticks_per_s=_TICKS_PER_S) for stat in stats),
        throttled_s=0.0,
        working_set_bytes=snapshot.pss_bytes,
        oom_kills=0,
        steal_s=steal_s(cpus),
    )


def memory(pids: Sequence[int]) -> MemorySnapshot | None:
    """Memory of the living among `pids`; None where the kernel lets us read none of another user's."""
    try:
        return memory_snapshot([_text(Path(f"/proc/{pid}/smaps_rollup")) for pid in pids])
    except PermissionError:
        return None


def listen_overflows(pid: int) -> int | None:
    """Connections that found a listen queue full, in the network of a process; None once it has ended."""
    text = _text(Path(f"/proc/{pid}/net/netstat"))
    return proc_stat.listen_overflows(text) if text else None


def steal_s(cpus: Sequence[int]) -> float:
    """Cumulative steal of `cpus`, in seconds per core."""
    return proc_stat.steal_s(Path("/proc/stat").read_text(), cpus, ticks_per_s=_TICKS_PER_S)


def busy_s(cpus: Sequence[int]) -> float:
    """Cumulative busy time of `cpus`, in seconds, summed over them."""
    return proc_stat.busy_s(Path("/proc/stat").read_text(), cpus, ticks_per_s=_TICKS_PER_S)


def _stats() -> Iterator[tuple[int, str]]:
    """Every process and its stat text: all of them, because /proc/PID/task/TID/children may skip some."""
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit() and (stat := _text(directory / "stat")):
            yield int(directory.name), stat


def _text(path: Path) -> str:
    """The file's text; empty when its process has ended meanwhile."""
    try:
        return path.read_text()
    except OSError as error:
        if is_gone(error):
            return ""
        raise
