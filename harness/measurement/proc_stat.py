"""Texts of /proc/stat and /proc/PID/stat to seconds (proc(5)). Both count in clock ticks."""

from __future__ import annotations

from collections.abc import Collection
from statistics import fmean

from harness.errors import EnvironmentProblem

_IDLE, _STEAL = (3, 4), 7
"""Columns after the name: user nice system idle iowait irq softirq steal guest guest_nice.

Waiting for a disk leaves a core idle; guest time is counted under user already.
"""
_STATE, _PPID, _UTIME, _CSTIME = 0, 1, 11, 14
"""Columns after the command; utime, stime, cutime and cstime are 11 to 14."""


def steal_s(stat: str, cpus: Collection[int], *, ticks_per_s: int) -> float:
    """Seconds since boot for which the hypervisor held back `cpus`, as the mean over them.

    A mean, so that its growth per second is a share of a core however many cores are in use.
    Raises EnvironmentProblem for a CPU that /proc/stat does not list.
    """
    return fmean(ticks[_STEAL] for ticks in _of_cpus(stat, cpus)) / ticks_per_s


def busy_s(stat: str, cpus: Collection[int], *, ticks_per_s: int) -> float:
    """Seconds since boot that `cpus` spent on anything at all, the sum over them; stolen time is not theirs.

    Raises EnvironmentProblem for a CPU that /proc/stat does not list.
    """
    return (
        sum(sum(ticks[:_STEAL]) - sum(ticks[column] for column in _IDLE) for ticks in _of_cpus(stat, cpus))
        / ticks_per_s
    )


def _of_cpus(stat: str, cpus: Collection[int]) -> list[list[int]]:
    """The columns of each of `cpus`."""
    lines = (line.split() for line in stat.splitlines() if line.startswith("cpu"))
    ticks = {name: [int(column) for column in columns] for name, *columns in lines}
    missing = [cpu for cpu in cpus if f"cpu{cpu}" not in ticks]
    if missing:
        raise EnvironmentProblem(
            f"/proc/stat does not list CPU {', '.join(map(str, missing))}: it is off line or not on this "
            f"machine. Choose among the CPUs that `taskset -p $$` shows."
        )
    return [ticks[f"cpu{cpu}"] for cpu in set(cpus)]


def process_cpu_s(stat: str, *, ticks_per_s: int) -> float:
    """User and system seconds of a process and of the children it has waited for.

    With the reaped children counted, the sum over a process tree never falls when a worker dies.
    """
    return sum(map(int, _after_command(stat)[_UTIME : _CSTIME + 1])) / ticks_per_s


def listen_overflows(netstat: str) -> int:
    """Connections that found a listen queue full, since the network was made: of /proc/PID/net/netstat.

    Source: the kernel's Documentation/networking/snmp_counter.rst, TcpExtListenOverflows.
    """
    names, values = (line.split() for line in netstat.splitlines() if line.startswith("TcpExt:"))
    return int(dict(zip(names, values, strict=True))["ListenOverflows"])


def is_zombie(stat: str) -> bool:
    """Whether the process has ended and only waits for its parent to notice."""
    return _after_command(stat)[_STATE] == "Z"


def parent(stat: str) -> int:
    """The parent's process id."""
    return int(_after_command(stat)[_PPID])


def _after_command(stat: str) -> list[str]:
    """The columns after the command name, which may itself hold blanks and brackets."""
    return stat.rpartition(")")[2].split()
