"""The search for a capacity: on servers with a sharp limit, and as a whole trial on the fake engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.adapters.load_process import ProcessLoadGenerator
from harness.execution.capacity_search import CONFIRMATIONS, HIGHEST, LOWEST, find_capacity
from harness.execution.equipment import Equipment, TrialOutcome
from harness.execution.trial import run_trial
from harness.measurement.capacity import capacity_of, search_findings
from harness.model import CapacityLoad, Cell, OpenLoad, Trial, Validity
from harness.records import trial_from_json, trial_to_json
from harness.search import CapacitySearch, CapacityStep, StepOutcome
from tests.fake_agent import GREETING, FakeAgent
from tests.fakes import FakeClock, FakeDeployment, FakeEngine
from tests.samples import ITEMS, PLAIN, a_record

PASSED, FAILED, LIMITED = StepOutcome
SCENARIO = replace(ITEMS, load=CapacityLoad(clients=4, step_s=2.0, steps=6))


def a_step(rate_per_s: float, outcome: StepOutcome = PASSED, **changes: object) -> CapacityStep:
    values: dict[str, object] = {
        "rate_per_s": rate_per_s,
        "confirmation": False,
        "offered": 1000,
        "violations": 10,
        "slow_share_bound": 0.02,
        "in_flight_growth": 0.0,
        "outcome": outcome,
        "reasons": () if outcome is PASSED else ("why",),
        "cpu_ms_per_request": None,
    }
    return CapacityStep(**{**values, **changes})  # type: ignore[arg-type]


def searched(peak: float, judge, steps: int = 6) -> CapacitySearch:
    """The search of a server on which `judge` decides by rate."""
    taken: list[CapacityStep] = []

    def offer(rate_per_s: float, *, confirmation: bool) -> StepOutcome:
        taken.append(a_step(rate_per_s, judge(rate_per_s), confirmation=confirmation))
        return taken[-1].outcome

    find_capacity(peak, steps=steps, offer=offer)
    return CapacitySearch(peak_per_s=peak, steps=tuple(taken))


@given(st.floats(0.31, 1.08), st.integers(3, 10), st.floats(1, 1e5))
def test_a_sharp_limit_is_found_to_the_width_that_is_left(limit: float, steps: int, peak: float) -> None:
    search = searched(peak, lambda rate: PASSED if rate <= limit * peak else FAILED, steps)
    found = capacity_of(search)
    width = (HIGHEST - LOWEST) * peak / 2**steps
    assert found is not None
    assert limit * peak - width <= found * (1 + 1e-12) <= limit * peak * (1 + 1e-9)
    assert len(search.steps) <= steps + CONFIRMATIONS
    assert not [*search_findings(search, SCENARIO)]


def test_a_search_that_erred_downwards_climbs_again() -> None:
    """One unlucky step keeps the bisection low; the confirmations walk up until one fails."""
    unlucky = iter([FAILED])
    search = searched(1000.0, lambda rate: next(unlucky, PASSED if rate <= 730 else FAILED))
    found = capacity_of(search)
    assert found is not None
    assert 717.5 <= found <= 730.0
    assert [step.outcome for step in search.steps if step.confirmation][-2:] == [PASSED, FAILED]


def test_a_rate_that_passed_by_luck_is_not_confirmed() -> None:
    lucky = iter([PASSED])
    search = searched(1000.0, lambda rate: next(lucky, PASSED if rate <= 680 else FAILED))
    found = capacity_of(search)
    assert found is not None
    assert 667.5 <= found <= 680.0


def words(search: CapacitySearch) -> list[Validity]:
    return [word for word, _ in search_findings(search, SCENARIO)]


def test_nothing_is_found_below_the_lowest_rate() -> None:
    search = searched(1000.0, lambda _: FAILED)
    assert capacity_of(search) is None
    assert min(step.rate_per_s for step in search.steps) == pytest.approx(300.0)
    ((word, reason),) = search_findings(search, SCENARIO)
    assert word is Validity.INVALID
    assert "below 300 requests/s" in reason


def test_a_pilot_that_found_no_peak_leaves_a_lower_bound() -> None:
    ((word, reason),) = search_findings(searched(1000.0, lambda _: PASSED), SCENARIO)
    assert word is Validity.GENERATOR_BOUND
    assert "at least" in reason
    assert "raise clients" in reason


def test_what_the_generator_cannot_offer_leaves_a_lower_bound() -> None:
    search = searched(1000.0, lambda rate: PASSED if rate <= 600 else LIMITED)
    found = capacity_of(search)
    assert found is not None
    assert 587.5 <= found <= 600
    ((word, reason),) = search_findings(search, SCENARIO)
    assert word is Validity.GENERATOR_BOUND
    assert "generator-limited" in reason


def test_a_generator_at_its_limit_far_above_does_not_matter() -> None:
    assert words(searched(1000.0, lambda r: PASSED if r <= 500 else FAILED if r < 650 else LIMITED)) == []


def test_a_generator_that_offers_nothing_at_all_leaves_no_figure() -> None:
    search = searched(1000.0, lambda _: LIMITED)
    assert capacity_of(search) is None
    ((word, reason),) = search_findings(search, SCENARIO)
    assert word is Validity.GENERATOR_BOUND
    assert "not known" in reason


def test_answers_that_contradict_each_other_are_noise() -> None:
    steps = (a_step(700.0, FAILED), a_step(690.0), a_step(700.0, confirmation=True))
    assert words(CapacitySearch(peak_per_s=1000.0, steps=steps)) == [Validity.NOISY]


def test_a_rate_that_a_confirmation_refuted_is_no_lower_bound() -> None:
    steps = (
        a_step(600.0),
        a_step(700.0),
        a_step(700.0, FAILED, confirmation=True),
        a_step(690.0, LIMITED, confirmation=True),
    )
    assert capacity_of(CapacitySearch(peak_per_s=1000.0, steps=steps)) == 600.0


@pytest.mark.parametrize(("cost", "found"), [(1.14, []), (1.16, [Validity.NOISY])])
def test_passing_steps_must_cost_alike(cost: float, found: list[Validity]) -> None:
    steps = (
        a_step(500.0, cpu_ms_per_request=1.0),
        a_step(700.0, FAILED, cpu_ms_per_request=5.0),
        a_step(600.0, cpu_ms_per_request=None),
        a_step(600.0, cpu_ms_per_request=cost, confirmation=True),
    )
    assert words(CapacitySearch(peak_per_s=1000.0, steps=steps)) == found


def measured(
    rate: float, *, ceiling_per_s: float | None = None, agent: type[FakeAgent] = FakeAgent
) -> TrialOutcome:
    clock = FakeClock()
    engine = FakeEngine(clock=clock, answer=agent(clock, {PLAIN.id: rate}), greeting=GREETING)

    equipment = Equipment(
        engine=engine,
        generators=ProcessLoadGenerator(engine, image="generator", cpus=(0,)),
        clock=clock,
        images={PLAIN.recipe: "image"},
        server_cpus=(1,),
        ready_timeout_s=30,
        seed=1,
        ceiling_per_s=ceiling_per_s,
    )
    trial = Trial(cell=Cell(variant=PLAIN, scenario=SCENARIO), block=1)
    return run_trial(trial, equipment, progress=lambda _: None)


def test_a_capacity_trial_measures_the_confirmed_rate() -> None:
    outcome = measured(1000.0)
    record = outcome.record
    assert record.validity is Validity.VALID, record.reasons
    assert record.search is not None
    assert record.metrics is not None
    assert record.search.peak_per_s == pytest.approx(1000.0)
    assert record.metrics.capacity_per_s == pytest.approx(1000.0, rel=0.02)
    assert record.metrics.throughput_per_s == pytest.approx(record.metrics.capacity_per_s, rel=0.001)
    assert record.metrics.duration_s == SCENARIO.measure_s
    assert record.metrics.capacity_per_gib == pytest.approx(record.metrics.capacity_per_s / (50 / 1024))
    assert len(outcome.steps) == len(record.search.steps)
    # The confirmation stands for the trial, with the totals of everything that was sent.
    assert outcome.load is not None
    assert outcome.load.scheduled == outcome.steps[-1].scheduled > outcome.load.status.size
    assert trial_from_json(trial_to_json(record)) == record


class LaggingAgent(FakeAgent):
    """Of a server whose event loop lags wherever more is asked of it than it can carry."""

    lag_s = at_s = 0.0
    looks = 0

    def _drive(self, deployment: FakeDeployment, request: Mapping[str, Any]) -> dict[str, Any]:
        overloaded = request["load"].get("rate_per_s", 0.0) > 1000.0
        self.at_s, self.looks = self.at_s + 10.0, self.looks + 10
        self.lag_s += 5.0 if overloaded else 0.0
        return super()._drive(deployment, request)

    def _probe(self, deployment: FakeDeployment, request: Mapping[str, Any]) -> dict[str, Any]:
        facts = super()._probe(deployment, request)
        facts["workers"][0]["signals"] = {
            **{"at_s": self.at_s, "samples": self.looks, "lag_s": self.lag_s, "lag_max_s": 0.5},
            **{"cpu_s": self.at_s, "stalled_s": self.lag_s},
            **{"thread_limit": 40, "threads_busy": 0, "threads_waiting": 0},
        }
        return facts


def test_signals_are_of_the_rate_that_stands_not_of_those_that_were_too_much() -> None:
    outcome = measured(1000.0, agent=LaggingAgent)
    assert any(step.outcome is FAILED for step in outcome.record.search.steps)
    (worker,) = outcome.record.signals.workers
    assert worker.lag_mean_s == 0.0


def test_a_generator_near_its_ceiling_is_told_as_a_lower_bound() -> None:
    record = measured(1000.0, ceiling_per_s=800.0).record
    assert record.validity is Validity.GENERATOR_BOUND
    assert record.metrics is not None
    assert record.metrics.capacity_per_s == pytest.approx(0.95 * 800, rel=0.02)


def test_a_record_from_before_there_was_a_search_still_loads() -> None:
    line = trial_to_json(a_record()).replace(b',"search":null', b"").replace(b',"capacity_per_s":null', b"")
    assert b"capacity" not in line
    assert trial_from_json(line) == a_record()


def test_a_search_takes_as_long_as_it_says() -> None:
    assert SCENARIO.under_load_s == 1.0 + 2.0 + 6 * (0.5 + 2.0) + 3 * (0.5 + 3.0)
    assert replace(SCENARIO, load=OpenLoad(rate_per_s=1.0)).under_load_s == 4.0
