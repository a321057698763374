"""When a load runs, and which part of it is measured."""

from __future__ import annotations

from dataclasses import dataclass


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

    @property
    def start_s(self) -> float:
        return self.spans[0].start_s

    @property
    def end_s(self) -> float:
        return self.spans[-1].end_s
