"""Raw requests and resource readings of one trial to the figures that are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.deployment import MemorySnapshot, ResourceReading
from harness.errors import TrialError
from harness.measurement.accounting import RIGHT, refused
from harness.measurement.in_flight import in_flight_growth
from harness.measurement.load import LoadRecord
from harness.model import OpenLoad, Scenario, TrialMetrics

Floats = NDArray[np.float64]

MIN_GROWTH_READINGS = 4


def trial_metrics(
    load: LoadRecord,
    readings: Sequence[ResourceReading],
    *,
    scenario: Scenario,
    before: MemorySnapshot | None,
    after: MemorySnapshot | None,
    may_refuse: bool = False,
) -> TrialMetrics:
    """What the trial measured in its window.

    Throughput counts right answers that finished inside the window, whenever they were sent; under closed
    load its edges are blurred (`blurred_throughput`).

    Latency runs from the intended send time, over every right answer to a request intended in the
    window: also those that finished after it, or a stall near the end would be hidden. Errors enter
    no quantile; they count as slow. Quantiles are of the raw values, interpolated linearly between
    order statistics (type 7 of Hyndman and Fan, 1996). The throttled share sums over cores. With
    `may_refuse`, an answer of 503 is a refusal and no error.

    Raises TrialError when the readings do not overlap the window.
    """
    duration_s = load.measured_s
    right = load.status == RIGHT
    refusals = refused(load) if may_refuse else 0
    requests = completed_inside(load)
    latencies_s = latencies(load)
    quantile_s = _quantiles_s(latencies_s)
    per_s = throughput_per_s(load) if isinstance(scenario.load, OpenLoad) else blurred_throughput(load)
    cpu_cores, cpu_ms_per_request = _cpu(readings, load, per_s)
    working_set = in_window(readings, load, lambda reading: reading.working_set_bytes)
    return TrialMetrics(
        duration_s=duration_s,
        requests=requests,
        errors=int(np.count_nonzero(~right)) - refusals,
        throughput_per_s=per_s,
        latency_p50_s=quantile_s(0.5),
        latency_p90_s=quantile_s(0.9),
        latency_p95_s=quantile_s(0.95),
        latency_p99_s=quantile_s(0.99),
        latency_max_s=quantile_s(1.0),
        slow_share=_slow_share(load, latencies_s, scenario.slo_ms / 1000),
        cpu_cores=cpu_cores,
        cpu_ms_per_request=cpu_ms_per_request,
        throttled_periods_share=_throttled_periods_share(readings, load),
        throttled_share=rate(readings, load, lambda reading: reading.throttled_s),
        working_set_peak_bytes=round(working_set.values.max()),
        working_set_mean_bytes=round(working_set.mean),
        pss_before_bytes=before.pss_bytes if before else None,
        pss_after_bytes=after.pss_bytes if after else None,
        uss_after_bytes=after.uss_bytes if after else None,
        generator_cpu_share=_busiest_generator(load),
        send_lateness_p99_s=lateness_p99_s(load) if isinstance(scenario.load, OpenLoad) else None,
        steal_share=rate(readings, load, lambda reading: reading.steal_s),
        refused=refusals,
        memory_growth_mib_per_1000=memory_growth_mib_per_1000(load, readings),
        idle_cpu_cores=idle_cpu_cores(readings) if load.sliced else None,
        in_flight_growth=_in_flight_growth(load, scenario),
    )


def _in_flight_growth(load: LoadRecord, scenario: Scenario) -> float | None:
    """Requests; a growth that may be chance is none."""
    if load.sliced or not isinstance(scenario.load, OpenLoad):
        return None
    growth, significant = in_flight_growth(load)
    return growth if significant else 0.0


def _cpu(
    readings: Sequence[ResourceReading], load: LoadRecord, throughput_per_s: float
) -> tuple[float, float | None]:
    """Cores used while it was at work, and CPU milliseconds per request; None without requests.

    The CPU time of a slice is that of all of it, its beginning and its drain too, and so are its answers.
    """
    cores = rate(readings, load, lambda reading: reading.cpu_s)
    if not load.sliced or load.span_answered is None:
        return cores, cores * 1000 / throughput_per_s if throughput_per_s else None
    answered = float(load.span_answered.sum())
    if not answered:
        return cores, None
    per_request_s = float(growths(readings, lambda reading: reading.cpu_s).sum()) / answered
    return per_request_s * throughput_per_s, per_request_s * 1000


def growths(readings: Sequence[ResourceReading], quantity: Callable[[ResourceReading], float]) -> Floats:
    """By how much a cumulative counter grew in each slice, shape (slices,).

    Of a load in slices there are two readings for each: just before it begins, and once it is drained.
    """
    values = np.array([quantity(reading) for reading in readings], dtype=np.float64)
    grown: Floats = values[1::2] - values[0::2]
    return grown


def idle_cpu_cores(readings: Sequence[ResourceReading]) -> float | None:
    """Cores used between its own slices, while others were at work; None with fewer than two slices."""
    between = readings[1:-1]
    if len(between) < 2:
        return None
    idle_s = growths(between, lambda reading: reading.at_s).sum()
    return float(growths(between, lambda reading: reading.cpu_s).sum() / idle_s) if idle_s > 0 else None


def rate(
    readings: Sequence[ResourceReading], load: LoadRecord, quantity: Callable[[ResourceReading], float]
) -> float:
    """Growth of a cumulative counter per second of what was measured."""
    if not load.sliced:
        return in_window(readings, load, quantity).rate
    return float(growths(readings, quantity).sum() / growths(readings, lambda reading: reading.at_s).sum())


def _throttled_periods_share(readings: Sequence[ResourceReading], load: LoadRecord) -> float | None:
    periods = rate(readings, load, lambda reading: reading.periods)
    throttled = rate(readings, load, lambda reading: reading.throttled_periods)
    return throttled / periods if periods > 0 else None


def memory_growth_mib_per_1000(load: LoadRecord, readings: Sequence[ResourceReading]) -> float | None:
    """The least-squares slope of the working set against the right answers so far, in the window.

    None with fewer than MIN_GROWTH_READINGS readings there, or without answers between them.
    """
    inside = [r for r in readings if load.window_start_s <= r.at_s <= load.window_end_s]
    if len(inside) < MIN_GROWTH_READINGS:
        return None
    finished_s = np.sort(load.finished_s[load.status == RIGHT])
    answered = np.searchsorted(finished_s, [reading.at_s for reading in inside]) / 1000
    mib = np.array([reading.working_set_bytes for reading in inside]) / 2**20
    spread = answered - answered.mean()
    return float(spread @ mib / (spread @ spread)) if spread.any() else None


def completed_inside(load: LoadRecord) -> int:
    """How many requests got their right answer in the window, whenever they were sent."""
    return int(np.count_nonzero(load.within(load.finished_s) & (load.status == RIGHT)))


def throughput_per_s(load: LoadRecord) -> float:
    """Right answers per second of the window."""
    return completed_inside(load) / load.measured_s


def blurred_throughput(load: LoadRecord) -> float:
    """Right answers per second of a closed load, over all of its spans.

    Clients that start together and wait alike are answered together, time and again: how many of these
    bursts a window holds depends on where its edges happen to lie. So the count is the mean over all windows
    that are shorter by a median latency and begin up to that much later: an answer counts less the nearer it
    is to an edge. Of a rate that is steady the mean is that rate, whatever the weights.
    """
    counts, lengths_s = _blurred(load)
    return float(counts.sum() / lengths_s.sum())


def throughput_by_span(load: LoadRecord) -> Floats:
    """The same for each of its spans, shape (spans,)."""
    counts, lengths_s = _blurred(load)
    per_s: Floats = counts / lengths_s
    return per_s


def _blurred(load: LoadRecord) -> tuple[Floats, Floats]:
    """Weighted answers, and the length in seconds that they stand for, of each span; shapes (spans,)."""
    starts_s, ends_s = load.spans_s
    inside = load.within(load.finished_s) & (load.status == RIGHT)
    # In order: sums of floats depend on theirs.
    finished_s = np.sort(load.finished_s[inside])
    span = np.searchsorted(starts_s, finished_s, side="right") - 1
    latency_s = float(np.median(load.finished_s[inside] - load.sent_s[inside])) if inside.any() else 0.0
    edges_s = np.minimum(latency_s, (ends_s - starts_s) / 2)
    to_edge_s = np.minimum(finished_s - starts_s[span], ends_s[span] - finished_s)
    # An edge without length is a sharp one.
    weights = np.minimum(1.0, to_edge_s / np.maximum(edges_s[span], 1e-9))
    counts = np.bincount(span, weights, minlength=starts_s.size).astype(np.float64)
    return counts, ends_s - starts_s - edges_s


def intended_inside(load: LoadRecord) -> NDArray[np.bool_]:
    """Which requests, shape (n,), were to be sent in the window."""
    return load.within(load.intended_s)


def latencies(load: LoadRecord) -> Floats:
    """Seconds from intended send to end, of right answers to requests intended in the window."""
    chosen = intended_inside(load) & (load.status == RIGHT)
    latencies_s: Floats = load.finished_s[chosen] - load.intended_s[chosen]
    return latencies_s


@dataclass(frozen=True, slots=True)
class Course:
    """A quantity over the part of the window that readings cover, its ends interpolated. Shapes (k,)."""

    times_s: Floats
    values: Floats

    @property
    def rate(self) -> float:
        """Growth per second of a cumulative counter."""
        return float((self.values[-1] - self.values[0]) / (self.times_s[-1] - self.times_s[0]))

    @property
    def mean(self) -> float:
        """Mean over time, by the trapezoidal rule."""
        duration_s = self.times_s[-1] - self.times_s[0]
        return float(np.trapezoid(self.values, self.times_s) / duration_s)

    def rates_per_second(self) -> Floats:
        """Growth in each whole second; a shorter rest is left out, for which clock ticks are too coarse."""
        seconds = np.arange(self.times_s[0], self.times_s[-1] + 1e-9)
        return np.diff(np.interp(seconds, self.times_s, self.values))


def in_window(
    readings: Sequence[ResourceReading], load: LoadRecord, quantity: Callable[[ResourceReading], float]
) -> Course:
    """A quantity of the readings, cut to the window. Raises TrialError when they do not overlap it."""
    times_s = np.array([reading.at_s for reading in readings])
    values = np.array([quantity(reading) for reading in readings], dtype=np.float64)
    start_s = max(load.window_start_s, times_s.min(initial=np.inf))
    end_s = min(load.window_end_s, times_s.max(initial=-np.inf))
    if start_s >= end_s:
        raise TrialError(
            f"no two of {len(readings)} resource readings span any of the measured window: the deployment "
            f"ended, or could not be read. Read server.log in the trial's directory."
        )
    within = times_s[(times_s > start_s) & (times_s < end_s)]
    points_s: Floats = np.concatenate(([start_s], within, [end_s]))
    return Course(points_s, np.interp(points_s, times_s, values))


def _quantiles_s(latencies_s: Floats) -> Callable[[float], float | None]:
    ordered = np.sort(latencies_s)
    return lambda q: float(np.quantile(ordered, q)) if ordered.size else None


def _slow_share(load: LoadRecord, latencies_s: Floats, slo_s: float) -> float | None:
    requests = int(np.count_nonzero(intended_inside(load)))
    fast = int(np.count_nonzero(latencies_s <= slo_s))
    return (requests - fast) / requests if requests else None


def _busiest_generator(load: LoadRecord) -> float:
    """One process sends a row of shares, several a table of shape (processes, seconds)."""
    shares = np.atleast_2d(load.generator_cpu_share)
    return float(shares.mean(axis=1).max()) if shares.size else 0.0


def lateness_p99_s(load: LoadRecord) -> float | None:
    """Sent minus intended, at the 99th percentile of what was sent."""
    lateness_s = (load.sent_s - load.intended_s)[~np.isnan(load.sent_s)]
    return float(np.quantile(lateness_s, 0.99)) if lateness_s.size else None
