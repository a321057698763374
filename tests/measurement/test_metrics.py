from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from harness.deployment import MemorySnapshot, ResourceReading
from harness.errors import TrialError
from harness.measurement.load import LoadRecord
from harness.measurement.metrics import blurred_throughput, in_window, throughput_per_s, trial_metrics
from harness.model import OpenLoad, Scenario, TrialMetrics
from tests.samples import ITEMS, a_load, some_readings
from wire.messages import DROPPED, TIMED_OUT, WRONG_BODY

OPEN = replace(ITEMS, load=OpenLoad(rate_per_s=100.0))
READINGS = some_readings()


def metrics_of(load: LoadRecord, scenario: Scenario = ITEMS, **given: Any) -> TrialMetrics:
    values: dict[str, Any] = {"readings": READINGS, "before": None, "after": None, **given}
    return trial_metrics(load, values.pop("readings"), scenario=scenario, **values)


def answered(latency_s: np.ndarray, status: np.ndarray | None = None) -> LoadRecord:
    """Requests evenly sent over three seconds, each with its own latency."""
    load = a_load(requests=len(latency_s))
    return replace(
        load,
        finished_s=load.intended_s + latency_s,
        status=load.status if status is None else status.astype(np.int16),
    )


def reading(at_s: float, **changes: Any) -> ResourceReading:
    values: dict[str, Any] = {
        "cpu_s": 0.0,
        "throttled_s": 0.0,
        "working_set_bytes": 0,
        "oom_kills": 0,
        "steal_s": 0.0,
    }
    return ResourceReading(at_s=at_s, **{**values, **changes})


def test_an_even_load() -> None:
    metrics = metrics_of(a_load(requests=300))
    assert (metrics.requests, metrics.errors, metrics.duration_s) == (300, 0, 3.0)
    # What lies between two answers is the most that blurred edges can add or take.
    assert metrics.throughput_per_s == pytest.approx(100.0, abs=1 / 3)
    assert metrics.latency_p50_s == pytest.approx(0.005)
    assert metrics.latency_max_s == pytest.approx(0.005)
    assert metrics.cpu_cores == pytest.approx(0.99)
    assert metrics.cpu_ms_per_request == pytest.approx(9.9, rel=0.004)
    assert metrics.generator_cpu_share == pytest.approx(0.4)


def clients_that_wait(clients: int, wait_s: float, *, window_s: tuple[float, float]) -> LoadRecord:
    """A closed loop whose clients begin together, and whose every answer takes as long."""
    begun_s = np.repeat(np.arange(0.0, window_s[1], wait_s), clients)
    return closed(begun_s, begun_s + wait_s, window_s=window_s)


def one_worker(clients: int, service_s: float, *, window_s: tuple[float, float]) -> LoadRecord:
    """A closed loop on a server that works on one request at a time, in turn."""
    finished_s = service_s * np.arange(1, int(window_s[1] / service_s) + clients)
    begun_s = np.concatenate((np.zeros(clients), finished_s[:-clients]))
    return closed(begun_s, finished_s, window_s=window_s)


def closed(begun_s: np.ndarray, finished_s: np.ndarray, *, window_s: tuple[float, float]) -> LoadRecord:
    load = a_load(requests=begun_s.size)
    return replace(
        load,
        window_start_s=window_s[0],
        window_end_s=window_s[1],
        intended_s=begun_s,
        sent_s=begun_s,
        finished_s=finished_s,
        status=np.full(begun_s.size, 200, dtype=np.int16),
    )


@pytest.mark.parametrize("end_s", np.linspace(0.7, 1.3, 13))
def test_where_the_edges_lie_among_bursts_of_answers_does_not_matter(end_s: float) -> None:
    """Ten clients that wait for 0.1 s: 100 requests/s. Counted with sharp edges: 93 to 107."""
    window_s = (0.075, float(end_s))
    waiting = clients_that_wait(10, 0.1, window_s=window_s)
    assert blurred_throughput(waiting) == pytest.approx(100.0, rel=1e-6)
    # And a server that works on one at a time has its own rate, its first requests included.
    assert blurred_throughput(one_worker(16, 0.02, window_s=window_s)) == pytest.approx(50.0, rel=0.01)


def test_a_difference_of_one_percent_between_servers_that_wait_is_seen() -> None:
    """Sharp edges count the same bursts of both."""
    fast, slow = (clients_that_wait(10, wait_s, window_s=(0.2, 2.0)) for wait_s in (0.1, 0.101))
    assert blurred_throughput(fast) / blurred_throughput(slow) == pytest.approx(1.01, rel=1e-6)
    assert throughput_per_s(fast) == throughput_per_s(slow)


def test_known_quantiles() -> None:
    metrics = metrics_of(answered(np.arange(101) / 1000))
    assert metrics.latency_p50_s == pytest.approx(0.050)
    assert metrics.latency_p90_s == pytest.approx(0.090)
    assert metrics.latency_p95_s == pytest.approx(0.095)
    assert metrics.latency_p99_s == pytest.approx(0.099)
    assert metrics.slow_share == pytest.approx(50 / 101)


def test_errors_enter_no_quantile_but_count_as_slow() -> None:
    status = np.full(100, 200)
    status[:10] = [500, 404, TIMED_OUT, WRONG_BODY, DROPPED, 500, 500, 500, 500, 500]
    latency_s = np.where(status == 200, 0.01, 1e-6)
    metrics = metrics_of(answered(latency_s, status))
    assert (metrics.requests, metrics.errors) == (90, 10)
    assert metrics.latency_p50_s == pytest.approx(0.01)
    assert metrics.slow_share == pytest.approx(0.1)


def test_latency_runs_from_the_intended_time_and_through_the_end_of_the_window() -> None:
    """A server that stalls for the last second: what finishes after the window still has its latency."""
    load = a_load(requests=300)
    stalled = load.intended_s >= 102.0
    finished = np.where(stalled, 104.0, load.finished_s)
    metrics = metrics_of(replace(load, sent_s=load.sent_s + 0.5, finished_s=finished), OPEN)
    assert metrics.requests == 200
    assert metrics.latency_max_s == pytest.approx(2.0)
    assert metrics.slow_share == pytest.approx(1 / 3)
    assert metrics.send_lateness_p99_s == pytest.approx(0.5)


def test_requests_of_before_the_window_count_where_they_finish_but_have_no_latency() -> None:
    load = a_load(requests=300)
    intended_s = np.where(load.intended_s < 101.0, load.intended_s - 5.0, load.intended_s)
    metrics = metrics_of(replace(load, intended_s=intended_s))
    assert metrics.requests == 300
    assert metrics.latency_max_s == pytest.approx(0.005)
    assert metrics.slow_share == 0.0


def test_nothing_completed_is_none_and_not_zero() -> None:
    load = a_load(requests=10)
    metrics = metrics_of(
        replace(load, status=np.full(10, TIMED_OUT, np.int16), finished_s=np.full(10, np.nan)), OPEN
    )
    assert (metrics.requests, metrics.errors, metrics.slow_share) == (0, 10, 1.0)
    assert metrics.latency_p50_s is None
    assert metrics.latency_p99_s is None
    assert metrics.cpu_ms_per_request is None


def test_requests_that_were_never_sent_have_no_lateness() -> None:
    load = a_load(requests=10)
    sent_s = load.sent_s + 0.001
    sent_s[3] = np.nan
    assert metrics_of(replace(load, sent_s=sent_s), OPEN).send_lateness_p99_s == pytest.approx(0.001)
    assert metrics_of(replace(load, sent_s=np.full(10, np.nan)), OPEN).send_lateness_p99_s is None


def test_closed_load_has_no_lateness() -> None:
    assert metrics_of(a_load()).send_lateness_p99_s is None


def test_cpu_is_interpolated_at_the_edges_of_the_window() -> None:
    """Idle until 100.5, then one core: 2.5 s of the window's 3 s."""
    readings = [reading(99.5), reading(100.5), reading(103.5, cpu_s=3.0)]
    assert metrics_of(a_load(), readings=readings).cpu_cores == pytest.approx(2.5 / 3)


def test_work_outside_the_window_does_not_count() -> None:
    readings = [
        reading(90.0),
        reading(100.0, cpu_s=50.0),
        reading(103.0, cpu_s=51.5),
        reading(110, cpu_s=99.0),
    ]
    assert metrics_of(a_load(), readings=readings).cpu_cores == pytest.approx(0.5)


def test_readings_that_stop_early_give_the_rate_of_the_part_they_cover() -> None:
    readings = [reading(100.0), reading(101.0, cpu_s=0.8)]
    assert metrics_of(a_load(), readings=readings).cpu_cores == pytest.approx(0.8)


def test_working_set_is_a_mean_over_time() -> None:
    """100 bytes for one second, then a ramp to 300 over two: (100 + 2 x 200) / 3."""
    readings = [
        reading(99.0, working_set_bytes=100),
        reading(101.0, working_set_bytes=100),
        reading(103.0, working_set_bytes=300),
        reading(104.0, working_set_bytes=9000),
    ]
    metrics = metrics_of(a_load(), readings=readings)
    assert metrics.working_set_mean_bytes == round(500 / 3)
    assert metrics.working_set_peak_bytes == 300


def test_throttling_and_steal_are_shares_of_the_window() -> None:
    readings = [reading(100.0, throttled_s=7.0, steal_s=2.0), reading(103.0, throttled_s=7.3, steal_s=2.06)]
    metrics = metrics_of(a_load(), readings=readings)
    assert metrics.throttled_share == pytest.approx(0.1)
    assert metrics.steal_share == pytest.approx(0.02)


def test_periods_in_which_nothing_ran_dilute_no_throttling() -> None:
    """One request of three periods in 3 s, the quota gone in two of them: not 2 of 30."""
    readings = [
        reading(100.0, periods=40, throttled_periods=7),
        reading(103.0, periods=43, throttled_periods=9),
    ]
    assert metrics_of(a_load(), readings=readings).throttled_periods_share == pytest.approx(2 / 3)
    assert metrics_of(a_load()).throttled_periods_share is None


def test_memory_snapshots_are_passed_on() -> None:
    before = MemorySnapshot(processes=1, rss_bytes=9, pss_bytes=8, uss_bytes=7)
    after = MemorySnapshot(processes=1, rss_bytes=6, pss_bytes=5, uss_bytes=4)
    metrics = metrics_of(a_load(), before=before, after=after)
    assert (metrics.pss_before_bytes, metrics.pss_after_bytes, metrics.uss_after_bytes) == (8, 5, 4)
    assert metrics_of(a_load()).pss_after_bytes is None


def test_the_busiest_of_several_generators_counts() -> None:
    shares = np.array([[0.2, 0.2, 0.2], [0.9, 0.1, 0.8]])
    assert metrics_of(replace(a_load(), generator_cpu_share=shares)).generator_cpu_share == pytest.approx(0.6)


@pytest.mark.parametrize("times_s", [(), (101.0,), (90.0, 95.0), (103.0, 104.0)])
def test_readings_outside_the_window_are_an_error_and_not_a_zero(times_s: tuple[float, ...]) -> None:
    with pytest.raises(TrialError, match=f"{len(times_s)} resource readings"):
        metrics_of(a_load(), readings=[reading(at_s) for at_s in times_s])


def test_rates_per_second_leave_out_the_rest() -> None:
    load = replace(a_load(), window_end_s=102.05)
    readings = [
        reading(100.0),
        reading(101.0, steal_s=0.1),
        reading(102.0, steal_s=0.1),
        reading(103.0, steal_s=9.0),
    ]
    course = in_window(readings, load, lambda one: one.steal_s)
    assert course.rates_per_second().tolist() == pytest.approx([0.1, 0.0])


latencies = arrays.arrays(np.float64, st.integers(1, 200), elements=st.floats(1e-6, 10.0))
statuses = st.sampled_from([200, 200, 200, 404, 500, TIMED_OUT, WRONG_BODY, DROPPED])


@given(latencies, st.data())
def test_every_request_is_answered_in_time_late_or_wrong(latency_s: np.ndarray, data: st.DataObject) -> None:
    status = data.draw(arrays.arrays(np.int16, latency_s.shape, elements=statuses))
    load = answered(latency_s, status)
    metrics = metrics_of(load)
    late = np.count_nonzero((status == 200) & (load.finished_s >= load.window_end_s))
    assert metrics.requests + metrics.errors + late == latency_s.size


@given(latencies)
def test_quantiles_are_ordered_and_within_the_values(latency_s: np.ndarray) -> None:
    metrics = metrics_of(answered(latency_s))
    quantiles = [
        metrics.latency_p50_s,
        metrics.latency_p90_s,
        metrics.latency_p95_s,
        metrics.latency_p99_s,
        metrics.latency_max_s,
    ]
    assert quantiles == sorted(quantiles, key=lambda value: value or 0.0)
    assert metrics.latency_max_s == pytest.approx(latency_s.max(), abs=1e-9)
    assert metrics.latency_p50_s == pytest.approx(np.median(latency_s), abs=1e-9)


@given(latencies)
def test_quantiles_are_those_of_scipy(latency_s: np.ndarray) -> None:
    metrics, load = metrics_of(answered(latency_s)), answered(latency_s)
    # alphap = betap = 1 is type 7 of Hyndman and Fan.
    expected = stats.mstats.mquantiles(
        load.finished_s - load.intended_s, [0.5, 0.9, 0.95, 0.99], alphap=1, betap=1
    )
    shown = (metrics.latency_p50_s, metrics.latency_p90_s, metrics.latency_p95_s, metrics.latency_p99_s)
    assert shown == pytest.approx(tuple(expected), rel=1e-9)


@given(latencies, st.floats(0.0, 10.0), st.data())
def test_a_slower_answer_lowers_no_quantile(
    latency_s: np.ndarray, delay_s: float, data: st.DataObject
) -> None:
    slower_s = latency_s.copy()
    slower_s[data.draw(st.integers(0, latency_s.size - 1))] += delay_s
    before, after = metrics_of(answered(latency_s)), metrics_of(answered(slower_s))
    for name in ("latency_p50_s", "latency_p90_s", "latency_p95_s", "latency_p99_s", "latency_max_s"):
        assert getattr(after, name) >= getattr(before, name)


@given(latencies, st.randoms(use_true_random=False))
def test_the_order_of_requests_does_not_matter(latency_s: np.ndarray, random: Any) -> None:
    load = answered(latency_s)
    order = list(range(latency_s.size))
    random.shuffle(order)
    shuffled = replace(
        load, intended_s=load.intended_s[order], sent_s=load.sent_s[order], finished_s=load.finished_s[order]
    )
    assert metrics_of(shuffled) == metrics_of(load)


@given(latencies, st.floats(0.1, 10.0))
def test_a_slower_clock_scales_times_and_rates(latency_s: np.ndarray, factor: float) -> None:
    """Stretch every time by a factor: latencies grow by it, rates shrink by it, shares of a core stay."""
    load = answered(latency_s)
    assume(not np.any(np.isclose(load.finished_s, load.window_end_s)))
    stretched = replace(
        load,
        window_start_s=load.window_start_s * factor,
        window_end_s=load.window_end_s * factor,
        intended_s=load.intended_s * factor,
        sent_s=load.sent_s * factor,
        finished_s=load.finished_s * factor,
    )
    assume(np.array_equal(stretched.intended_s >= stretched.window_start_s, load.intended_s >= 100.0))
    readings = [replace(one, at_s=one.at_s * factor, cpu_s=one.cpu_s * factor) for one in READINGS]
    one, other = metrics_of(load), metrics_of(stretched, readings=readings)
    assert other.requests == one.requests
    assert other.throughput_per_s == pytest.approx(one.throughput_per_s / factor)
    assert other.latency_p95_s == pytest.approx((one.latency_p95_s or 0) * factor, rel=1e-6, abs=1e-9)
    assert other.cpu_cores == pytest.approx(one.cpu_cores)
