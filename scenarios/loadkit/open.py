"""Open loop: arrivals were fixed beforehand, and a stalled server does not hold them back."""

from __future__ import annotations

from time import monotonic

import gevent
from gevent.pool import Pool
from locust.exception import StopUser

from scenarios.loadkit.session import Session
from scenarios.loadkit.user import LeanUser

MAX_IN_FLIGHT = 900
"""An arrival beyond this many open requests is DROPPED. select(), which geventhttpclient asks whether a
pooled connection still lives, cannot see file descriptors past 1023."""


def open_loop(session: Session, user: LeanUser) -> None:
    """A Locust task of one user that dispatches every scheduled slot into a pool of greenlets.

    A slot keeps its intended time whatever happens; lateness and queueing show in its latency. What is
    not sent by the deadline of the run stays DROPPED, what is not answered by then stays UNDRAINED.
    Raises StopUser at the end.
    """
    pool, deadline_s = Pool(MAX_IN_FLIGHT), session.timetable.deadline_s

    def send(slot: int) -> None:
        session.recorder.send(slot, monotonic())
        session.attempt(user, slot)

    try:
        for slot, intended_s in enumerate(session.recorder.intended_s):
            now_s = monotonic()
            if now_s > deadline_s:
                break
            # Even when late: a sleep of zero lets the requests already dispatched go out.
            gevent.sleep(max(0.0, intended_s - now_s))
            if not pool.full():
                pool.spawn(send, slot)
        pool.join(timeout=max(0.0, deadline_s - monotonic()))
    finally:
        pool.kill()
    raise StopUser
