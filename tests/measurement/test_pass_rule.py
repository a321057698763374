"""The pass rule: its bound against scipy's, its growth test against simulated queues."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binom

from harness.measurement.in_flight import in_flight_growth
from harness.measurement.load import LoadRecord
from harness.measurement.pass_rule import binomial_upper_bound, judge_step
from harness.model import CapacityLoad
from harness.search import CapacityStep, StepOutcome
from studies.selfcheck.theory import fifo_latencies_s
from tests.samples import ITEMS, a_load
from wire.messages import DISCONNECTED, DROPPED, UNDRAINED

SCENARIO = replace(ITEMS, load=CapacityLoad(clients=4), slo_ms=50.0)


def judged(load: LoadRecord, *, limits: tuple[str, ...] = ()) -> CapacityStep:
    return judge_step(load, scenario=SCENARIO, rate_per_s=100.0, confirmation=False, limits=limits)


def a_queue(load: float, arrivals: int, seed: int, *, service_s: float = 0.005) -> LoadRecord:
    """M/D/1 after a warm-up of 100 arrivals, as a step records it."""
    rng = np.random.default_rng(seed)
    intended_s = np.cumsum(rng.exponential(service_s / load, arrivals + 100))
    finished_s = intended_s + fifo_latencies_s(intended_s, [service_s] * intended_s.size)
    base = a_load(requests=intended_s.size)
    start_s, end_s = float(intended_s[100]), float(intended_s[-1])
    kept = (intended_s >= start_s) | (finished_s >= start_s)
    return replace(
        base,
        window_start_s=start_s,
        window_end_s=end_s,
        intended_s=intended_s[kept],
        sent_s=intended_s[kept],
        finished_s=finished_s[kept],
        status=base.status[kept],
    )


@given(st.integers(1, 20_000), st.floats(0, 1))
def test_the_bound_is_clopper_and_pearsons(n: int, share: float) -> None:
    successes = round(share * n)
    expected = 1.0 if successes == n else beta.ppf(0.95, successes + 1, n - successes)
    assert binomial_upper_bound(successes, n) == pytest.approx(expected, rel=1e-7)


@given(st.integers(1, 2_000), st.data())
def test_the_bound_grows_with_what_was_seen(n: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, n - 1))
    bound = binomial_upper_bound(successes, n)
    assert successes / n < bound <= binomial_upper_bound(successes + 1, n) <= 1


@pytest.mark.parametrize("n", [100, 1000])
def test_a_rate_just_beyond_the_objective_passes_in_5_percent_of_steps_at_most(n: int) -> None:
    passes = sum(binom.pmf(k, n, 0.05) for k in range(n + 1) if binomial_upper_bound(k, n) <= 0.05)
    assert passes <= 0.05


def slow(load: LoadRecord, count: int) -> LoadRecord:
    finished_s = load.finished_s.copy()
    finished_s[:: load.status.size // count][:count] += 0.05
    return replace(load, finished_s=finished_s)


@pytest.mark.parametrize(("count", "outcome"), [(8, StepOutcome.PASSED), (9, StepOutcome.FAILED)])
def test_slow_requests_must_be_shown_to_be_few(count: int, outcome: StepOutcome) -> None:
    """Of 300 requests: 8 of them may come from 4.7 %, 9 of them from 5.2 %."""
    step = judged(slow(a_load(), count))
    assert step.outcome is outcome
    assert (step.offered, step.violations) == (300, count)


def with_status(status: int, count: int) -> LoadRecord:
    load = a_load(requests=3000)
    statuses, finished_s = load.status.copy(), load.finished_s.copy()
    statuses[:count] = status
    finished_s[:count] = np.nan
    return replace(load, status=statuses, finished_s=finished_s)


@pytest.mark.parametrize(
    ("status", "count", "reason"),
    [
        (DISCONNECTED, 3, None),
        (DISCONNECTED, 4, "failed"),
        (500, 4, "failed"),
        (UNDRAINED, 30, None),
        (UNDRAINED, 31, "never completed"),
        (DROPPED, 31, "never completed"),
    ],
)
def test_errors_and_requests_without_an_end_have_limits_of_their_own(
    status: int, count: int, reason: str | None
) -> None:
    step = judged(with_status(status, count))
    assert step.violations == count
    told = [text for text in step.reasons if "grew" not in text]
    assert (reason is None and not told) or (reason is not None and any(reason in text for text in told))


def test_a_step_held_back_by_the_generator_decides_nothing() -> None:
    for load in (a_load(), slow(a_load(), 100)):
        step = judged(load, limits=("the generator was late",))
        assert step.outcome is StepOutcome.GENERATOR_LIMITED
        assert step.reasons[0] == "the generator was late"


def test_a_window_in_which_nothing_was_offered_does_not_pass() -> None:
    nothing = replace(a_load(requests=1), window_start_s=200.0, window_end_s=203.0)
    assert judged(nothing).reasons == ("nothing was offered",)


RUNS = 200


@pytest.mark.parametrize("load", [0.3, 0.7, 0.9])
def test_a_stable_queue_seldom_counts_as_growing(load: float) -> None:
    alarms = sum(in_flight_growth(a_queue(load, 1000, seed))[1] for seed in range(RUNS))
    assert alarms <= binom.ppf(0.999, RUNS, 0.02)


def test_a_queue_beyond_its_capacity_counts_as_growing() -> None:
    seen = [in_flight_growth(a_queue(1.1, 1000, seed)) for seed in range(RUNS)]
    assert sum(significant for _, significant in seen) >= 0.9 * RUNS
    # A tenth of 1,000 / 1.1 arrivals is left over, seen between the middles of the outer batches.
    assert np.mean([growth for growth, _ in seen]) == pytest.approx(0.9 * 1000 / 11, rel=0.1)
