"""Texts of /proc/stat to seconds (proc(5)), and of /proc/PID/net/netstat to counts.

Cores by their numbers: psutil counts them by their places, which are others once one is off line.
"""

from __future__ import annotations

from collections.abc import Collection
from statistics import fmean

from harness.errors import EnvironmentProblem

_IDLE, _STEAL = (3, 4), 7
"""Columns after the name: user nice system idle iowait irq softirq steal guest guest_nice.

Waiting for a disk leaves a core idle; guest time is counted under user already.
"""


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


def listen_overflows(netstat: str) -> int:
    """Connections that found a listen queue full, since the network was made: of /proc/PID/net/netstat.

    Source: the kernel's Documentation/networking/snmp_counter.rst, TcpExtListenOverflows.
    """
    names, values = (line.split() for line in netstat.splitlines() if line.startswith("TcpExt:"))
    return int(dict(zip(names, values, strict=True))["ListenOverflows"])
