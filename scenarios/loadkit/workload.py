"""What the agent drives: the load kit's own requests, or a driver of another kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from scenarios.loadkit.catalogue import load_scenario
from scenarios.loadkit.errors import WrongResponse
from scenarios.loadkit.lean import LeanWorkload
from scenarios.loadkit.locust_driver import LocustWorkload
from scenarios.loadkit.locust_file import locust_file
from scenarios.loadkit.own import own_requests
from scenarios.loadkit.result import LoadResult, Progress
from scenarios.loadkit.spec import DriveSpec, Fields


class Workload(Protocol):
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

    def drive(self, spec: DriveSpec, *, base_url: str, progress: Progress) -> LoadResult:
        """Run one load to its end, after the steps before it where they were not taken yet."""
        ...


def workload_of(message: Mapping[str, Any]) -> Workload:
    """The workload that a `workload` message describes. Raises BadRequest."""
    makers: dict[str, Callable[[Fields], Workload]] = {
        "bundled": lambda fields: LeanWorkload(load_scenario(fields.text("locustfile"))),
        "requests": lambda fields: LeanWorkload(own_requests(fields)),
        "locustfile": lambda fields: LocustWorkload(locust_file(fields)),
    }
    fields = Fields(message, "workload")
    return makers[fields.text("kind", choices=tuple(makers))](fields)
