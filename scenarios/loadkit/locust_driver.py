"""A Locust file as it is, under our clock: its users in a closed loop, every request a raw value."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from time import monotonic
from typing import Any

import locust

from scenarios.loadkit.busy import broken_off
from scenarios.loadkit.client import SendOnceClient
from scenarios.loadkit.drive import watch
from scenarios.loadkit.errors import BadRequest, WrongResponse
from scenarios.loadkit.exchanges import Exchanges, counted
from scenarios.loadkit.locust_environment import crowded, one_of_each, started
from scenarios.loadkit.locust_events import EventLog, recorded
from scenarios.loadkit.locust_file import imported
from scenarios.loadkit.locust_users import Crowd
from scenarios.loadkit.locust_verify import verify_users
from scenarios.loadkit.result import LoadResult, Progress
from scenarios.loadkit.window import Timetable, timetable_of
from wire.loads import ClosedLoad, Drive
from wire.messages import ON_START_TIMEOUTS
from wire.workloads import LocustWorkload

INTERNAL_ERROR = 500
KILL_AFTER_S = 5.0
"""Beyond the longest that a load may last, for users that let nobody else run."""


class LocustDriver:
    """One Locust file. Imported anew for each verification and each load."""

    def __init__(self, file: LocustWorkload) -> None:
        """Raises BadRequest where it is none that can be driven."""
        self._file = file
        with imported(file) as users:
            self.kinds = len(users)
        self._held: tuple[ExitStack, Any, Crowd] | None = None

    def first_problem(self, base_url: str, *, timeout_s: float) -> WrongResponse | None:
        """Which request comes first only the file knows: that GET / is answered below 500 must do.

        An app that needs longer than that to be able to serve has a `target.ready`.
        """
        client = SendOnceClient.to(base_url, timeout_s=timeout_s)
        try:
            answer = client.ask("/")
        finally:
            client.close()
        served = 0 < answer.status < INTERNAL_ERROR
        return None if served else WrongResponse(f"GET /: {answer}", status=answer.status)

    def verify(self, base_url: str, *, timeout_s: float) -> int:
        """How many requests were answered as the file wants; see `verify_users`."""
        self.let_go()
        with (
            imported(self._file) as users,
            started(self._file, users, base_url=base_url, timeout_s=timeout_s) as environment,
            crowded(environment, self._file, one_of_each(environment)) as crowd,
        ):
            return verify_users(crowd, self._file, timeout_s=timeout_s)

    def prepare(self, base_url: str, *, clients: int, timeout_s: float) -> None:
        """Every user stands, its on_start done within three times that; nothing of it is counted or measured.

        `timeout_s` is that of a request. Raises BadRequest, or WrongResponse naming what kept a user from it.
        """
        self.let_go()
        with ExitStack() as stack:
            users = stack.enter_context(imported(self._file))
            environment = stack.enter_context(
                started(self._file, users, base_url=base_url, timeout_s=timeout_s)
            )
            crowd = stack.enter_context(crowded(environment, self._file, clients))
            crowd.wait_until_up(ON_START_TIMEOUTS * timeout_s)
            crowd.check()
            self._held = stack.pop_all(), environment, crowd

    def drive(self, spec: Drive, *, base_url: str, progress: Progress) -> LoadResult:
        """Run one load to its end, with the users that were prepared, or with new ones.

        Task choices are not seeded: a file that makes up names at random would make up the same ones again,
        against a database that has them already. Raises BadRequest, or WrongResponse.
        """
        if len(spec.spans_s) > 1:
            raise BadRequest(f"{self._file.name}: the users of a Locust file do not pause; give one span")
        if not isinstance(spec.load, ClosedLoad):
            raise BadRequest(
                f"{self._file.name}: a Locust file is a closed loop, it has no rate.\n"
                f"Fix: give clients; for a rate, put the requests into the matrix"
            )
        if self._held is None:
            self.prepare(base_url, clients=spec.load.clients, timeout_s=spec.request_timeout_s)
        assert self._held is not None
        (stack, environment, crowd), self._held = self._held, None
        with (
            stack,
            _little_gc(),
            counted(base_url, first_id=spec.id_base + 1) as exchanges,
            recorded(locust.events) as log,
        ):
            timetable = timetable_of(spec, now_s=monotonic())
            with broken_off(timetable.deadline_s - monotonic() + KILL_AFTER_S, here=crowd.runs):
                crowd.open(timetable.start_s)
                environment.events.spawning_complete.fire(user_count=len(crowd.users))
                cpu_share = watch(timetable, log.recorder, progress)
                crowd.check_all_stayed()
                crowd.leave(timetable.deadline_s)
                log.close()
                crowd.cut_off()
                crowd.check()
        return _result(timetable, log, exchanges, cpu_share)

    def let_go(self) -> None:
        """Of users that were prepared for a load that never came."""
        if self._held is not None:
            (stack, *_), self._held = self._held, None
            stack.close()


@contextmanager
def _little_gc() -> Iterator[None]:
    """What is there already is not looked through again. Not switched off as for the lean user: answers that
    `requests` leaves in cycles would fill the memory."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _result(timetable: Timetable, log: EventLog, exchanges: Exchanges, cpu_share: Any) -> LoadResult:
    arrays = log.recorder.measured(timetable.spans)
    totals = log.recorder.totals(1)
    return LoadResult(
        timetable=timetable,
        totals=replace(
            totals,
            id_sum=exchanges.id_sum,
            id_xor=exchanges.id_xor,
            # Whichever knows of more: an exchange without an event, or the body of an answer.
            in_flight_s=max(totals.in_flight_s, exchanges.in_flight_s),
            exchanges=exchanges.answered,
            exchanges_sent=exchanges.sent,
        ),
        arrays={**arrays, "generator_cpu_share": cpu_share},
    )
