"""Fault scenarios again and again, some of them side by side; what it took is observed too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from harness.errors import TrialError, VariantError
from studies.lifecycle.probe import observation
from studies.observations import FAILED_ATTEMPTS, Observation

ATTEMPTS = 3
T = TypeVar("T")


class Repeats:
    """Remembers why attempts failed."""

    def __init__(self) -> None:
        self._failed: list[str] = []

    def of(self, scenario: Callable[[], T], *, times: int, side_by_side: int) -> list[T]:
        """What comes of a scenario, `times` times.

        One that fails is begun again, from a fresh start. Raises TrialError when it never succeeds.
        """
        pool = ThreadPoolExecutor(side_by_side)
        try:
            return [future.result() for future in [pool.submit(self._once, scenario) for _ in range(times)]]
        finally:
            pool.shutdown(cancel_futures=True)

    def failed_attempts(self, probe: str, target: str) -> Observation:
        """How many repeats were made again since the last call: a figure is to show what it took."""
        reasons, self._failed = self._failed, []
        note = "; ".join(f"{times} x {reason}" for reason, times in Counter(reasons).items())
        return observation(probe, target, FAILED_ATTEMPTS, "count", [float(len(reasons))], note=note)

    def with_attempts(self, probe: str, target: str, seen: Iterable[Observation]) -> Iterator[Observation]:
        """What is seen of a target, then what it took. Raises what keeps it from being seen."""
        try:
            yield from seen
        except (TrialError, VariantError):
            # They are of this target, and not of the next.
            self._failed = []
            raise
        yield self.failed_attempts(probe, target)

    def _once(self, scenario: Callable[[], T]) -> T:
        """Scenarios fail on the way to what they are to see, as on a busy machine, not by what they see."""
        for _ in range(ATTEMPTS - 1):
            try:
                return scenario()
            except TrialError as error:
                self._failed.append(str(error).splitlines()[0])
        return scenario()
