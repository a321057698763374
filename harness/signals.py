"""The frozen nouns of what limits a server: what its workers tell, and what that comes to over a trial."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSignals:
    """One worker's insides as a probe saw them. All but `at_s` and `thread_limit` grow from its start.

    The event loop and the thread pool are looked at at regular times, while the worker serves.
    """

    at_s: float
    """CLOCK_MONOTONIC, seconds."""
    cpu_s: float
    samples: int
    """Looks at the event loop and the thread pool."""
    lag_s: float
    """How late timers fired, summed over the looks."""
    stalled_s: float
    """The part of `lag_s` in lags above 50 ms."""
    lag_max_s: float
    """The longest lag since the start."""
    thread_limit: int
    """The size of the thread pool; 0 when the worker has none."""
    threads_busy: int
    threads_waiting: int
    """Threads in use and calls that waited for one, each summed over the looks."""
    in_flight_s: float | None = None
    """Requests inside the app, integrated over time; None when the worker does not count them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerUse:
    """What one worker did during a load. Means are over the looks; None where it was never seen serving."""

    request_share: float
    """Of all requests that the workers took on."""
    cpu_cores: float
    lag_mean_s: float | None
    lag_worst_s: float | None
    """At most this: lags from before the load count when none was longer during it."""
    stalled_share: float | None
    """Share of the time between the probes in which the loop was seen blocked for more than 50 ms."""
    threads_busy: float | None
    threads_waiting: float | None
    thread_limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialSignals:
    """What limits a server, from two probes and the client's record: the raw material of the bottleneck."""

    workers: tuple[WorkerUse, ...]
    """Most requests first; empty where the workers tell nothing."""
    in_flight_server: float | None
    """Requests inside the app, the mean between the probes; None when not reported."""
    in_flight_client: float | None
    """Requests sent and not yet answered, the mean over the same time."""

    @property
    def inside_share(self) -> float | None:
        """The share of the client's latency that was spent inside the app; the rest was before or after it.

        By Little's law the mean numbers in flight relate as the mean times.
        """
        if self.in_flight_server is None or not self.in_flight_client:
            return None
        return self.in_flight_server / self.in_flight_client
