"""The Locust user that scenario files subclass."""

from __future__ import annotations

import random
from itertools import count
from time import perf_counter
from typing import ClassVar

from locust import User, task

from scenarios.loadkit.client import OK, WRONG_BODY, SendOnceClient
from scenarios.loadkit.request import Request

CHECK_EVERY = 64
"""The body is checked on the first request and on every 64th: enough to see a server that starts
to answer wrongly, and too few to slow the generator."""

MIX_LENGTH = 4093
"""A prime, so that the checked requests wander over the whole mix instead of meeting the same ones."""


def mix(requests: tuple[Request, ...], *, seed: int) -> list[Request]:
    """A cycle of requests in proportion to their weights, in a seeded random order."""
    weights = [request.weight for request in requests]
    return random.Random(seed).choices(requests, weights, k=MIX_LENGTH)


class WrongAnswer(Exception):
    """Shown among the failures of Locust's own statistics."""


class LeanUser(User):
    """Sends the requests of its class; one connection unless told otherwise.

    As a plain Locust user it reports to Locust's statistics. The load kit's loops replace its tasks and
    call `attempt` themselves, because Locust's bookkeeping costs more than the request it counts.
    """

    abstract = True
    requests: ClassVar[tuple[Request, ...]] = ()
    beside: ClassVar[Request | None] = None
    """What a client beside the load sends over and over, neither counted nor measured: a neighbour whose
    effect on `requests` is to be seen. One for each generator process; none under plain Locust."""
    request_timeout_s: ClassVar[float] = 10.0
    connections: ClassVar[int] = 1
    seed: ClassVar[int] = 1
    _ids = count(1)

    def __init__(self, environment: object) -> None:
        super().__init__(environment)
        if not self.host:
            raise ValueError("no server to talk to: add --host http://127.0.0.1:PORT")
        self.client = SendOnceClient.to(
            self.host, timeout_s=self.request_timeout_s, connections=self.connections
        )
        heads = {
            request: self.client.request_head(request.path, request.headers) + b"x-harness-id: "
            for request in self.requests
        }
        self._mix = [(heads[request], request) for request in mix(self.requests, seed=self.seed)]

    def attempt(self, request_id: int, *, checked: bool) -> int:
        """Send the request that is due under this id. HTTP status, TIMED_OUT, DISCONNECTED or WRONG_BODY."""
        head, request = self._mix[request_id % MIX_LENGTH]
        data = b"%b%d\r\n\r\n" % (head, request_id)
        if not checked:
            return self.client.send(data)
        answer = self.client.fetch(data)
        wrong = answer.status == OK and request.problem(answer)
        return WRONG_BODY if wrong else answer.status

    @task
    def report_one(self) -> None:
        """One request for Locust's own statistics, checked in full."""
        request_id = next(self._ids)
        head, request = self._mix[request_id % MIX_LENGTH]
        started_s = perf_counter()
        answer = self.client.fetch(b"%b%d\r\n\r\n" % (head, request_id))
        elapsed_ms = (perf_counter() - started_s) * 1e3
        problem = request.problem(answer)
        self.environment.events.request.fire(
            request_type="GET",
            name=request.path,
            response_time=elapsed_ms,
            response_length=len(answer.body),
            exception=WrongAnswer(problem) if problem else None,
            context={},
        )

    def on_stop(self) -> None:
        self.client.close()
