"""The load kit's own workload: requests that are known beforehand, as prepared bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from scenarios.loadkit.before import kept_by_clients, kept_by_one
from scenarios.loadkit.client import SendOnceClient
from scenarios.loadkit.drive import drive
from scenarios.loadkit.errors import Untrusted, WrongResponse
from scenarios.loadkit.prepare import Budget, Outgoing, Prepared, first_values, whole
from scenarios.loadkit.request import Request
from scenarios.loadkit.result import LoadResult, Progress
from scenarios.loadkit.template import Values
from scenarios.loadkit.user import LeanUser, mix, prepared
from wire.loads import ClosedLoad, Drive


class LeanWorkload:
    """Structurally a `Workload`. Of an open loop one client takes the steps before, for the whole process."""

    def __init__(self, user: type[LeanUser]) -> None:
        self._user = user
        self._kept: list[dict[str, Any]] | None = None
        self._prepared: tuple[str, list[Prepared], Budget] | None = None

    @property
    def kinds(self) -> int:
        return len(self._user.requests) + bool(self._user.beside)

    def first_problem(self, base_url: str, *, timeout_s: float) -> WrongResponse | None:
        """Raises Untrusted."""
        try:
            return next(self._problems(self._user.requests[:1], base_url, timeout_s=timeout_s), None)
        except Untrusted:
            raise
        except WrongResponse as failed_step:
            return failed_step

    def verify(self, base_url: str, *, timeout_s: float) -> int:
        beside = (self._user.beside,) if self._user.beside else ()
        requests = (*self._user.requests, *beside)
        if problems := tuple(map(str, self._problems(requests, base_url, timeout_s=timeout_s))):
            raise WrongResponse("; ".join(problems))
        return self.kinds

    def prepare(self, base_url: str, *, clients: int, timeout_s: float) -> None:
        self._kept = kept_by_clients(self._user.before, base_url, clients=clients, timeout_s=timeout_s)

    def drive(self, spec: Drive, *, base_url: str, progress: Progress) -> LoadResult:
        clients = spec.load.clients if isinstance(spec.load, ClosedLoad) else 1
        if self._kept is None or len(self._kept) != clients:
            self.prepare(base_url, clients=clients, timeout_s=spec.request_timeout_s)
        kept, self._kept = self._kept or [], None
        mixes = self._mixes(base_url, kept, seed=spec.seed)
        return drive(self._user, spec, base_url=base_url, mixes=mixes, progress=progress)

    def _problems(
        self, requests: Sequence[Request], base_url: str, *, timeout_s: float
    ) -> Iterator[WrongResponse]:
        """What is wrong with the answers to these, each sent once, with the first row of its data."""
        kept = kept_by_one(self._user.before, base_url, timeout_s=timeout_s)
        client = SendOnceClient.to(base_url, timeout_s=timeout_s)
        try:
            for request in requests:
                values = first_values(request, kept)
                answer = client.fetch(whole(request, client, values), bodyless=request.bodyless)
                if problem := request.problem(answer, values):
                    yield WrongResponse(problem, status=answer.status)
        finally:
            client.close()

    def _mixes(self, base_url: str, kept: Sequence[Values], *, seed: int) -> list[list[Outgoing]]:
        """What each client sends in turn; the same for all where nothing depends on what they keep."""
        if self._prepared is None or self._prepared[0] != base_url:
            client, budget = SendOnceClient.to(base_url, timeout_s=1.0), Budget()
            self._prepared = base_url, prepared(self._user, client, budget), budget
        _, kinds, shared = self._prepared
        if not any(kind.of_clients for kind in kinds):
            return [mix([kind.outgoing({}, shared) for kind in kinds], seed=seed)] * len(kept)
        budget = Budget(shared.left)
        return [mix([kind.outgoing(values, budget) for kind in kinds], seed=seed) for values in kept]
