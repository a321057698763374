"""Who counted what: the server's counters, as two probes saw them, and the client's record."""

from __future__ import annotations

from collections import Counter
from functools import reduce
from operator import xor

import numpy as np

from harness.deployment import ServerFacts
from harness.measurement.load import LoadRecord
from wire.messages import DISCONNECTED, DROPPED, PORTLESS, RAISED, REFUSED, TIMED_OUT, UNDRAINED, WRONG_BODY

RIGHT = 200
"""The status of a request that got the answer its scenario expects; a wrong body has a status of its own."""

BAD_GATEWAY = 502
UNAVAILABLE = 503

_KINDS = {
    TIMED_OUT: "timed out",
    DISCONNECTED: "cut off",
    REFUSED: "refused a connection",
    PORTLESS: "without a local port left",
    WRONG_BODY: "with a wrong body",
    DROPPED: "never sent",
    UNDRAINED: "undrained",
    RAISED: "raised by a task",
}


def worker_pids(facts: ServerFacts) -> tuple[int, ...]:
    """In ascending order."""
    return tuple(sorted(worker.pid for worker in facts.workers))


def served(before: ServerFacts, after: ServerFacts) -> int:
    """How many requests all workers took on between two probes."""
    return sum(w.requests for w in after.workers) - sum(w.requests for w in before.workers)


def new_workers(before: ServerFacts, after: ServerFacts) -> int:
    """How many workers of the second probe the first one had not seen."""
    return len({*worker_pids(after)} - {*worker_pids(before)})


def served_by_the_living(before: ServerFacts, after: ServerFacts) -> int:
    """What the workers of the second probe took on since the first: a replaced worker's count is gone."""
    earlier = {worker.pid: worker.requests for worker in before.workers}
    return sum(worker.requests - earlier.get(worker.pid, 0) for worker in after.workers)


def refused(load: LoadRecord) -> int:
    """How many requests were answered with 503, Service Unavailable."""
    return int(np.count_nonzero(load.status == UNAVAILABLE))


def cut_off(load: LoadRecord) -> int:
    """How many requests got no connection, or lost theirs before the answer, or a proxy's (502)."""
    return int(np.count_nonzero(np.isin(load.status, (DISCONNECTED, REFUSED, BAD_GATEWAY))))


def portless(load: LoadRecord) -> int:
    """How many requests the generator had no local port for."""
    return int(np.count_nonzero(load.status == PORTLESS))


def served_ids(before: ServerFacts, after: ServerFacts) -> tuple[int, int]:
    """Sum (modulo 2**64) and xor of the ids of these requests."""
    added = sum(w.id_sum for w in after.workers) - sum(w.id_sum for w in before.workers)
    return added % 2**64, reduce(xor, (w.id_xor for w in (*before.workers, *after.workers)), 0)


def reached(load: LoadRecord) -> tuple[int, int]:
    """At least and at most how many requests reached the server, by what the client saw."""
    if load.exchanges is not None and load.exchanges_sent is not None:
        return load.exchanges, load.exchanges_sent
    return load.ok, load.ok + load.failed + load.timed_out + load.undrained


def unanswered(load: LoadRecord) -> int:
    """At most how many requests got no HTTP response; failures before the window may be of either kind."""
    if load.exchanges is not None and load.exchanges_sent is not None:
        return load.exchanges_sent - load.exchanges
    answered_wrongly = ((load.status >= 0) & (load.status != RIGHT)) | (load.status == WRONG_BODY)
    return load.timed_out + load.undrained + load.failed - int(np.count_nonzero(answered_wrongly))


def wrong_bodies(load: LoadRecord) -> int:
    """Answers of the right status with another body than the scenario expects, ramps and warm-up included."""
    if load.wrong_bodies is not None:
        return load.wrong_bodies
    return int(np.count_nonzero(load.status == WRONG_BODY))


def wrong_by_kind(load: LoadRecord) -> str:
    """For example "3 x HTTP 500, 2 x timed out", the most frequent first."""
    wrong = load.status[load.status != RIGHT].tolist()
    kinds = Counter(_KINDS.get(status, f"HTTP {status}") for status in wrong)
    return ", ".join(f"{count} x {kind}" for kind, count in kinds.most_common()) or "nothing was sent"
