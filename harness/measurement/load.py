"""The raw record of one load: one entry per request, kept as arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wire.messages import Totals


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRecord(Totals):
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
    """Share of its core that each generator process used, for each second of the window, or each slice."""
    span_start_s: NDArray[np.float64] | None = None
    span_end_s: NDArray[np.float64] | None = None
    """What was measured of the window, shape (spans,): all of it in one span, or in slices with the load of
    others between them. None in old records: all of it."""
    span_answered: NDArray[np.float64] | None = None
    """Answers in each span as a whole, its beginning and its drain included."""

    @property
    def spans_s(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Where what was measured starts and ends; two arrays of shape (spans,)."""
        if self.span_start_s is None or self.span_end_s is None:
            return np.array([self.window_start_s]), np.array([self.window_end_s])
        return self.span_start_s, self.span_end_s

    @property
    def sliced(self) -> bool:
        return self.spans_s[0].size > 1

    @property
    def measured_s(self) -> float:
        """How long was measured, all spans together."""
        starts_s, ends_s = self.spans_s
        return float((ends_s - starts_s).sum())

    def within(self, times_s: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of the times, shape (n,), lie in what was measured; NaN does not."""
        starts_s, ends_s = self.spans_s
        last = np.searchsorted(starts_s, times_s, side="right") - 1
        found: NDArray[np.bool_] = (last >= 0) & (times_s < ends_s[last])
        return found

    def only(self, kept: NDArray[np.bool_]) -> LoadRecord:
        """The same load as if only these of its spans, shape (spans,), had been measured. The totals stay."""
        starts_s, ends_s = self.spans_s
        part = replace(
            self,
            span_start_s=starts_s[kept],
            span_end_s=ends_s[kept],
            span_answered=None if self.span_answered is None else self.span_answered[kept],
            generator_cpu_share=self.generator_cpu_share[..., kept],
        )
        chosen = part.within(self.intended_s) | part.within(self.finished_s)
        return replace(
            part,
            intended_s=self.intended_s[chosen],
            sent_s=self.sent_s[chosen],
            finished_s=self.finished_s[chosen],
            status=self.status[chosen],
        )

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
            wrong_bodies=later.wrong_bodies,
            exchanges=later.exchanges,
            exchanges_sent=later.exchanges_sent,
        )
