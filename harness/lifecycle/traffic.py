"""Requests that are under way while something is done to a server, and how they ended."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from threading import Event, Thread
from typing import Self

from harness.adapters.raw_client import Connection, Fate, RawClient, Reply
from harness.experiments import Observation
from harness.lifecycle.probe import observation

FAULTS = {"TARGET_FAULTS": "true"}
"""Environment of a server that serves the endpoints below."""
JOIN_S = 30.0
MAX_REQUESTS = 2_000
"""A bound on what one stream may send."""
CLOSE = {"connection": "close"}


def wait_path(seconds: float) -> str:
    """A POST that takes so long, without keeping the worker busy."""
    return f"/faults/wait?ms={seconds * 1000:.0f}"


def lost(replies: Iterable[Reply]) -> int:
    """Requests that were not answered with 200."""
    return sum(not reply.ok for reply in replies)


def fates(replies: Iterable[Reply]) -> str:
    """How they ended, for example "answered 57, reset 3"."""
    words = Counter(_fate(reply) for reply in replies)
    return ", ".join(f"{word} {count}" for word, count in sorted(words.items())) or "none"


def counted(probe: str, subject: str, quantity: str, repeats: Sequence[Sequence[Reply]]) -> Observation:
    """What was lost of the requests of each repeat, with the fate of all in the note."""
    every = [reply for replies in repeats for reply in replies]
    losses = [lost(replies) for replies in repeats]
    return observation(probe, subject, quantity, "count", losses, of=len(every), note=fates(every))


def _fate(reply: Reply) -> str:
    return f"status {reply.status}" if reply.fate is Fate.ANSWERED and not reply.ok else reply.fate


def replies_of(connections: Sequence[Connection], within_s: float) -> list[Reply]:
    """What came of the request on each, all within one bound."""
    deadline_s = time.monotonic() + within_s
    replies = []
    for connection in connections:
        with connection:
            replies.append(connection.reply(max(0.0, deadline_s - time.monotonic())))
    return replies


class _Stream:
    """A thread that does something at a steady pace for as long as the block lasts."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._stop = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(JOIN_S)

    def _run(self) -> None:
        for _ in range(MAX_REQUESTS):
            self._once()
            if self._stop.wait(self._every_s):
                return

    def _once(self) -> None:
        raise NotImplementedError


class NewConnections(_Stream):
    """Clients that come by once: a numbered request each, on a connection of its own."""

    def __init__(self, client: RawClient, path: str, *, every_s: float) -> None:
        super().__init__(every_s)
        self._client, self._path = client, path
        self._connections: list[Connection] = []

    def replies(self, within_s: float) -> list[Reply]:
        """What came of them, once the block has ended."""
        return replies_of(self._connections, within_s)

    def _once(self) -> None:
        # They say that they will not come back: a connection left open would hold up a graceful end.
        self._connections.append(self._client.sent(self._path, headers=CLOSE))


class KeepAliveClient(_Stream):
    """A client that sends one request after another on its connection, as a pool does.

    It looks before it sends whether the server has ended the connection, and then takes a new one.
    """

    def __init__(self, client: RawClient, path: str, *, every_s: float, within_s: float) -> None:
        super().__init__(every_s)
        self._client, self._path, self._within_s = client, path, within_s
        self._connection = client.open()
        self.replies: list[Reply] = []
        self.closed = 0
        """How often the connection was ended under it, between two requests."""

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._connection.close()

    def _once(self) -> None:
        if self._connection.ended:
            self.closed += 1
            self._renew()
        self._client.send(self._connection, self._path)
        reply = self._connection.reply(self._within_s)
        self.replies.append(reply)
        if reply.fate is not Fate.ANSWERED or reply.headers.get("connection", "").lower() == "close":
            self._renew()

    def _renew(self) -> None:
        self._connection.close()
        self._connection = self._client.open()
