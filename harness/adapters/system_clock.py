"""The real monotonic clock."""

from __future__ import annotations

import time


class SystemClock:
    """CLOCK_MONOTONIC: durations do not change when the wall clock is set."""

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
