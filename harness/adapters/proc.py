"""Reads processes from /proc: trees, CPU, memory, and the machine's steal."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from harness.deployment import MemorySnapshot, ResourceReading
from harness.errors import DeploymentDied, EnvironmentProblem
from harness.measurement import proc_stat

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def is_gone(error: OSError) -> bool:
    """Whether a file of /proc or of a cgroup failed because what it describes has ended."""
    return error.errno in (errno.ENOENT, errno.ESRCH, errno.ENODEV)


def descendants(pid: int) -> tuple[int, ...]:
    """`pid` itself, then its living descendants, parents before children.

    Raises DeploymentDied when `pid` has ended, reaped or not.
    """
    return tuple(process.pid for process in _tree(pid))


def running_under(pid: int, word: str) -> tuple[int, ...]:
    """The descendants of `pid` whose command line holds `word` as an argument."""
    return tuple(process.pid for process in _tree(pid) if word in (_asked(process, "cmdline") or ()))


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
    tree = _tree(pid)
    snapshot = _memory_of(tree)
    if snapshot is None:
        raise EnvironmentProblem(
            f"/proc/{pid}/smaps_rollup may not be read: the server runs as another user. "
            f"Run the harness as that user or as root."
        )
    return ResourceReading(
        at_s=time.monotonic(),
        cpu_s=sum(map(_cpu_s, tree)),
        throttled_s=0.0,
        working_set_bytes=snapshot.pss_bytes,
        oom_kills=0,
        steal_s=steal_s(cpus),
    )


def memory(pids: Sequence[int]) -> MemorySnapshot | None:
    """Memory of the living among `pids`; None where the kernel lets us read none of another user's.

    RSS counts a page shared by n processes n times, PSS once in all (1/n each), USS not at all.
    """
    return _memory_of([process for process in map(_process, pids) if process is not None])


def _memory_of(processes: Sequence[psutil.Process]) -> MemorySnapshot | None:
    try:
        told = [_asked(process, "memory_full_info") for process in processes]
    except psutil.AccessDenied:
        return None
    known = [one for one in told if one is not None]
    return MemorySnapshot(
        processes=len(known),
        rss_bytes=sum(one.rss for one in known),
        pss_bytes=sum(one.pss for one in known),
        uss_bytes=sum(one.uss for one in known),
    )


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


def _tree(pid: int) -> list[psutil.Process]:
    """Raises DeploymentDied."""
    try:
        root = psutil.Process(pid)
        members = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        members = []
    living = [one for one in members if _asked(one, "status") not in (None, psutil.STATUS_ZOMBIE)]
    if not living or living[0].pid != pid:
        raise DeploymentDied(f"process {pid} ended. Read server.log in the trial's directory.")
    return living


def _cpu_s(process: psutil.Process) -> float:
    """Of a process, its threads that have ended, and the children that it has waited for.

    With the reaped children counted, the sum over a tree never falls when a worker dies. Clock ticks of 10 ms
    are too coarse for a slice of 100: of the threads that live the scheduler knows nanoseconds
    (/proc/PID/task/TID/schedstat, Documentation/scheduler/sched-stats.rst). Those that have ended are in the
    ticks alone.
    """
    times = _asked(process, "cpu_times")
    if times is None:
        return 0.0
    threads = Path(f"/proc/{process.pid}/task").glob("*/schedstat")
    ran_ns = sum(int(text.split()[0]) for text in map(_text, threads) if text)
    own_s = max(times.user + times.system, ran_ns / 1e9)
    return float(own_s + times.children_user + times.children_system)


def _process(pid: int) -> psutil.Process | None:
    """None where there is none any more."""
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


def _asked(process: psutil.Process, question: str) -> Any:
    """None of a process that has ended meanwhile, reaped or not."""
    try:
        return getattr(process, question)()
    except psutil.NoSuchProcess:
        return None


def _text(path: Path) -> str:
    """The file's text; empty when its process has ended meanwhile."""
    try:
        return path.read_text()
    except OSError as error:
        if is_gone(error):
            return ""
        raise
