"""The Locust user that scenario files subclass."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import count
from time import perf_counter
from typing import ClassVar

from locust import User, task

from scenarios.loadkit.accepted import Checker
from scenarios.loadkit.before import kept_by_one
from scenarios.loadkit.client import SendOnceClient
from scenarios.loadkit.prepare import Budget, Outgoing, Prepared
from scenarios.loadkit.request import Request
from scenarios.loadkit.template import Values

MIX_LENGTH = 4093
"""A prime, so that clients that take turns wander over the whole mix instead of meeting the same ones."""


def mix(outgoing: Sequence[Outgoing], *, seed: int) -> list[Outgoing]:
    """A cycle of requests in proportion to their weights, in a seeded random order."""
    weights = [each.checker.request.weight for each in outgoing]
    return random.Random(seed).choices(outgoing, weights, k=MIX_LENGTH)


def prepared(user: type[LeanUser] | LeanUser, client: SendOnceClient, budget: Budget) -> list[Prepared]:
    """One for each kind of request of a user. Raises BadRequest."""
    kept = frozenset(name for step in user.before for name in step.keep)
    return [Prepared(request, client, kept=kept, budget=budget) for request in user.requests]


class WrongAnswer(Exception):
    """Shown among the failures of Locust's own statistics."""


class LeanUser(User):
    """Sends the requests of its class; one connection unless told otherwise.

    As a plain Locust user it reports to Locust's statistics. The load kit's loops replace its tasks and
    call `attempt` themselves, because Locust's bookkeeping costs more than the request it counts.
    """

    abstract = True
    requests: ClassVar[tuple[Request, ...]] = ()
    before: ClassVar[tuple[Request, ...]] = ()
    """Steps that each client takes once, before its first request; neither counted nor measured. In an open
    loop there is one client, whatever the number of its connections."""
    beside: ClassVar[Request | None] = None
    """What a client next to the load sends over and over, neither counted nor measured: a neighbour whose
    effect on `requests` is to be seen. One for each generator process; none under plain Locust."""
    request_timeout_s: ClassVar[float] = 10.0
    connections: ClassVar[int] = 1
    mixes: ClassVar[Iterator[list[Outgoing]] | None] = None
    """What each user sends in turn, made before the load; under plain Locust each user makes its own."""
    _ids = count(1)

    def __init__(self, environment: object) -> None:
        super().__init__(environment)
        if not self.host:
            raise ValueError("no server to talk to: add --host http://127.0.0.1:PORT")
        self.client = SendOnceClient.to(
            self.host, timeout_s=self.request_timeout_s, connections=self.connections
        )
        self._mix = next(self.mixes) if self.mixes else self._own_mix()

    def _own_mix(self) -> list[Outgoing]:
        kept = kept_by_one(self.before, str(self.host), timeout_s=self.request_timeout_s)
        budget = Budget()
        return mix([each.outgoing(kept, budget) for each in prepared(self, self.client, budget)], seed=1)

    def due(self, request_id: int) -> tuple[bytes, Values, Checker]:
        """What is to be sent under this id, the values in it, and who looks at the answer."""
        outgoing = self._mix[request_id % MIX_LENGTH]
        return *outgoing.next(request_id), outgoing.checker

    def attempt(self, request_id: int) -> int:
        """Send the request that is due under this id. RIGHT, HTTP status, or an outcome without an answer."""
        data, values, checker = self.due(request_id)
        return checker.outcome(self.client.exchange(data, bodyless=checker.bodyless), values)

    @task
    def report_one(self) -> None:
        """One request for Locust's own statistics, checked in full."""
        request_id = next(self._ids)
        outgoing = self._mix[request_id % MIX_LENGTH]
        data, values = outgoing.next(request_id)
        request = outgoing.checker.request
        started_s = perf_counter()
        answer = self.client.fetch(data, bodyless=request.bodyless)
        elapsed_ms = (perf_counter() - started_s) * 1e3
        problem = request.problem(answer, values)
        self.environment.events.request.fire(
            request_type=request.method,
            name=request.path,
            response_time=elapsed_ms,
            response_length=len(answer.body),
            exception=WrongAnswer(problem) if problem else None,
            context={},
        )

    def on_stop(self) -> None:
        self.client.close()
