"""The raw record of one load: one entry per request, kept as arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import nan

import numpy as np
from numpy.typing import NDArray

TIMED_OUT, DISCONNECTED, WRONG_BODY, DROPPED, UNDRAINED, RAISED = -1, -2, -3, -4, -5, -6
"""Status codes of requests without a right answer; any other value is the HTTP status received.

RAISED is no request: a task of a Locust file raised an exception.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRecord:
    """Requests meant to go, or ended, in the measured window, plus totals of the whole session.

    Arrays have shape (n,). Times are CLOCK_MONOTONIC seconds; `finished_s` is NaN where nothing
    came back. Under closed load `intended_s` equals `sent_s`.
    """

    window_start_s: float
    window_end_s: float
    intended_s: NDArray[np.float64]
    sent_s: NDArray[np.float64]
    finished_s: NDArray[np.float64]
    status: NDArray[np.int16]
    generator_cpu_share: NDArray[np.float64]
    """Share of its core that each generator process used, one value per second of the window."""
    # Totals of everything sent since the generator was attached, warm-up included.
    scheduled: int
    ok: int
    failed: int
    timed_out: int
    dropped: int
    undrained: int
    id_sum: int
    id_xor: int
    """Sum (modulo 2**64) and xor of the ids of all requests that were answered."""
    in_flight_s: float = nan
    """Sum of the times from send to answer of all requests that were answered; NaN in old records."""
    exchanges: int | None = None
    """HTTP exchanges that were answered, where a request may be several (the redirects of a Locust file); the
    ids are theirs. None: each answered request is one."""
    exchanges_sent: int | None = None
    """With those that were not answered."""

    def with_totals_of(self, later: LoadRecord) -> LoadRecord:
        """This window with the totals of a later load on the same server, which include its own."""
        return replace(
            self,
            scheduled=later.scheduled,
            ok=later.ok,
            failed=later.failed,
            timed_out=later.timed_out,
            dropped=later.dropped,
            undrained=later.undrained,
            id_sum=later.id_sum,
            id_xor=later.id_xor,
            in_flight_s=later.in_flight_s,
            exchanges=later.exchanges,
            exchanges_sent=later.exchanges_sent,
        )
