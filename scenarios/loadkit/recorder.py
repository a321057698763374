"""One slot per request: when it was meant to go, when it went, when it was answered and how."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from math import nan

import numpy as np
from numpy.typing import NDArray

from scenarios.loadkit.answer import RIGHT
from scenarios.loadkit.window import Span
from wire.messages import (
    DISCONNECTED,
    DROPPED,
    PORTLESS,
    RAISED,
    REFUSED,
    TIMED_OUT,
    UNDRAINED,
    WRONG_BODY,
    Totals,
)

_BROKEN = (DISCONNECTED, REFUSED, PORTLESS, RAISED)
_UNANSWERED = frozenset({TIMED_OUT, *_BROKEN})


class Recorder:
    """Growing arrays of machine numbers: an append costs 30 ns and the garbage collector never sees them.

    A slot's status is its state: DROPPED until it is sent, UNDRAINED until it is finished, so a request
    that is given up at any point is already counted as what it is.
    """

    def __init__(self, intended_s: Iterable[float] = ()) -> None:
        self.intended_s = array("d", intended_s)
        slots = len(self.intended_s)
        self.sent_s = array("d", [nan]) * slots
        self.finished_s = array("d", [nan]) * slots
        self.status = array("h", [DROPPED]) * slots
        self.answered = 0

    def add(self, now_s: float) -> int:
        """A new slot for a request that is sent now. Returns its index."""
        self.intended_s.append(now_s)
        self.sent_s.append(now_s)
        self.finished_s.append(nan)
        self.status.append(UNDRAINED)
        return len(self.status) - 1

    def send(self, slot: int, now_s: float) -> None:
        """A scheduled slot is sent now."""
        self.sent_s[slot] = now_s
        self.status[slot] = UNDRAINED

    def finish(self, slot: int, now_s: float, status: int) -> None:
        """The request ended. `finished_s` stays NaN where no whole answer came back."""
        self.status[slot] = status
        if status not in _UNANSWERED:
            self.finished_s[slot] = now_s
            self.answered += 1

    def totals(self, first_id: int) -> Totals:
        """Counts over all slots; slot i carried the id first_id + i."""
        status = np.array(self.status, dtype=np.int16)
        answered = (status > 0) | (status == WRONG_BODY)
        ids = np.uint64(first_id) + np.flatnonzero(answered).astype(np.uint64)
        latencies_s = np.array(self.finished_s) - np.array(self.sent_s)
        counts = {
            code: int(np.count_nonzero(status == code)) for code in (RIGHT, TIMED_OUT, DROPPED, UNDRAINED)
        }
        return Totals(
            scheduled=len(status),
            ok=counts[RIGHT],
            failed=int(np.count_nonzero((answered & (status != RIGHT)) | np.isin(status, _BROKEN))),
            timed_out=counts[TIMED_OUT],
            dropped=counts[DROPPED],
            undrained=counts[UNDRAINED],
            id_sum=int(ids.sum(dtype=np.uint64)),
            id_xor=int(np.bitwise_xor.reduce(ids)),
            in_flight_s=float(latencies_s[answered].sum()),
            wrong_bodies=int(np.count_nonzero(status == WRONG_BODY)),
        )

    def measured(self, spans: Sequence[Span]) -> dict[str, NDArray[np.float64] | NDArray[np.int16]]:
        """The slots meant to go or ended in what is measured of the spans, as arrays of shape (n,).

        Latency is of those meant to go in it, throughput of those that ended in it. With the first kind
        alone, every client's last request would be missing from the throughput.

        For each span, shape (spans,): what is measured of it, and how many answers it got in all, ramp and
        drain included.
        """
        intended_s, finished_s = np.array(self.intended_s), np.array(self.finished_s)
        starts_s = np.array([span.start_s for span in spans])
        measured_s = np.array([span.measure_s for span in spans])
        ends_s = np.array([span.end_s for span in spans])

        def within(times_s: NDArray[np.float64]) -> NDArray[np.bool_]:
            # What has no time compares as false.
            last = np.searchsorted(measured_s, times_s, side="right") - 1
            found: NDArray[np.bool_] = (last >= 0) & (times_s < ends_s[last])
            return found

        inside = within(intended_s) | within(finished_s)
        answered_s = finished_s[~np.isnan(finished_s)]
        return {
            "span_start_s": measured_s,
            "span_end_s": ends_s,
            "span_answered": np.histogram(answered_s, [*starts_s, np.inf])[0].astype(np.float64),
            "intended_s": intended_s[inside],
            "sent_s": np.array(self.sent_s)[inside],
            "finished_s": finished_s[inside],
            "status": np.array(self.status, dtype=np.int16)[inside],
        }
