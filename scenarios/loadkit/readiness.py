"""Asking the server under test whether it is ready, and what it is."""

from __future__ import annotations

import json
from time import monotonic
from typing import Any, Protocol

import gevent

from scenarios.loadkit.answer import OK, Answer
from scenarios.loadkit.client import SendOnceClient
from scenarios.loadkit.errors import CannotServe, NotReady, WrongResponse
from scenarios.loadkit.listening import refused_hint
from wire.messages import DISCONNECTED, PROBE_PATH, REFUSED

POLL_S = 0.02
PROBE_TIMEOUT_S = 2.0
LEAST_PATIENCE_S = 0.5
"""For the last look too: what is missing is to be said, not that there was no time to look."""
FIRST_ANSWER_S = 30.0
"""For the workload's first request, which may be a slow one."""
INTERNAL_ERROR = 500
SETTLED_S = 5.0
"""A server that gave no other answers for that long is not still starting."""


class _Workload(Protocol):
    def first_problem(self, base_url: str, *, timeout_s: float) -> WrongResponse | None: ...


def wait_ready(
    base_url: str,
    *,
    ready: str | None,
    workload: _Workload | None,
    workers: int | None,
    timeout_s: float,
) -> dict[str, Any]:
    """Wait until the server can serve; the probe's report, or {} for a black box (`workers` is None).

    It can serve once `ready` gives 2xx or, without one, the workload's first request is answered as
    expected; and once the probe lists `workers` workers. A worker tells of itself before its server listens.
    Behind a proxy, which may pass the next request to any of them, there must be as many probes in a row as
    workers.

    Raises NotReady, saying what was still missing. A server is waited for no longer than SETTLED_S while it
    only gives answers that no app gives while it starts (unlike 503, or a proxy's 502): then it is
    CannotServe where `ready` is answered with 500, else WrongResponse.
    """
    deadline_s = monotonic() + timeout_s
    settled_since_s: float | None = None
    while True:
        now_s = monotonic()
        wrong = _look(base_url, ready, workload, left_s=max(LEAST_PATIENCE_S, deadline_s - now_s))
        if wrong is None:
            missing, report = _inside(
                base_url, workers, timeout_s=max(LEAST_PATIENCE_S, deadline_s - monotonic())
            )
            if report is not None:
                return report
        else:
            missing = _explained(wrong, base_url)
        if wrong is None or not 0 <= wrong.status <= INTERNAL_ERROR:
            settled_since_s = None
        elif settled_since_s is None:
            settled_since_s = now_s
        elif now_s - settled_since_s >= SETTLED_S:
            raise _settled(wrong, ready)
        if monotonic() >= deadline_s:
            raise NotReady(f"{base_url}: {missing}")
        gevent.sleep(POLL_S)


def probe(base_url: str, *, timeout_s: float = PROBE_TIMEOUT_S) -> dict[str, Any]:
    """The probe's report, with the TLS of the connection it came over.

    Raises WrongResponse when there is none.
    """
    client = SendOnceClient.to(base_url, timeout_s=timeout_s)
    try:
        answer = client.ask(PROBE_PATH)
        if answer.status != OK:
            raise WrongResponse(f"GET {PROBE_PATH}: {answer} instead of status {OK}")
        return {**_report(answer), "tls": client.agreed_tls()}
    finally:
        client.close()


def _report(answer: Answer) -> dict[str, Any]:
    try:
        report = json.loads(answer.body)
    except (ValueError, RecursionError):
        report = None
    if not isinstance(report, dict) or not isinstance(report.get("workers"), list):
        raise WrongResponse(f"GET {PROBE_PATH}: no list of workers in {answer.body[:200]!r}")
    return report


def _look(
    base_url: str, ready: str | None, workload: _Workload | None, *, left_s: float
) -> WrongResponse | None:
    """What the server still misses to serve."""
    if ready is None:
        assert workload is not None
        return workload.first_problem(base_url, timeout_s=min(FIRST_ANSWER_S, left_s))
    client = SendOnceClient.to(base_url, timeout_s=min(PROBE_TIMEOUT_S, left_s))
    try:
        answer = client.ask(ready)
    finally:
        client.close()
    if 200 <= answer.status < 300:
        return None
    to = f" to {answer.header('location')}" if 300 <= answer.status < 400 else ""
    return WrongResponse(f"GET {ready}: {answer}{to}", status=answer.status)


def _settled(wrong: WrongResponse, ready: str | None) -> CannotServe | WrongResponse:
    """What to say of a server that gives no other answer."""
    if ready is None:
        return wrong
    if wrong.status == INTERNAL_ERROR:
        return CannotServe(
            f"cannot serve this app: for {SETTLED_S:g} s every GET {ready} was answered with "
            f"status {INTERNAL_ERROR}"
        )
    return WrongResponse(f"{wrong} for {SETTLED_S:g} s: let target.ready name a path that answers 200")


def _inside(base_url: str, workers: int | None, *, timeout_s: float) -> tuple[str, dict[str, Any] | None]:
    """What is still missing, or the report."""
    if workers is None:
        return "", {}
    patience_s = min(PROBE_TIMEOUT_S, timeout_s)
    try:
        report = probe(base_url, timeout_s=patience_s)
        seen = len(report["workers"])
        if seen < workers:
            return f"{seen} of {workers} workers seen", None
        # A proxy takes the next server for each new connection, and says 502 for one that does not listen.
        for _ in range(seen if report.get("front") else 0):
            probe(base_url, timeout_s=patience_s)
    except WrongResponse as error:
        return str(error), None
    return "", report


def _explained(wrong: WrongResponse, base_url: str) -> str:
    """With the sockets that listen, where no connection could be had."""
    hint = refused_hint(base_url) if wrong.status in (DISCONNECTED, REFUSED) else ""
    return f"{wrong}; {hint}" if hint else str(wrong)
