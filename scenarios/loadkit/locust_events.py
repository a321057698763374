"""What a Locust file says of its requests, as raw records: one slot for each request event."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from time import monotonic
from typing import Any

import gevent
import requests.exceptions
import urllib3.exceptions
from geventhttpclient import useragent
from geventhttpclient._parser import HTTPParseError
from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession

from scenarios.loadkit.answer import RIGHT
from scenarios.loadkit.recorder import Recorder
from wire.messages import DISCONNECTED, RAISED, REFUSED, TIMED_OUT, WRONG_BODY

_TIMEOUTS = (
    TimeoutError,
    gevent.Timeout,
    requests.exceptions.Timeout,
    urllib3.exceptions.TimeoutError,
)
_BROKEN = (
    OSError,
    HTTPException,
    HTTPParseError,
    requests.exceptions.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    urllib3.exceptions.ProtocolError,
    urllib3.exceptions.NewConnectionError,
)
_JUDGED = (requests.exceptions.TooManyRedirects, requests.exceptions.JSONDecodeError)
"""An OSError by descent; the answer came."""

_open: list[EventLog] = []


class EventLog:
    """Listens to the request events, and knows which requests are under way without one."""

    def __init__(self) -> None:
        self.recorder = Recorder()
        self.under_way: dict[object, float] = {}

    def on_request(
        self,
        response_time: float | None = None,
        exception: BaseException | None = None,
        response: object = None,
        start_time: float | None = None,
        **_: object,
    ) -> None:
        """A listener of events.request.

        The event may come long after the answer (a with-block that goes on), so the time since is told by
        `start_time`. That is wall-clock time: only its distance from now is used.
        """
        took_s = max(0.0, (response_time or 0.0) / 1000)
        now_s = monotonic()
        ago_s = took_s if start_time is None else max(took_s, time.time() - start_time)
        self._add(now_s - ago_s, now_s - ago_s + took_s, outcome(exception, response))

    def on_user_error(self, **_: object) -> None:
        """A listener of events.user_error: a task raised, and its iteration ended there."""
        now_s = monotonic()
        self._add(now_s, now_s, RAISED)

    def _add(self, sent_s: float, finished_s: float, status: int) -> None:
        if self in _open:
            self.recorder.finish(self.recorder.add(sent_s), finished_s, status)

    def close(self) -> None:
        """Whatever is under way now stays UNDRAINED, and no later event counts."""
        _open.remove(self)
        for sent_s in self.under_way.values():
            self.recorder.add(sent_s)


@contextmanager
def recorded(events: Any) -> Iterator[EventLog]:
    """Of an environment's events; closed at the latest as the block ends."""
    log = EventLog()
    events.request.add_listener(log.on_request)
    events.user_error.add_listener(log.on_user_error)
    _open.append(log)
    try:
        yield log
    finally:
        if log in _open:
            log.close()


def outcome(exception: BaseException | None, response: object) -> int:
    """RIGHT as the file judges it; otherwise HTTP status or what became of it."""
    if exception is None:
        return RIGHT
    status = getattr(response, "status_code", None) or 0
    if status >= 400:
        return int(status)
    # A file that says failure("...") of an answer that never came replaces the exception.
    told = getattr(response, "error", None)
    for error in (*_chain(exception), *_chain(told)):
        if isinstance(error, _JUDGED):
            return WRONG_BODY
        if isinstance(error, _TIMEOUTS):
            return TIMED_OUT
    for error in (*_chain(exception), *_chain(told)):
        if isinstance(error, ConnectionRefusedError):
            return REFUSED
    for error in (*_chain(exception), *_chain(told)):
        if isinstance(error, _BROKEN):
            return DISCONNECTED
    if isinstance(told, useragent.ConnectionError):
        return WRONG_BODY
    return DISCONNECTED if response is not None and not status else WRONG_BODY


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """With what it was raised for; geventhttpclient keeps that as `original`."""
    while error is not None:
        yield error
        error = getattr(error, "original", None) or error.__cause__ or error.__context__


def _watched(send: Callable[..., Any]) -> Callable[..., Any]:
    """A client's `request` that notes itself as under way."""

    def request(self: Any, *args: Any, **options: Any) -> Any:
        if not _open:
            return send(self, *args, **options)
        key, under_way = object(), _open[-1].under_way
        under_way[key] = monotonic()
        try:
            return send(self, *args, **options)
        finally:
            under_way.pop(key, None)

    return request


for _session in (HttpSession, FastHttpSession):
    _session.request = _watched(_session.request)  # type: ignore[method-assign, assignment]
