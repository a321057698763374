"""A server that is a plain process group of this machine."""

from __future__ import annotations

from pathlib import Path

from harness.adapters import proc
from harness.adapters.process_group import ProcessGroup
from harness.deployment import (
    DeploymentState,
    MemorySnapshot,
    ResourceReading,
)

LOG_BYTES = 1 << 20


class ProcessDeployment:
    """A server process tree on this machine; structurally a `Deployment`."""

    remote = False
    """The load comes from this machine."""

    def __init__(
        self, name: str, group: ProcessGroup, *, base_url: str, cpus: tuple[int, ...], log: Path
    ) -> None:
        self.name, self.base_url = name, base_url
        self._group, self._log_file = group, log
        self._cpus = set(cpus)
        self._last_log: str | None = None

    def reading(self) -> ResourceReading:
        """Raises DeploymentDied when the server has ended."""
        return proc.tree_reading(self._group.pid, cpus=sorted(self._cpus))

    def memory(self) -> MemorySnapshot | None:
        """Raises DeploymentDied when the server has ended."""
        return proc.memory(proc.descendants(self._group.pid))

    def listen_overflows(self) -> int | None:
        """Not known: the kernel counts them for the whole machine."""
        return None

    def state(self) -> DeploymentState:
        """Whether it was OOM-killed is not reported to a parent: `oom_killed` stays false."""
        code = self._group.exit_code()
        return DeploymentState(running=code is None, exit_code=code)

    def log(self) -> str:
        """The last MiB of stdout and stderr; still there when the deployment has been removed."""
        return self._tail() if self._last_log is None else self._last_log

    def include_steal_of(self, cpus: tuple[int, ...]) -> None:
        """Count the steal of these cores too, because the generator runs on them."""
        self._cpus.update(cpus)

    def keep_log(self) -> None:
        """Take the log out of its file, which is about to go."""
        self._last_log = self._tail()

    def _tail(self) -> str:
        with self._log_file.open("rb") as file:
            file.seek(max(0, self._log_file.stat().st_size - LOG_BYTES))
            return file.read().decode(errors="replace")
