"""When a load runs, and which part of it is measured."""

from __future__ import annotations

from dataclasses import dataclass

from scenarios.loadkit.errors import TooLate
from wire.loads import Drive

LEAD_S = 0.1
"""From now to the first request: time to make the schedule and the users, so that no arrival starts late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """CLOCK_MONOTONIC seconds: load from start_s, measured in [measure_s, end_s)."""

    start_s: float
    measure_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """The spans of one load, in order, then its drain until deadline_s. A whole trial has one span."""

    spans: tuple[Span, ...]
    deadline_s: float
    rest_until_s: float
    """Until then others are at work."""

    @property
    def start_s(self) -> float:
        return self.spans[0].start_s

    @property
    def end_s(self) -> float:
        return self.spans[-1].end_s


def timetable_of(spec: Drive, *, now_s: float) -> Timetable:
    """Raises TooLate where its turns have begun already: later ones would be those of others."""
    start_s = max(now_s + LEAD_S, spec.start_at_s or 0.0)
    if len(spec.spans_s) > 1 and spec.start_at_s is not None and start_s > spec.start_at_s:
        lead_s = spec.start_at_s - now_s
        raise TooLate(
            f"told of its turns {lead_s:.2f} s before the first one ({LEAD_S:g} s are needed): "
            f"the generator's cores were too busy"
        )
    spans = tuple(
        Span(start_s=start_s + begin_s, measure_s=start_s + begin_s + spec.ramp_s, end_s=start_s + end_s)
        for begin_s, end_s in spec.spans_s
    )
    return Timetable(
        spans=spans,
        deadline_s=spans[-1].end_s + spec.drain_s,
        rest_until_s=start_s + spec.rest_until_s,
    )
