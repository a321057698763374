"""Several processes, each with what an engine knows of it, as one deployment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from harness.deployment import DeploymentState, MemorySnapshot, ResourceReading


class ProcessPart(Protocol):
    """One process, or one container."""

    @property
    def name(self) -> str: ...
    @property
    def base_url(self) -> str: ...
    @property
    def remote(self) -> bool: ...
    def reading(self) -> ResourceReading: ...
    def memory(self) -> MemorySnapshot | None: ...
    def listen_overflows(self) -> int | None: ...
    def state(self) -> DeploymentState: ...
    def log(self) -> str: ...


P = TypeVar("P", bound=ProcessPart)


@dataclass(frozen=True, slots=True)
class Together(Generic[P]):
    """Where the load goes, and the rest by name; structurally a `Deployment`."""

    first: P
    beside: Mapping[str, P]

    @property
    def name(self) -> str:
        return self.first.name

    @property
    def base_url(self) -> str:
        return self.first.base_url

    @property
    def remote(self) -> bool:
        return self.first.remote

    @property
    def _parts(self) -> tuple[P, ...]:
        return (self.first, *self.beside.values())

    def reading(self) -> ResourceReading:
        """The sum, at the time of the first. Raises DeploymentDied when any of them has ended."""
        readings = [part.reading() for part in self._parts]
        return ResourceReading(
            at_s=readings[0].at_s,
            cpu_s=sum(reading.cpu_s for reading in readings),
            throttled_s=sum(reading.throttled_s for reading in readings),
            working_set_bytes=sum(reading.working_set_bytes for reading in readings),
            oom_kills=sum(reading.oom_kills for reading in readings),
            # Of the cores, which are the same for all.
            steal_s=readings[0].steal_s,
            periods=sum(reading.periods for reading in readings),
            throttled_periods=sum(reading.throttled_periods for reading in readings),
        )

    def memory(self) -> MemorySnapshot | None:
        """The sum; None where one of them may not be read. Raises DeploymentDied as `reading` does."""
        snapshots = [part.memory() for part in self._parts]
        known = [snapshot for snapshot in snapshots if snapshot is not None]
        if len(known) < len(snapshots):
            return None
        return MemorySnapshot(
            processes=sum(snapshot.processes for snapshot in known),
            rss_bytes=sum(snapshot.rss_bytes for snapshot in known),
            pss_bytes=sum(snapshot.pss_bytes for snapshot in known),
            uss_bytes=sum(snapshot.uss_bytes for snapshot in known),
        )

    def listen_overflows(self) -> int | None:
        """Of the network that all of them share."""
        return self.first.listen_overflows()

    def state(self) -> DeploymentState:
        """Running only while all are. The exit code is the first that is not 0, if any is."""
        states = [part.state() for part in self._parts]
        codes = [state.exit_code for state in states if state.exit_code is not None]
        return DeploymentState(
            running=all(state.running for state in states),
            exit_code=next((code for code in codes if code), 0) if codes else None,
            oom_killed=any(state.oom_killed for state in states),
        )

    def log(self) -> str:
        """All logs, one after the other, each line with the name of who wrote it."""
        return "\n".join(
            [
                *_prefixed("front", self.first.log()),
                *(line for name, part in self.beside.items() for line in _prefixed(name, part.log())),
            ]
        )


def first_of(deployment: object) -> object:
    """The part that the load goes to."""
    return deployment.first if isinstance(deployment, Together) else deployment


def _prefixed(name: str, log: str) -> Iterator[str]:
    return (f"{name} | {line}" for line in log.splitlines())
