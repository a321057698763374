"""A container that is done things to: stopped, signalled, killed, restarted by its engine."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from signal import Signals
from typing import Literal

from docker import DockerClient
from docker.models.containers import Container

from harness.adapters import proc
from harness.adapters.docker_deployment import DockerDeployment
from harness.errors import DeploymentDied, EnvironmentProblem, TrialError

RestartPolicy = Literal["no", "always"]
RUNTIME_DIR = "/var/lib/target"
"""Where it finds its runtime directory. It is one of the host's, so the records in it outlive
the container."""


class ControlledContainer(DockerDeployment):
    """A deployment with handles for what operators, platforms and kernels do to one."""

    def __init__(
        self,
        client: DockerClient,
        container: Container,
        *,
        name: str,
        cpus: tuple[int, ...],
        port: int,
        runtime_dir: Path,
    ) -> None:
        super().__init__(client, container, name=name, cpus=cpus)
        self.port, self.runtime_dir = port, runtime_dir

    def stop(self, grace_s: float) -> float:
        """As `docker stop --time` does: SIGTERM, then SIGKILL after `grace_s`. The seconds it took."""
        started_s = time.monotonic()
        with self._asking("stopping it"):
            self._container.stop(timeout=math.ceil(grace_s))
        return time.monotonic() - started_s

    def send_signal(self, number: Signals) -> None:
        """Send a signal to the container's first process, as `docker kill --signal` does.

        The engine takes a SIGTERM or SIGKILL that comes this way for a wish to stop: its restart policy
        rests then.
        """
        with self._asking(f"sending {number.name}"):
            self._container.kill(signal=number.name)

    def signal_process(self, pid: int, number: Signals) -> None:
        """Send a signal from the host to the process that the container knows as `pid`; 1 is the first.

        From inside, process 1 could be neither killed nor stopped. Raises TrialError when there is no such
        process, EnvironmentProblem when this user may not.
        """
        try:
            os.kill(self._processes()[pid], number)
        except (KeyError, ProcessLookupError) as error:
            raise TrialError(f"{self.name}: process {pid} ended before it got its {number.name}") from error
        except PermissionError as error:
            raise EnvironmentProblem(
                f"{number.name} may not be sent to a container's process: run this as root"
            ) from error

    def pids(self) -> frozenset[int]:
        """Its living processes, by the numbers the container knows them by; none once it has ended."""
        return frozenset(self._processes())

    def wait_ended(self, timeout_s: float) -> int | None:
        """The exit code once it has ended; None when it has not within `timeout_s`."""
        deadline_s = time.monotonic() + timeout_s
        while (state := self.state()).running:
            if time.monotonic() >= deadline_s:
                return None
            time.sleep(0.02)
        return state.exit_code

    def exit_code(self) -> int:
        """How it ended. Raises TrialError while it runs."""
        code = self.state().exit_code
        if code is None:
            raise TrialError(f"{self.name}: it still runs, where it should have ended")
        return code

    def _processes(self) -> dict[int, int]:
        """The host's numbers of its living processes, by those the container knows them by."""
        if self._cgroup is None:
            raise EnvironmentProblem(
                "the processes of this engine's containers cannot be seen from here: run this on its machine"
            )
        try:
            host_pids = self._cgroup.pids()
        except DeploymentDied:
            return {}
        inner = {host_pid: proc.innermost_pid(host_pid) for host_pid in host_pids}
        return {pid: host_pid for host_pid, pid in inner.items() if pid is not None}
