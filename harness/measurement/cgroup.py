"""Texts of the cgroup files, v1 and v2, to readings (kernel admin guide: cgroup-v1, cgroup-v2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from harness.deployment import ResourceReading
from harness.errors import EnvironmentProblem

V1_FILES = (
    "cpuacct/cpuacct.usage",
    "cpu/cpu.stat",
    "memory/memory.usage_in_bytes",
    "memory/memory.stat",
    "memory/memory.oom_control",
)
"""Relative to /sys/fs/cgroup inside a container; the first part names the controller."""

V2_FILES = ("cpu.stat", "memory.current", "memory.stat", "memory.events")
"""Relative to the container's own cgroup: /sys/fs/cgroup inside it."""

_UNIFIED = ""
"""The name under which the v2 hierarchy stands among the v1 controllers in /proc/PID/cgroup."""


def reading_v1(files: Mapping[str, str], *, at_s: float, steal_s: float) -> ResourceReading:
    """The reading in `files`, keyed by V1_FILES. CPU and throttling are in nanoseconds there.

    Raises EnvironmentProblem, naming the file, where a figure is missing.
    """
    return ResourceReading(
        at_s=at_s,
        cpu_s=_number(files, "cpuacct/cpuacct.usage") / 1e9,
        throttled_s=_field(files, "cpu/cpu.stat", "throttled_time", absent=0) / 1e9,
        working_set_bytes=_working_set(
            _number(files, "memory/memory.usage_in_bytes"),
            _field(files, "memory/memory.stat", "total_inactive_file"),
        ),
        oom_kills=_field(files, "memory/memory.oom_control", "oom_kill"),
        steal_s=steal_s,
        periods=_field(files, "cpu/cpu.stat", "nr_periods", absent=0),
        throttled_periods=_field(files, "cpu/cpu.stat", "nr_throttled", absent=0),
    )


def reading_v2(files: Mapping[str, str], *, at_s: float, steal_s: float) -> ResourceReading:
    """The reading in `files`, keyed by V2_FILES. CPU and throttling are in microseconds there.

    Raises EnvironmentProblem, naming the file, where a figure is missing.
    """
    return ResourceReading(
        at_s=at_s,
        cpu_s=_field(files, "cpu.stat", "usage_usec") / 1e6,
        throttled_s=_field(files, "cpu.stat", "throttled_usec", absent=0) / 1e6,
        working_set_bytes=_working_set(
            _number(files, "memory.current"), _field(files, "memory.stat", "inactive_file")
        ),
        oom_kills=_field(files, "memory.events", "oom_kill"),
        steal_s=steal_s,
        periods=_field(files, "cpu.stat", "nr_periods", absent=0),
        throttled_periods=_field(files, "cpu.stat", "nr_throttled", absent=0),
    )


def _working_set(usage_bytes: int, inactive_file_bytes: int) -> int:
    """Usage without the page cache the kernel can drop at once, as the kubelet computes it.

    The two figures come from two files, so a cache that shrinks in between could make it negative.
    """
    return max(0, usage_bytes - inactive_file_bytes)


def _number(files: Mapping[str, str], name: str) -> int:
    try:
        return int(files[name])
    except (KeyError, ValueError) as error:
        raise _unreadable(name, "a number") from error


def _field(files: Mapping[str, str], name: str, key: str, *, absent: int | None = None) -> int:
    """The value of one "key value" line; `absent` where the kernel leaves the line out.

    Throttling lines are left out where bandwidth control is off, and then nothing can throttle.
    """
    values = dict(line.split(maxsplit=1) for line in files.get(name, "").splitlines() if " " in line)
    if values and key not in values and absent is not None:
        return absent
    try:
        return int(values[key])
    except (KeyError, ValueError) as error:
        raise _unreadable(name, f"a line {key!r}") from error


def _unreadable(name: str, expected: str) -> EnvironmentProblem:
    return EnvironmentProblem(
        f"cgroup file {name}: expected {expected}. The kernel is older than 4.19, or a controller "
        f"is off; turn on the cpu and memory controllers, or run on the process engine."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where one process's cgroup files lie on this host."""

    version: Literal[1, 2]
    files: Mapping[str, PurePosixPath]
    """Absolute paths, keyed by V1_FILES or V2_FILES."""
    procs: PurePosixPath


@dataclass(frozen=True, slots=True)
class _Mount:
    controllers: tuple[str, ...]
    root: PurePosixPath
    point: PurePosixPath


def locate(membership: str, mountinfo: str) -> Location:
    """The cgroup files of a process, from its /proc/PID/cgroup and our own /proc/self/mountinfo.

    A hybrid host mounts a v2 hierarchy without controllers next to the v1 ones, so v1 wins wherever
    it holds the memory controller. Raises EnvironmentProblem for a process in the root cgroup (its
    counters are the whole machine's) and for a cgroup outside the mounts we see.
    """
    paths = dict(_memberships(membership))
    mounts = tuple(_mounts(mountinfo))
    if "memory" not in paths:
        directory = _directory(_UNIFIED, paths, mounts)
        files = {name: directory / name for name in V2_FILES}
        return Location(version=2, files=files, procs=directory / "cgroup.procs")
    files = {name: _v1_file(name, paths, mounts) for name in V1_FILES}
    return Location(version=1, files=files, procs=_v1_file("memory/cgroup.procs", paths, mounts))


def _v1_file(name: str, paths: Mapping[str, PurePosixPath], mounts: tuple[_Mount, ...]) -> PurePosixPath:
    controller, file = name.split("/")
    return _directory(controller, paths, mounts) / file


def _memberships(text: str) -> Iterator[tuple[str, PurePosixPath]]:
    """Controller and path of each line "hierarchy:controller,controller:/path"."""
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            yield controller, PurePosixPath(path)


def _mounts(mountinfo: str) -> Iterator[_Mount]:
    """The cgroup mounts: "id parent dev root point options [tags] - type source superoptions" (proc(5))."""
    for line in mountinfo.splitlines():
        place, _, filesystem = line.partition(" - ")
        fields, kind = place.split(), filesystem.split()
        if kind[0] in ("cgroup", "cgroup2"):
            controllers = (_UNIFIED,) if kind[0] == "cgroup2" else tuple(kind[2].split(","))
            yield _Mount(controllers, PurePosixPath(fields[3]), PurePosixPath(fields[4]))


def _directory(
    controller: str, paths: Mapping[str, PurePosixPath], mounts: tuple[_Mount, ...]
) -> PurePosixPath:
    path = paths.get(controller)
    label = controller or "v2"
    if path is None:
        raise EnvironmentProblem(f"no {label} cgroup: turn that controller on, or run on the process engine.")
    if path == PurePosixPath("/"):
        raise EnvironmentProblem(
            f"the process is in the root {label} cgroup, whose counters are the whole machine's. "
            f"Start it in a container, or run on the process engine."
        )
    for mount in mounts:
        if controller in mount.controllers and path.is_relative_to(mount.root) and ".." not in path.parts:
            return mount.point / path.relative_to(mount.root)
    raise EnvironmentProblem(
        f"{label} cgroup {path} is not under any cgroup mount seen from here. "
        f"Run the harness on the engine's own host, outside of containers."
    )
