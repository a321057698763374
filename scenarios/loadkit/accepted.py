"""Checking every answer cheaply: most have a body that was found right before."""

from __future__ import annotations

from hashlib import sha256

from scenarios.loadkit.answer import RIGHT, Parser, whole_answer
from scenarios.loadkit.expectation import names
from scenarios.loadkit.request import NO_VALUES, Request
from scenarios.loadkit.template import Values
from wire.messages import WRONG_BODY
from wire.workloads import Expectation

MAX_BODIES = 1024
MAX_BYTES = 16 * 1024 * 1024
MAX_BODY_BYTES = 64 * 1024
"""A longer body is remembered by its hash."""


class Accepted:
    """Bodies that the scenario's own check has found right; bounded, the first ones stay."""

    __slots__ = ("_bodies", "_bytes", "_latest")

    def __init__(self) -> None:
        self._latest: bytes | None = None
        self._bodies: set[bytes] = set()
        self._bytes = 0

    def __contains__(self, body: bytes | bytearray) -> bool:
        """By length and bytes."""
        return body == self._latest or (bool(self._bodies) and _key(body) in self._bodies)

    def add(self, body: bytes | bytearray) -> None:
        self._latest, key = bytes(body), _key(body)
        if len(self._bodies) < MAX_BODIES and self._bytes + len(key) <= MAX_BYTES:
            self._bodies.add(key)
            self._bytes += len(key)


def _key(body: bytes | bytearray) -> bytes:
    # A hash has a length of its own: no body that is kept as it is can be taken for one.
    if len(body) <= MAX_BODY_BYTES:
        return b"=" + body
    return b"#" + sha256(body).digest()


class Checker:
    """Says of every answer to one kind of request how it is to be recorded."""

    __slots__ = ("_accepted", "_always", "_status", "bodyless", "needs_values", "request")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.bodyless, self._status = request.bodyless, request.status
        expect = request.expect
        self.needs_values = isinstance(expect, Expectation) and bool(names(expect))
        # A body alone does not tell whether the headers were right, nor for which row it was.
        self._always = self.needs_values or (isinstance(expect, Expectation) and bool(expect.headers))
        self._accepted = Accepted()

    def outcome(self, response: Parser, values: Values = NO_VALUES) -> int:
        """RIGHT, or else the HTTP status, TIMED_OUT, REFUSED, DISCONNECTED or WRONG_BODY."""
        status, wanted = response.status, self._status
        if status == wanted and not self._always and response.body in self._accepted:
            return RIGHT
        if status < 0:
            return status
        if self.request.problem(whole_answer(response), values) is None:
            if not self._always:
                self._accepted.add(response.body)
            return RIGHT
        # A status that was not expected must not look like a right answer.
        return WRONG_BODY if status in (wanted, RIGHT) else status
