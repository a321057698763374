"""What the rules for a bottleneck look at: the medians of a cell, and the same in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median

from harness.analysis.wording import percent
from harness.model import TrialMetrics, TrialRecord, Validity
from harness.signals import WorkerUse

WAITING = 2.0
"""Requests inside the app for each core at work. By Little's law that is their time inside against their CPU
time: from here on, more than half of it is a wait."""
MOSTLY = 0.5
"""Of the latency."""
DELAYED_ACK_S = (0.038, 0.048)
"""Linux delays an ACK by at least 40 ms (TCP_DELACK_MIN), and its timer fires within a tick of up to 4 ms."""

BELIEVED = (Validity.VALID, Validity.GENERATOR_BOUND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """The medians of a cell that the rules look at."""

    word: Validity
    oom_killed: bool
    closed: bool
    cpu_cores: float = 0.0
    usable_cores: float
    server_cpus: int
    shared_cpus: int
    throttled: float = 0.0
    """Share of the quota's periods in which it ran out while the server ran."""
    throttled_s: float = 0.0
    """Seconds of throttling per second, summed over the cores."""
    generator_cpu_share: float = 0.0
    memory_bytes: float = 0.0
    memory_limit_bytes: float | None
    in_flight: float | None = None
    """Requests inside the app."""
    inside_share: float | None = None
    """Of the latency."""
    latency_p50_s: float | None = None
    workers: tuple[WorkerUse, ...] = ()

    @property
    def measured(self) -> bool:
        return self.memory_bytes > 0

    @property
    def told(self) -> bool:
        return bool(self.workers)

    @property
    def cpu_share(self) -> float:
        return self.cpu_cores / self.usable_cores

    @property
    def taken_cores(self) -> float:
        """By the load generator, of the server's; its load is split evenly, so the busiest stands for all."""
        return self.shared_cpus * self.generator_cpu_share

    @property
    def left_cores(self) -> float:
        return min(self.usable_cores, self.server_cpus - self.taken_cores)

    @property
    def memory_share(self) -> float:
        return self.memory_bytes / self.memory_limit_bytes if self.memory_limit_bytes else 0.0

    @property
    def uneven(self) -> float:
        """The largest share of requests, or of CPU, in even shares."""
        cores = sum(worker.cpu_cores for worker in self.workers) or 1.0
        shares = [max(worker.request_share, worker.cpu_cores / cores) for worker in self.workers]
        return max(shares, default=0.0) * len(shares)

    @property
    def held_back(self) -> bool:
        """What a request takes outside of the app is as long as a delayed ACK."""
        if self.latency_p50_s is None or self.inside_share is None:
            return False
        low_s, high_s = DELAYED_ACK_S
        return low_s <= self.latency_p50_s * (1 - self.inside_share) <= high_s

    @property
    def held_up_by_quota(self) -> bool:
        """A loop that stands still while the server is throttled is not blocked by anything in it."""
        stalled = max((worker.stalled_share or 0.0 for worker in self.workers), default=0.0)
        return stalled > 0 and self.throttled_s >= MOSTLY * stalled

    @property
    def waits(self) -> bool:
        """Inside the app, that is: what waits before it waits for the app, the network or the generator."""
        mostly_inside = (self.inside_share or 0.0) >= MOSTLY
        return mostly_inside and (self.in_flight or 0.0) >= WAITING * self.cpu_cores


def measured(unmeasured: Signs, records: Sequence[TrialRecord]) -> Signs:
    # In a disturbed trial every signal of the server is also one of the disturbance.
    chosen = [one for one in records if one.validity is unmeasured.word and one.validity in BELIEVED]
    metrics = [record.metrics for record in chosen if record.metrics is not None]
    if not metrics:
        return unmeasured
    signals = [record.signals for record in chosen if record.signals is not None]
    return replace(
        unmeasured,
        cpu_cores=median(one.cpu_cores for one in metrics),
        throttled=median(map(_throttled, metrics)),
        throttled_s=median(one.throttled_share for one in metrics),
        generator_cpu_share=median(one.generator_cpu_share for one in metrics),
        memory_bytes=median(one.working_set_peak_bytes for one in metrics),
        in_flight=_median([one.in_flight_server for one in signals]),
        latency_p50_s=_median([one.latency_p50_s for one in metrics]),
        inside_share=_median([one.inside_share for one in signals]),
        workers=tuple(map(_median_use, zip(*(one.workers for one in signals), strict=False))),
    )


def _throttled(metrics: TrialMetrics) -> float:
    """Runs of before the periods were counted have seconds only, summed over the cores."""
    counted = metrics.throttled_periods_share
    return min(1.0, metrics.throttled_share) if counted is None else counted


def _median_use(same_rank: tuple[WorkerUse, ...]) -> WorkerUse:
    """Of the workers that took the same place among their siblings by requests, one from each trial."""
    return WorkerUse(
        request_share=median(use.request_share for use in same_rank),
        cpu_cores=median(use.cpu_cores for use in same_rank),
        lag_mean_s=_median([use.lag_mean_s for use in same_rank]),
        lag_worst_s=_median([use.lag_worst_s for use in same_rank]),
        stalled_share=_median([use.stalled_share for use in same_rank]),
        threads_busy=_median([use.threads_busy for use in same_rank]),
        threads_waiting=_median([use.threads_waiting for use in same_rank]),
        thread_limit=same_rank[0].thread_limit,
    )


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def shown(signs: Signs) -> Iterator[tuple[str, str]]:
    """Every signal under its name, in words."""
    used = f"{signs.cpu_cores:.2f} of {signs.usable_cores:g} core{'' if signs.usable_cores <= 1 else 's'}"
    beside = f", the generator {signs.taken_cores:.2f}" if signs.left_cores < signs.usable_cores else ""
    yield "CPU", used + beside
    yield "throttled", f"{percent(signs.throttled)} of its periods"
    yield "generator", f"{percent(signs.generator_cpu_share)} of its core"
    yield "memory", _memory(signs)
    if signs.inside_share is not None:
        yield "inside the app", f"{percent(signs.inside_share)} of the latency"
    if len(signs.workers) > 1:
        first = signs.workers[0]
        share, even = percent(first.request_share), percent(1 / len(signs.workers))
        yield "busiest worker", f"{share} of the requests (even: {even}), {first.cpu_cores:.2f} cores"
    looked_at = [worker for worker in signs.workers if worker.lag_mean_s is not None]
    if looked_at:
        yield "event loop", _event_loop(max(looked_at, key=lambda worker: worker.lag_mean_s or 0.0))
        busiest = max(looked_at, key=lambda worker: worker.threads_busy or 0.0)
        if busiest.thread_limit:
            busy, waiting = busiest.threads_busy or 0.0, busiest.threads_waiting or 0.0
            yield "threads", f"{busy:.1f} of {busiest.thread_limit:g} busy, {waiting:.1f} calls waiting"


def _memory(signs: Signs) -> str:
    limit = signs.memory_limit_bytes
    of_limit = "" if limit is None else f" of {limit / 2**20:.0f}"
    return f"{signs.memory_bytes / 2**20:.0f}{of_limit} MiB"


def _event_loop(worker: WorkerUse) -> str:
    lag, worst = (worker.lag_mean_s or 0.0) * 1000, (worker.lag_worst_s or 0.0) * 1000
    stalled = f", blocked {percent(worker.stalled_share)} of the time" if worker.stalled_share else ""
    return f"{lag:.1f} ms late, {worst:.0f} ms at most{stalled}"
