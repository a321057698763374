"""Closed loop: each user sends its next request when the last one is answered."""

from __future__ import annotations

from time import monotonic

import gevent
from locust.exception import StopUser

from scenarios.loadkit.session import Session
from scenarios.loadkit.user import LeanUser

IDLE_S = 0.5
"""After so long a pause the server may have closed the connection."""
REOPEN_S = 0.005
"""Before a span begins, so that connecting is not part of it, nor of the span before it."""


def closed_loop(session: Session, user: LeanUser) -> None:
    """A Locust task that lasts as long as the run. The last request of a span is waited for, not cut off.

    Raises StopUser at the end of the last span, which is Locust's way for a user to leave by itself.
    """
    recorder = session.recorder
    for span in session.timetable.spans:
        pause_s = span.start_s - monotonic()
        if pause_s > IDLE_S:
            gevent.sleep(pause_s - REOPEN_S)
            user.client.reopen()
        gevent.sleep(max(0.0, span.start_s - monotonic()))
        while (now_s := monotonic()) < span.end_s:
            session.attempt(user, recorder.add(now_s))
    raise StopUser
