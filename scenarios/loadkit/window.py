"""When a load starts, is measured, and ends."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """CLOCK_MONOTONIC seconds: warm-up from start_s, measurement in [measure_s, end_s), then drain."""

    start_s: float
    measure_s: float
    end_s: float
    deadline_s: float
