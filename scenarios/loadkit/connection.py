"""A connection whose answers are read by a greenlet of its own: a request is written by whoever has it."""

from __future__ import annotations

from collections.abc import Callable
from select import select
from time import monotonic
from typing import Any

import gevent
from geventhttpclient._parser import HTTPParseError

from scenarios.loadkit.accepted import Checker
from scenarios.loadkit.client import READ_BYTES, NoConnection, SendOnceClient, parser, taken, write
from scenarios.loadkit.template import Values
from wire.messages import DISCONNECTED

SMALL_BYTES = 8 * 1024
"""So much an idle connection takes at once. What is longer may have to wait, which the writer must not."""


class Connection:
    """One request at a time; the next one once the last is answered.

    `ended` hears how each request ended, as `Checker.outcome` has it, and whether the connection can take
    another one. `failed` hears of a defect of ours, such as an expectation that raises.
    """

    __slots__ = (
        "_checker", "_client", "_data", "_ended", "_failed", "_response", "_sock", "_values", "_whole",
        "greenlet", "since_s", "slot",
    )  # fmt: skip

    def __init__(
        self,
        client: SendOnceClient,
        *,
        ended: Callable[[Connection, int, bool], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._client, self._ended, self._failed = client, ended, failed
        self._sock: Any = None
        self._response: Any = None
        self.slot = -1
        self.since_s: float | None = None
        """When the request under way was written; None until there is a connection."""
        self.greenlet: gevent.Greenlet | None = None

    def send(self, slot: int, due: tuple[bytes, Values, Checker]) -> None:
        """At once, or as soon as there is a connection."""
        self.slot = slot
        self._data, self._values, self._checker = due
        self._response = parser(bodyless=self._checker.bodyless)
        if self.greenlet is None:
            self.greenlet = gevent.spawn(self._run)
        elif len(self._data) <= SMALL_BYTES:
            self._write()
        else:
            gevent.spawn(self._write)

    @property
    def alive(self) -> bool:
        """Of one with nothing to do: the server has not closed it, as far as the kernel knows by now."""
        if self._sock is None:
            return False
        readable, _, _ = select([self._sock], [], [], 0.0)
        return not readable

    def end(self) -> None:
        """Close it, whatever is under way; nothing more is heard of that."""
        self._response = None
        if self.greenlet is not None:
            self.greenlet.kill(block=False)

    def _run(self) -> None:
        """Connect, and read one answer after the other until the connection is of no more use."""
        try:
            self._sock = self._client.connection()
            # Requests are timed by whoever sends them: a connection waits for the next one without end.
            self._sock.settimeout(None)
            self._write()
            while self._read_answer():
                pass
        except NoConnection as none:
            self._lost(none.status)
        except (OSError, HTTPParseError):
            self._lost(DISCONNECTED)
        except Exception as fault:
            self._failed(fault)
            raise
        finally:
            if self._sock is not None:
                sock, self._sock = self._sock, None
                self._client.release(sock)

    def _write(self) -> None:
        self.since_s = monotonic()
        try:
            self._whole = write(self._sock, self._data)
        except OSError:
            self._whole = False

    def _read_answer(self) -> bool:
        """False when the connection is of no more use."""
        while True:
            data = self._sock.recv(READ_BYTES)
            if self._response is None:
                # Its end, or an answer that nobody asked for.
                return False
            reusable = taken(self._response, data)
            if reusable is not None:
                break
        response, self._response = self._response, None
        usable = reusable and self._whole and response.should_keep_alive()
        status = self._checker.outcome(response, self._values)
        self._ended(self, status, usable)
        return usable

    def _lost(self, status: int) -> None:
        if self._response is not None:
            self._response = None
            self._ended(self, status, False)
