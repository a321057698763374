"""Reads a container's resources straight from the cgroup files of this host."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.adapters import proc
from harness.deployment import ResourceReading
from harness.errors import DeploymentDied
from harness.measurement.cgroup import Location, locate, reading_v1, reading_v2


@dataclass(frozen=True, slots=True)
class CgroupFiles:
    """The cgroup files of one container.

    Files are opened for each reading: that costs some tens of microseconds, once a second, and leaves
    nothing to close.
    """

    location: Location
    cpus: tuple[int, ...]
    """The cores in use, whose steal goes into each reading."""

    @classmethod
    def of_pid(cls, pid: int, *, cpus: Sequence[int]) -> CgroupFiles:
        """The files of the cgroup that process `pid` of this host is in.

        Raises DeploymentDied when there is no such process, EnvironmentProblem when its cgroup cannot
        be told from the machine's or cannot be seen from here.
        """
        try:
            membership = Path(f"/proc/{pid}/cgroup").read_text()
        except (FileNotFoundError, ProcessLookupError) as error:
            raise DeploymentDied(
                f"process {pid} ended before its resources could be read. Read server.log."
            ) from error
        return cls(locate(membership, Path("/proc/self/mountinfo").read_text()), tuple(cpus))

    def reading(self) -> ResourceReading:
        """The counters now. Raises DeploymentDied when the cgroup is gone."""
        files = {name: _text(Path(path)) for name, path in self.location.files.items()}
        parse = reading_v1 if self.location.version == 1 else reading_v2
        return parse(files, at_s=time.monotonic(), steal_s=proc.steal_s(self.cpus))

    def pids(self) -> tuple[int, ...]:
        """Every process in the container, by this host's numbers. Raises DeploymentDied when it is gone."""
        return tuple(map(int, _text(Path(self.location.procs)).split()))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        if proc.is_gone(error):
            raise DeploymentDied(
                f"{path.parent} is gone: the container ended. Read server.log in the trial's directory."
            ) from error
        raise
