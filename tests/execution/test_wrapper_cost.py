"""The wrapper's cost on fakes: wrapped and bare in turns, and every reason why not is an answer."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from harness.errors import NotReady
from harness.execution.equipment import Equipment
from harness.execution.wrapper_cost import measure_wrapper_cost
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
        self.spans: list[tuple[float, float, bool]] = []
        """Begin and end of each slice, and whether it was the bare server's."""

    @contextmanager
    def attached(self, deployment: FakeDeployment) -> Iterator["Turn"]:
        yield Turn(self, bare=".bare" in deployment.name)


class Turn:
    def __init__(self, turns: Turns, *, bare: bool) -> None:
        self.turns, self.bare = turns, bare
        self.begun: list[tuple[float, float]] = []

    def wait_ready(self, *, inside: bool, **_: object) -> None:
        assert inside is not self.bare
        self.turns.faults.strike("ready")

    def verify(self, scenario: Scenario) -> None:
        pass

    def drive(self, scenario: Scenario, **_: object) -> LoadRecord:
        return self._load([(0.0, scenario.measure_s)])

    def prepare(self, scenario: Scenario) -> int:
        return 1

    def begin(
        self, scenario: Scenario, *, spans_s: tuple[tuple[float, float], ...], start_s: float, **_: object
    ) -> None:
        self.begun = [(start_s + begin_s, start_s + end_s) for begin_s, end_s in spans_s]
        self.turns.spans += [(*span, self.bare) for span in self.begun]

    def finish(self, **_: object) -> LoadRecord:
        return self._load(self.begun)

    def _load(self, spans_s: list[tuple[float, float]]) -> LoadRecord:
        """The machine is up to 30 % faster and slower, back and forth in some six seconds."""
        per_s = self.turns.per_s * (1 if self.bare else 1 - TRUE_COST)
        sent = [
            np.linspace(
                begin_s, end_s, round(per_s * (1 + 0.3 * math.sin(begin_s)) * (end_s - begin_s)), False
            )
            for begin_s, end_s in spans_s
        ]
        load = a_load(sum(part.size for part in sent))
        intended_s = np.concatenate(sent)
        return replace(
            load,
            window_start_s=spans_s[0][0],
            window_end_s=spans_s[-1][1],
            intended_s=intended_s,
            sent_s=intended_s,
            finished_s=intended_s + min(1e-4, 0.1 / per_s),
            span_start_s=np.array([begin_s for begin_s, _ in spans_s]),
            span_end_s=np.array([end_s for _, end_s in spans_s]),
        )


def measure(
    matrix: Matrix,
    faults: Faults | None = None,
    engine_faults: Faults | None = None,
    per_s: float = 10_000,
) -> tuple[WrapperCost | str, Turns, FakeEngine]:
    clock = FakeClock()
    engine, turns = FakeEngine(clock=clock, faults=engine_faults), Turns(clock, faults or Faults(), per_s)
    equipment = Equipment(
        engine=engine,
        generators=turns,
        clock=clock,
        images={"uvicorn-plain": "image-1"},
        server_cpus=(1,),
        ready_timeout_s=10,
        seed=1,
    )
    return measure_wrapper_cost(matrix, equipment), turns, engine


def test_the_cost_is_that_of_pairs_and_drift_cancels() -> None:
    cost, turns, engine = measure(a_matrix())
    assert isinstance(cost, WrapperCost)
    assert (cost.rounds, cost.scenario) == (30, "items")
    assert 1 - cost.ratio == pytest.approx(TRUE_COST, abs=0.01)
    assert cost.hi - cost.lo < 0.02
    order = [bare for *_, bare in sorted(turns.spans)]
    pairs = [tuple(order[n : n + 2]) for n in range(0, 60, 2)]
    assert {frozenset(pair) for pair in pairs} == {frozenset((True, False))}
    assert len(set(pairs)) == 2, "the order is drawn anew each round"
    assert engine.standing == []


@pytest.mark.parametrize(("per_s", "slice_s"), [(10_000, 0.1), (200, 0.5), (20, 2.0)])
def test_a_slow_app_gets_slices_that_hold_enough_answers(per_s: float, slice_s: float) -> None:
    cost, turns, _ = measure(a_matrix(), per_s=per_s)
    lengths_s = {round(end_s - begin_s, 6) for begin_s, end_s, _ in turns.spans}
    assert len(lengths_s) == 1
    assert lengths_s.pop() == pytest.approx(slice_s, rel=0.1)
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
        ({"variants": (host := replace(PLAIN, network="host"),), "baseline_id": host.id}, "network is host"),
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
