"""Open loop: arrivals were fixed beforehand, and a stalled server does not hold them back.

One greenlet follows the schedule and writes each request the moment it is due; the greenlet of its connection
reads the answer. A greenlet for each request would cost as much as five requests.
"""

from __future__ import annotations

from time import monotonic

import gevent
from gevent.event import Event
from locust.exception import StopUser

from scenarios.loadkit.connection import Connection
from scenarios.loadkit.session import Session
from scenarios.loadkit.user import LeanUser
from wire.loads import MAX_CLIENTS
from wire.messages import TIMED_OUT

BATCH = 16
"""Requests that are late and are written one after the other, before answers are read again."""
LOOKS = 20
"""How often in a time-out somebody looks for requests that have exceeded it."""


def open_loop(session: Session, user: LeanUser) -> None:
    """A Locust task of one user that writes every scheduled slot to a connection that has nothing to do.

    A slot keeps its intended time whatever happens; lateness and queueing show in its latency. What is
    not sent by the deadline of the run stays DROPPED, what is not answered by then stays UNDRAINED.
    Raises StopUser at the end.
    """
    connections, deadline_s, late = _Connections(session, user), session.timetable.deadline_s, 0
    try:
        for slot, intended_s in enumerate(session.recorder.intended_s):
            now_s = monotonic()
            if now_s > deadline_s:
                break
            late = late + 1 if now_s >= intended_s else 0
            if late % BATCH == 0:
                gevent.sleep(max(0.0, intended_s - now_s))
            connections.send(slot)
        connections.wait_for_answers(timeout_s=max(0.0, deadline_s - monotonic()))
    finally:
        connections.close()
    raise StopUser


class _Connections:
    """As many as are needed. What was used last is used first, so that their number stays small."""

    def __init__(self, session: Session, user: LeanUser) -> None:
        self._session, self._user = session, user
        self._busy: set[Connection] = set()
        self._idle: list[Connection] = []
        self._none_busy = Event()
        self._timing = gevent.spawn(self._end_what_takes_too_long, user.request_timeout_s)

    def send(self, slot: int) -> None:
        """Now, or never where too many requests are under way. Raises what a defect of ours raises."""
        if len(self._busy) >= MAX_CLIENTS:
            return
        connection = self._unused()
        self._busy.add(connection)
        self._session.recorder.send(slot, monotonic())
        connection.send(slot, self._session.due(self._user, slot))

    def wait_for_answers(self, *, timeout_s: float) -> None:
        """To all requests that are under way."""
        self._none_busy.clear()
        if self._busy:
            self._none_busy.wait(timeout_s)

    def close(self) -> None:
        self._timing.kill()
        greenlets = [connection.greenlet for connection in (*self._busy, *self._idle)]
        gevent.killall([greenlet for greenlet in greenlets if greenlet is not None])

    def _unused(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.alive:
                return connection
            connection.end()
        return Connection(self._user.client, ended=self._ended, failed=self._session.failed)

    def _ended(self, connection: Connection, status: int, usable: bool) -> None:
        self._session.recorder.finish(connection.slot, monotonic(), status)
        self._busy.discard(connection)
        if usable:
            self._idle.append(connection)
        if not self._busy:
            self._none_busy.set()

    def _end_what_takes_too_long(self, timeout_s: float) -> None:
        while True:
            gevent.sleep(timeout_s / LOOKS)
            now_s = monotonic()
            for connection in list(self._busy):
                if connection.since_s is not None and now_s - connection.since_s > timeout_s:
                    connection.end()
                    self._ended(connection, TIMED_OUT, usable=False)
