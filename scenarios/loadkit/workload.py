"""What the agent drives: the load kit's own requests, or a driver of another kind."""

from __future__ import annotations

from typing import Protocol

from scenarios.loadkit.catalogue import load_scenario
from scenarios.loadkit.errors import WrongResponse
from scenarios.loadkit.lean import LeanWorkload
from scenarios.loadkit.locust_driver import LocustDriver
from scenarios.loadkit.own import own_requests
from scenarios.loadkit.result import LoadResult, Progress
from wire.loads import Drive
from wire.workloads import BundledWorkload, LocustWorkload, RequestsWorkload, Workload


class DrivenWorkload(Protocol):
    """Answers what `verify`, `ready` and `drive` ask for. Servers are given as http[s]://host:port."""

    @property
    def kinds(self) -> int:
        """How many kinds of requests it has."""
        ...

    def first_problem(self, base_url: str, *, timeout_s: float) -> WrongResponse | None:
        """What is wrong with the answer to its first request, or None."""
        ...

    def verify(self, base_url: str, *, timeout_s: float) -> int:
        """How many kinds were answered as expected. Raises WrongResponse naming all that were not.

        These requests carry no id, so they stay out of the server's count of the load.
        """
        ...

    def prepare(self, base_url: str, *, clients: int, timeout_s: float) -> None:
        """Take the steps before the next load, once for each client. Raises WrongResponse."""
        ...

    def drive(self, load: Drive, *, base_url: str, progress: Progress) -> LoadResult:
        """Run one load to its end, after the steps before it where they were not taken yet."""
        ...


def workload_of(told: Workload) -> DrivenWorkload:
    """Raises BadRequest."""
    match told:
        case BundledWorkload(locustfile=locustfile):
            return LeanWorkload(load_scenario(locustfile))
        case RequestsWorkload():
            return LeanWorkload(own_requests(told))
        case LocustWorkload():
            return LocustDriver(told)
