"""Requests that are under way while something is done to a server, and how they ended."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

from studies.lifecycle.probe import observation
from studies.lifecycle.raw_client import Connection, Fate, RawClient, Reply
from studies.observations import Observation

FAULTS = {"TARGET_FAULTS": "true"}
"""Environment of a server that serves the endpoints that these requests need."""
MAX_REQUESTS = 2_000
"""A bound on what one stream may send."""


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


def counted(probe: str, target: str, quantity: str, repeats: Sequence[Sequence[Reply]]) -> Observation:
    """What was lost of the requests of each repeat, with the fate of all in the note; None of no request."""
    every = [reply for replies in repeats for reply in replies]
    losses = [lost(replies) if replies else None for replies in repeats]
    return observation(probe, target, quantity, "count", losses, of=len(every), note=fates(every))


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


@contextmanager
def steadily(action: Callable[[], None], every_s: float) -> Iterator[None]:
    """Do something at a steady pace next to the block. What it raises, the end of the block raises."""
    over = Event()

    def run() -> None:
        for _ in range(MAX_REQUESTS):
            action()
            if over.wait(every_s):
                return

    with ThreadPoolExecutor(1) as background:
        running = background.submit(run)
        try:
            yield
        finally:
            over.set()
        running.result()


@contextmanager
def visitors(client: RawClient, path: str, *, every_s: float) -> Iterator[list[Connection]]:
    """Clients that come by once, each with a numbered request on a connection of its own."""
    connections: list[Connection] = []
    # They say that they will not come back: a connection left open would hold up a graceful end.
    with steadily(lambda: connections.append(client.sent(path, headers={"connection": "close"})), every_s):
        yield connections


class Regular:
    """A client that sends one request after another on its connection, as a pool does.

    It looks before it sends whether the server has ended the connection, and then takes a new one.
    """

    def __init__(self, client: RawClient, path: str, *, within_s: float) -> None:
        self._client, self._path, self._within_s = client, path, within_s
        self._connection = client.open()
        self.replies: list[Reply] = []
        self.closed = 0
        """How often the connection was ended under it, between two requests."""

    def request(self) -> None:
        """Send the next request and wait for what comes of it."""
        if self._connection.ended:
            self.closed += 1
            self._renew()
        self._client.send(self._connection, self._path)
        reply = self._connection.reply(self._within_s)
        self.replies.append(reply)
        if reply.fate is not Fate.ANSWERED or reply.headers.get("connection", "").lower() == "close":
            self._renew()

    def leave(self) -> None:
        self._connection.close()

    def _renew(self) -> None:
        self._connection.close()
        self._connection = self._client.open()
