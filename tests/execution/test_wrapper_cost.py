"""The wrapper's cost on fakes: wrapped and bare in turns, and every reason why not is an answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from harness.errors import NotReady
from harness.execution.bench import Bench
from harness.execution.wrapper_cost import ROUNDS, measure_wrapper_cost
from harness.findings import WrapperCost
from harness.measurement.load import LoadRecord
from harness.model import OWN_COMMAND, Matrix, OpenLoad, Scenario, Variant
from tests.fakes import FakeClock, FakeDeployment, FakeEngine, Faults
from tests.samples import ITEMS, PLAIN, a_load, a_matrix

TRUE_COST = 0.02


class Turns:
    """A `LoadGenerator` on a drifting machine: wrapped servers answer 2 % less than bare ones."""

    def __init__(self, clock: FakeClock, faults: Faults, per_s: float = 10_000) -> None:
        self.clock, self.faults, self.per_s = clock, faults, per_s
        self.order: list[bool] = []
        self.windows_s: list[float] = []

    @contextmanager
    def attached(self, deployment: FakeDeployment) -> Iterator["Turn"]:
        yield Turn(self, bare=".bare" in deployment.name)


class Turn:
    def __init__(self, turns: Turns, *, bare: bool) -> None:
        self.turns, self.bare = turns, bare

    def wait_ready(self, *, inside: bool, **_: object) -> None:
        assert inside is not self.bare
        self.turns.faults.strike("ready")

    def verify(self, scenario: Scenario) -> None:
        pass

    def drive(self, scenario: Scenario, **_: object) -> LoadRecord:
        self.turns.order.append(self.bare)
        drift = 1 + 0.3 * ((len(self.turns.order) - 1) // 2 % 5)
        rate = self.turns.per_s * drift * (1 if self.bare else 1 - TRUE_COST)
        self.turns.windows_s.append(scenario.measure_s)
        self.turns.clock.sleep(scenario.warmup_s + scenario.measure_s)
        return a_load(round(rate * scenario.measure_s), measure_s=scenario.measure_s)


def measure(
    matrix: Matrix,
    faults: Faults | None = None,
    engine_faults: Faults | None = None,
    per_s: float = 10_000,
) -> tuple[WrapperCost | str, Turns, FakeEngine]:
    clock = FakeClock()
    engine, turns = FakeEngine(clock=clock, faults=engine_faults), Turns(clock, faults or Faults(), per_s)
    bench = Bench(
        engine=engine,
        generators=turns,
        clock=clock,
        images={"uvicorn-plain": "image-1"},
        server_cpus=(1,),
        ready_timeout_s=10,
        seed=1,
    )
    return measure_wrapper_cost(matrix, bench), turns, engine


def test_the_cost_is_that_of_pairs_and_drift_cancels() -> None:
    cost, turns, engine = measure(a_matrix())
    assert isinstance(cost, WrapperCost)
    assert (cost.rounds, cost.scenario) == (ROUNDS, "items")
    assert 1 - cost.ratio == pytest.approx(TRUE_COST, abs=0.01)
    pairs = [tuple(turns.order[n : n + 2]) for n in range(0, 2 * ROUNDS + 2, 2)]
    assert {frozenset(pair) for pair in pairs} == {frozenset((True, False))}
    assert len(set(pairs)) == 2, "the order is drawn anew each round"
    assert engine.standing == []


@pytest.mark.parametrize(("per_s", "window_s"), [(10_000, 0.3), (100, 1.0), (2, 2.0)])
def test_a_slow_app_gets_windows_that_hold_enough_answers(per_s: float, window_s: float) -> None:
    cost, turns, _ = measure(a_matrix(), per_s=per_s)
    assert turns.windows_s[-1] == pytest.approx(window_s, rel=0.1)
    assert isinstance(cost, WrapperCost)
    assert cost.rounds >= 7


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"wrapper_cost": False}, "design.wrapper_cost is false"),
        ({"scenarios": (replace(ITEMS, load=OpenLoad(rate_per_s=10)),)}, "no scenario is a closed loop"),
        (
            {"variants": (box := Variant(recipe=OWN_COMMAND, workers=1),), "baseline_id": box.id},
            "the baseline runs without it",
        ),
        (
            {"variants": (nginx := Variant(recipe="nginx-replicas", workers=2),), "baseline_id": nginx.id},
            "nginx-replicas is more than one server",
        ),
        ({"variants": (host := replace(PLAIN, network="host"),), "baseline_id": host.id}, "the host's"),
    ],
)
def test_what_cannot_be_compared_is_said_and_starts_nothing(changes: dict[str, object], why: str) -> None:
    cost, _, engine = measure(a_matrix(**changes))
    assert isinstance(cost, str)
    assert why in cost
    assert engine.story == []


def test_a_failure_is_a_reason_and_leaves_nothing_behind() -> None:
    cost, _, engine = measure(a_matrix(), Faults(ready=[None, NotReady("bare", 10, "no answer")]))
    assert isinstance(cost, str)
    assert "bare: not ready within 10 s (no answer)" in cost
    assert engine.standing == []
