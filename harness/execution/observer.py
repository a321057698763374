"""Reads a deployment's resources once a second while it is under load."""

from __future__ import annotations

import math
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from harness.deployment import ResourceReading
from harness.errors import DeploymentDied
from harness.ports import Clock, Deployment


def next_tick(tick: int, elapsed_s: float, *, period_s: float) -> tuple[int, float]:
    """The next multiple of the period that is still to come, and the seconds until then."""
    tick = max(tick + 1, math.ceil(elapsed_s / period_s))
    return tick, max(0.0, tick * period_s - elapsed_s)


class Observer:
    """A context manager that collects `readings` from just before its body to just after.

    Readings are due at whole periods after the first, so that a slow one does not push the others
    back; those that could not be taken in time are left out, not made up in a burst. A deployment
    that ends stops the observer, which says so in `ended_early`. Any other failure of a reading is
    raised on the way out, or noted on the exception that the body itself raised.
    """

    _observation: Future[None]

    def __init__(self, deployment: Deployment, clock: Clock, *, period_s: float = 1.0) -> None:
        self._deployment, self._clock, self._period_s = deployment, clock, period_s
        self._stop = threading.Event()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="observer")
        self.readings: list[ResourceReading] = []
        self.ended_early = False

    def __enter__(self) -> Observer:
        self._read()
        self._observation = self._thread.submit(self._observe, self._clock.monotonic())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.shutdown()
        failure = self._observation.exception()
        if error is None:
            self._observation.result()
            self._read()
        elif failure is not None:
            error.add_note(f"The observer of resources had failed too: {failure!r}")

    def _observe(self, start_s: float) -> None:
        tick = 0
        while not self.ended_early:
            tick, wait_s = next_tick(tick, self._clock.monotonic() - start_s, period_s=self._period_s)
            if self._stop.wait(wait_s):
                return
            self._read()

    def _read(self) -> None:
        if self.ended_early:
            return
        try:
            self.readings.append(self._deployment.reading())
        except DeploymentDied:
            self.ended_early = True
