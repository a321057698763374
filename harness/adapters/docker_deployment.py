"""One server container: what it uses, whether it runs, what it said, and its end."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from docker import DockerClient
from docker.models.containers import Container

from harness.adapters import proc
from harness.adapters.cgroup_files import CgroupFiles
from harness.adapters.docker_client import engine_errors
from harness.adapters.docker_network import NetworkRoute
from harness.adapters.ownership import already_gone_is_fine
from harness.deployment import DeploymentSpec, DeploymentState, MemorySnapshot, ResourceReading
from harness.errors import DeploymentDied, EngineUnavailable, EnvironmentProblem, TrialError

LOG_LINES = 20_000
"""How much of a log is kept: enough for any traceback, bounded where the access log is on."""
TAIL_LINES = 20
"""How much of it an error shows."""
SIGKILLED = 128 + 9
"""The exit code of a container whose first process was killed."""
OOM_WORD_S, OOM_LOOK_S = 1.0, 0.05


class DockerDeployment:
    """A started container; structurally a `Deployment`. State and log outlive the container."""

    def __init__(
        self, client: DockerClient, container: Container, *, name: str, cpus: tuple[int, ...]
    ) -> None:
        self._client, self._container, self._cpus = client, container, cpus
        self.name = name
        self._cgroup: CgroupFiles | None = None
        self._end: tuple[DeploymentState, str] | None = None
        self._said_killed = False
        """Whether it is known to have been killed, and why was waited for."""
        self.base_url = ""
        self.companion_mode = "none"
        self.remote = False

    @property
    def container_id(self) -> str:
        return str(self._container.id)

    def start(self, route: NetworkRoute | None) -> None:
        """Start the server. Raises TrialError with the end of its log when it cannot, or ends at once.

        No route leads to a container that stands next to another one.
        """
        try:
            with self._asking("starting it"):
                self._container.start()
                self._container.reload()
            self._cgroup = _cgroup_files(self._container, self._cpus)
            if route is not None:
                self.base_url = route.base_url(self._container.attrs["NetworkSettings"])
                self.companion_mode = route.companion_mode(self.container_id)
                self.remote = route.path == "remote"
        except TrialError as error:
            _, log = self._last_words()
            said = "\n".join(["", "Its log ends with:", *log.splitlines()[-TAIL_LINES:]]) if log else ""
            raise TrialError(f"{error}{said}") from error

    def reading(self) -> ResourceReading:
        """Resources now. Raises DeploymentDied when the server has ended."""
        if self._end is None and self._cgroup is not None:
            return self._cgroup.reading()
        self._must_run()
        with self._asking("reading its resources"):
            stats = self._client.api.stats(str(self._container.id), stream=False, one_shot=True)
        return reading_from_stats(stats, at_s=time.monotonic())

    def memory(self) -> MemorySnapshot | None:
        """Memory of the container's processes; None where the engine's processes cannot be seen from here."""
        self._must_run()
        return None if self._cgroup is None else proc.memory(self._cgroup.pids())

    def listen_overflows(self) -> int | None:
        """None where the engine's processes cannot be seen from here, and where the network is the host's."""
        self._must_run()
        if self._cgroup is None or self._container.attrs["HostConfig"]["NetworkMode"] == "host":
            return None
        return proc.listen_overflows(self._cgroup.pids()[0])

    def state(self) -> DeploymentState:
        return self._end[0] if self._end else self._state_now()

    def log(self) -> str:
        """The last LOG_LINES lines of stdout and stderr, after the end too."""
        return self._end[1] if self._end else self._log_now()

    def also_watch(self, cpus: tuple[int, ...]) -> None:
        """Count the steal of these cores too, because the generator runs on them."""
        self._cpus = tuple(sorted({*self._cpus, *cpus}))
        if self._cgroup is not None:
            self._cgroup = CgroupFiles(self._cgroup.location, self._cpus)

    def retire(self, stop_timeout_s: float) -> None:
        """Stop the server as its users would (SIGTERM, then SIGKILL), keep its last words, remove it.

        State and log are to be had afterwards, even where this raises.
        """
        try:
            with self._asking("stopping it"), already_gone_is_fine():
                self._container.stop(timeout=math.ceil(stop_timeout_s))
        finally:
            self._end = self._last_words()
            with self._asking("removing it"), already_gone_is_fine():
                self._container.remove(v=True, force=True)

    def _last_words(self) -> tuple[DeploymentState, str]:
        """State and log of a server that is about to be removed; what can be had of them, never an error."""
        state, log = DeploymentState(running=False), ""
        try:
            state = replace(self._state_now(patience_s=0.0), running=False)
            log = self._log_now()
        except (TrialError, EngineUnavailable) as error:
            log = f"(the log is lost: {error})"
        return state, log

    def _state_now(self, *, patience_s: float = OOM_WORD_S) -> DeploymentState:
        """Of one that was killed it is asked again for a moment: an engine hears of its memory from another
        event than of its end. One that we have killed ourselves needs no patience."""
        deadline_s = time.monotonic() + patience_s
        while True:
            with self._asking("asking for its state"):
                self._container.reload()
            state = self._container.attrs["State"]
            killed = not state["Running"] and int(state["ExitCode"]) == SIGKILLED
            if not killed or state["OOMKilled"] or self._said_killed or time.monotonic() >= deadline_s:
                break
            time.sleep(OOM_LOOK_S)
        self._said_killed = killed
        running = bool(state["Running"])
        return DeploymentState(
            running=running,
            exit_code=None if running else int(state["ExitCode"]),
            oom_killed=bool(state["OOMKilled"]),
        )

    def _log_now(self) -> str:
        with self._asking("fetching its log"):
            return self._container.logs(tail=LOG_LINES).decode(errors="replace")

    def _must_run(self) -> None:
        state = self.state()
        if not state.running:
            how = "was OOM-killed" if state.oom_killed else f"exit code {state.exit_code}"
            raise DeploymentDied(f"{self.name}: the server ended ({how}). Read server.log of the trial.")

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        with engine_errors(self._client, f"{self.name}: {what}"):
            yield


@contextmanager
def in_service(
    deployment: DockerDeployment, route: NetworkRoute | None, spec: DeploymentSpec
) -> Iterator[None]:
    """Started on the way in; stopped and removed on the way out, however that comes."""
    try:
        deployment.start(route)
        yield
    finally:
        deployment.retire(spec.stop_timeout_s)


def reading_from_stats(stats: Mapping[str, Any], *, at_s: float) -> ResourceReading:
    """A reading from the engine's stats API, for engines in a virtual machine of their own.

    Their host's steal and the count of OOM kills are not to be had: both stay 0. Working set =
    usage - inactive file pages, as for the cgroup files. Raises DeploymentDied when the container ended
    just now: then the engine answers with empty figures; EnvironmentProblem where it tells too little.
    """
    memory = stats["memory_stats"]
    if not memory:
        raise DeploymentDied("the server ended. Read server.log in the trial's directory.")
    pages = memory.get("stats")
    if pages is None:
        raise EnvironmentProblem(
            "This engine does not report how much of a container's memory is cache that can be dropped, and "
            "the container's own files cannot be read from here.\n"
            "Fix: run harness on the engine's machine, as root."
        )
    inactive_bytes = pages.get("total_inactive_file", pages.get("inactive_file", 0))
    cpu = stats["cpu_stats"]
    return ResourceReading(
        at_s=at_s,
        cpu_s=cpu["cpu_usage"]["total_usage"] / 1e9,
        throttled_s=cpu["throttling_data"]["throttled_time"] / 1e9,
        working_set_bytes=max(0, memory["usage"] - inactive_bytes),
        oom_kills=0,
        steal_s=0.0,
        periods=cpu["throttling_data"]["periods"],
        throttled_periods=cpu["throttling_data"]["throttled_periods"],
    )


def _cgroup_files(container: Container, cpus: tuple[int, ...]) -> CgroupFiles | None:
    """The container's cgroup files, or None where the engine's process ids are not this machine's."""
    pid = int(container.attrs["State"]["Pid"])
    try:
        # With an engine elsewhere the same number may be a process of ours.
        if str(container.id) not in Path(f"/proc/{pid}/cgroup").read_text():
            return None
        return CgroupFiles.of_pid(pid, cpus=cpus)
    except (OSError, DeploymentDied, EnvironmentProblem):
        return None
