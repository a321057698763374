"""A neighbour of the load: requests that are not measured, and make those wait that are."""

from __future__ import annotations

from time import monotonic

import gevent

from scenarios.loadkit.client import SendOnceClient
from scenarios.loadkit.errors import WrongResponse
from scenarios.loadkit.prepare import whole
from scenarios.loadkit.request import NO_VALUES
from scenarios.loadkit.session import Session
from scenarios.loadkit.user import LeanUser


def neighbour(session: Session, user: type[LeanUser]) -> gevent.Greenlet:
    """Starts it, if the scenario has one; `get` then waits for its last answer, and raises what it raised."""
    return gevent.spawn(_keep_sending, session, user)


def _keep_sending(session: Session, user: type[LeanUser]) -> None:
    """One request after the other for as long as the load lasts, each answer checked.

    They carry no id, so they stay out of the server's count of the load. Raises WrongResponse.
    """
    if user.beside is None:
        return
    client = SendOnceClient.to(str(user.host), timeout_s=user.request_timeout_s)
    data = whole(user.beside, client, NO_VALUES)
    try:
        for span in session.timetable.spans:
            gevent.sleep(max(0.0, span.start_s - monotonic()))
            while monotonic() < span.end_s:
                problem = user.beside.problem(client.fetch(data, bodyless=user.beside.bodyless))
                if problem:
                    raise WrongResponse(f"beside the load: {problem}")
    finally:
        client.close()
