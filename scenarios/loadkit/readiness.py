"""Asking the server under test whether it is ready, and what it is."""

from __future__ import annotations

import json
from time import monotonic
from typing import Any

import gevent

from scenarios.loadkit.client import OK, Answer, SendOnceClient
from scenarios.loadkit.errors import CannotServe, NotReady, WrongResponse

PROBE_PATH = "/.harness/probe"
POLL_S = 0.02
PROBE_TIMEOUT_S = 2.0
INTERNAL_ERROR = 500
BREAKS_FOR_S = 2.0


def wait_ready(base_url: str, *, workers: int, timeout_s: float) -> dict[str, Any]:
    """The probe's report, once /health/ready gives 200 and the probe lists `workers` workers.

    A worker tells of itself before its server listens. Behind a proxy, which may pass the next request to
    any of them, there must be as many probes in a row as workers.

    Raises NotReady, saying what was still missing; CannotServe for a server that has only broken on
    requests for a while. (The app itself says 503 while it is not ready.)
    """
    deadline_s = monotonic() + timeout_s
    breaks_since_s: float | None = None
    while True:
        now_s = monotonic()
        patience_s = min(PROBE_TIMEOUT_S, max(POLL_S, deadline_s - now_s))
        ready = _get(base_url, "/health/ready", patience_s)
        missing, report = _look(ready, base_url, workers, timeout_s=patience_s)
        if report is not None:
            return report
        if ready.status != INTERNAL_ERROR:
            breaks_since_s = None
        elif breaks_since_s is None:
            breaks_since_s = now_s
        elif now_s - breaks_since_s >= BREAKS_FOR_S:
            raise CannotServe(
                f"cannot serve this app: for {BREAKS_FOR_S:g} s every GET /health/ready was answered with "
                f"status {INTERNAL_ERROR}"
            )
        if monotonic() >= deadline_s:
            raise NotReady(f"{base_url} not ready within {timeout_s:g} s: {missing}")
        gevent.sleep(POLL_S)


def probe(base_url: str, *, timeout_s: float = PROBE_TIMEOUT_S) -> dict[str, Any]:
    """The probe's report, with the TLS of the connection it came over.

    Raises WrongResponse when there is none.
    """
    client = SendOnceClient.to(base_url, timeout_s=timeout_s)
    try:
        answer = client.fetch(client.request_head(PROBE_PATH) + b"\r\n")
        if answer.status != OK:
            raise WrongResponse(f"GET {PROBE_PATH}: {answer} instead of status {OK}")
        return {**_report(answer), "tls": client.agreed_tls()}
    finally:
        client.close()


def _report(answer: Answer) -> dict[str, Any]:
    try:
        report = json.loads(answer.body)
    except ValueError:
        report = None
    if not isinstance(report, dict) or not isinstance(report.get("workers"), list):
        raise WrongResponse(f"GET {PROBE_PATH}: no list of workers in {answer.body[:200]!r}")
    return report


def _look(
    ready: Answer, base_url: str, workers: int, *, timeout_s: float
) -> tuple[str, dict[str, Any] | None]:
    """What is still missing, or the report."""
    if ready.status != OK:
        return f"GET /health/ready: {ready}", None
    try:
        report = probe(base_url, timeout_s=timeout_s)
        seen = len(report["workers"])
        if seen < workers:
            return f"{seen} of {workers} workers seen", None
        # A proxy takes the next server for each new connection, and says 502 for one that does not listen.
        for _ in range(seen if report.get("front") else 0):
            probe(base_url, timeout_s=timeout_s)
    except WrongResponse as error:
        return str(error), None
    return "", report


def _get(base_url: str, path: str, timeout_s: float) -> Answer:
    client = SendOnceClient.to(base_url, timeout_s=timeout_s)
    try:
        return client.fetch(client.request_head(path) + b"\r\n")
    finally:
        client.close()
