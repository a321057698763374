"""What the lifecycle needs of the outside world. Adapters implement these; tests use fakes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from harness.deployment import DeploymentSpec, DeploymentState, MemorySnapshot, ResourceReading, ServerFacts
from harness.measurement.load import LoadRecord
from harness.model import Scenario
from harness.target import ServiceLife, Target


class Clock(Protocol):
    """Monotonic time; a fake one makes every wait testable."""

    def monotonic(self) -> float: ...
    def suspended_s(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...


class Channel(Protocol):
    """A duplex of text lines to a companion process."""

    def send(self, line: str) -> None: ...

    def receive(self, timeout_s: float) -> str:
        """The next line. Raises GeneratorFailed on time-out or when the process ended."""
        ...


class Deployment(Protocol):
    """One running server process tree."""

    @property
    def name(self) -> str:
        """Of the trial it serves, as in its `DeploymentSpec`."""
        ...

    @property
    def base_url(self) -> str:
        """As the load generator sees it, for example http://127.0.0.1:8000."""
        ...

    @property
    def remote(self) -> bool:
        """Whether the load is to come from other machines."""
        ...

    def reading(self) -> ResourceReading: ...
    def memory(self) -> MemorySnapshot | None:
        """None where the kernel does not let us read other processes' smaps."""
        ...

    def listen_overflows(self) -> int | None:
        """Connections so far that found its listen queue full, to try again after 1 s. None: not known."""
        ...

    def state(self) -> DeploymentState: ...
    def log(self) -> str: ...


class Engine(Protocol):
    """Builds recipes, runs deployments and companions; owns their removal."""

    @property
    def name(self) -> str: ...

    def describe(self) -> Mapping[str, str]:
        """Facts for the run's manifest: versions, storage driver, cgroup version, kernel."""
        ...

    def build(self, recipe: str, target: Target | None = None) -> str:
        """Image id (or environment path) of a recipe for a target, built if need be. None is the example.

        Raises BuildFailed, VariantError for what this engine cannot provide, or AppImageFailed when there is
        no target to build on.
        """
        ...

    def services(
        self,
        target: Target | None,
        *,
        image: str,
        env: Mapping[str, str],
        cpus: tuple[int, ...],
        life: ServiceLife,
    ) -> AbstractContextManager[None]:
        """The target's services of one life, ready, and set up by commands in `image` with `env`.

        `image` is what `build(OWN_COMMAND, target)` returned. Raises ServiceFailed, AppImageFailed.
        """
        ...

    def running(self, spec: DeploymentSpec) -> AbstractContextManager[Deployment]:
        """A fresh deployment, stopped and removed on the way out, however that comes."""
        ...

    def companion(
        self, beside: Deployment, *, image: str, argv: tuple[str, ...], cpus: tuple[int, ...]
    ) -> AbstractContextManager[Channel]:
        """A process that reaches the deployment's base_url, with its stdin and stdout as a Channel."""
        ...

    def close(self) -> None:
        """Remove everything of this run that may still stand."""
        ...


class Generator(Protocol):
    """A load generator attached to one deployment."""

    def wait_ready(
        self, *, workers: int, timeout_s: float, scenario: Scenario, ready: str | None, inside: bool
    ) -> ServerFacts | None:
        """Until `ready` is answered with 2xx or, where it is None, the scenario's first request as expected.

        Inside, every worker must be seen too; of a black box there are no facts. The totals of the loads that
        follow begin at zero: each trial on this server starts here. Raises NotReady,
        CannotServe, or DeploymentDied once the server has ended.
        """
        ...

    def probe(self) -> ServerFacts: ...
    def verify(self, scenario: Scenario) -> None:
        """Raises WrongResponse when one request of each kind is not answered as expected."""
        ...

    def drive(
        self, scenario: Scenario, *, seed: int, progress: Callable[[Mapping[str, float]], None]
    ) -> LoadRecord:
        """One load, from warm-up to drain."""
        ...

    def prepare(self, scenario: Scenario) -> int:
        """What comes before a load and takes its time, such as logins; how many processes will drive it."""
        ...

    def begin(
        self,
        scenario: Scenario,
        *,
        seed: int,
        spans_s: tuple[tuple[float, float], ...],
        ramp_s: float,
        start_s: float,
        rest_until_s: float,
    ) -> None:
        """A load that was prepared, in slices, with pauses between them; `finish` waits for its end.

        Each begins and ends at these seconds after `start_s`, a CLOCK_MONOTONIC second of the generator's
        machine; `ramp_s` is left out at its beginning. Until `rest_until_s` after it others are at work, on
        the generator's cores too: before that it does nothing but its own slices.
        """
        ...

    def finish(self, *, progress: Callable[[Mapping[str, float]], None]) -> LoadRecord:
        """The load that was begun, once it has ended."""
        ...


class LoadGenerator(Protocol):
    """Attaches generators to deployments."""

    def attached(self, deployment: Deployment) -> AbstractContextManager[Generator]: ...
