"""Closed loop: each user sends its next request when the last one is answered."""

from __future__ import annotations

from time import monotonic

import gevent
from locust.exception import StopUser

from scenarios.loadkit.session import Session
from scenarios.loadkit.user import LeanUser


def closed_loop(session: Session, user: LeanUser) -> None:
    """A Locust task that lasts as long as the run. The last request is waited for, not cut off.

    Raises StopUser at the end of the window, which is Locust's way for a user to leave by itself.
    """
    recorder, end_s = session.recorder, session.window.end_s
    gevent.sleep(max(0.0, session.window.start_s - monotonic()))
    while (now_s := monotonic()) < end_s:
        session.attempt(user, recorder.add(now_s))
    raise StopUser
