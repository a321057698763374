"""The real monotonic clock."""

from __future__ import annotations

import time


class SystemClock:
    """CLOCK_MONOTONIC: durations do not change when the wall clock is set."""

    def monotonic(self) -> float:
        return time.monotonic()

    def suspended_s(self) -> float:
        """How long this machine has been suspended since it was started, in seconds.

        CLOCK_BOOTTIME goes on meanwhile, CLOCK_MONOTONIC does not (clock_gettime(2)).
        """
        return time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
