"""Trials in slices on the fake engine: who stands, who works when, and what becomes of a failure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from harness.adapters.load_process import ProcessLoadGenerator
from harness.errors import DeploymentDied, VariantError
from harness.execution.equipment import Equipment, TrialOutcome
from harness.execution.server import Row
from harness.execution.side_by_side import run_side_by_side
from harness.model import Cell, OpenLoad, Scenario, Trial, Validity
from harness.workload import RequestSpec
from tests.fake_agent import GREETING, NOTHING, FakeAgent
from tests.fakes import FakeClock, FakeDeployment, FakeEngine, Faults
from tests.samples import ITEMS, PLAIN, STANDARD

TWIN = replace(PLAIN, twin=True)
RATES = {"uvicorn-plain": 1000.0, "uvicorn-standard": 1500.0}
LONG = replace(ITEMS, measure_s=2.0)


class Watched(FakeAgent):
    """Remembers what each deployment was told to do; `answers` replace those of one operation."""

    def __init__(
        self,
        clock: FakeClock,
        rates: Mapping[str, float],
        answers: Mapping[str, Any],
        idle_cores: Mapping[str, float],
    ) -> None:
        super().__init__(clock, rates, idle_cores=idle_cores)
        self.told: list[tuple[str, dict[str, Any]]] = []
        self._answers = answers

    def __call__(self, deployment: FakeDeployment, line: str) -> Iterable[str]:
        request = json.loads(line)
        self.told.append((deployment.name, request))
        for name, (operation, error) in self._answers.items():
            if deployment.name.startswith(name) and request["op"] == operation:
                return [json.dumps({"ok": False, "error": error})]
        return super().__call__(deployment, line)

    def slices_of(self, name: str) -> list[list[float]]:
        """Begin and end of each, on the clock."""
        (request,) = [
            request
            for told, request in self.told
            if told == name and request["op"] == "drive" and len(request["spans_s"]) > 1
        ]
        return [[request["start_at_s"] + at_s for at_s in span] for span in request["spans_s"]]


def bench_on(engine: FakeEngine) -> Equipment:
    return Equipment(
        engine=engine,
        generators=ProcessLoadGenerator(engine, image="generator", cpus=(0,)),
        clock=engine.clock,
        images={"uvicorn-plain": "image-1", "uvicorn-standard": "image-2"},
        server_cpus=(1,),
        ready_timeout_s=10,
        seed=1,
    )


def measure(
    *,
    scenario: Scenario = LONG,
    faults: Faults | None = None,
    rates: Mapping[str, float] = RATES,
    idle_cores: Mapping[str, float] = NOTHING,
    **answers: Any,
) -> tuple[dict[str, TrialOutcome], FakeEngine, Watched]:
    (outcomes,), engine, agent = block(
        scenario, faults=faults, rates=rates, idle_cores=idle_cores, answers=answers
    )
    return outcomes, engine, agent


def block(
    *scenarios: Scenario,
    faults: Faults | None = None,
    rates: Mapping[str, float] = RATES,
    idle_cores: Mapping[str, float] = NOTHING,
    answers: Mapping[str, Any] = NOTHING,
) -> tuple[list[dict[str, TrialOutcome]], FakeEngine, Watched]:
    """The outcomes of each scenario by variant; all of one block."""
    clock = FakeClock()
    by_name = {name.replace("_", "-"): answer for name, answer in answers.items()}
    agent = Watched(clock, rates, by_name, idle_cores)
    engine = FakeEngine(clock=clock, answer=agent, greeting=GREETING, faults=faults)
    equipment = bench_on(engine)
    found = []
    with Row(equipment) as row:
        for scenario in scenarios:
            trials = [
                Trial(cell=Cell(variant=variant, scenario=scenario), block=1)
                for variant in (PLAIN, STANDARD, TWIN)
            ]
            outcomes = run_side_by_side(trials, equipment, row, progress=lambda _: None)
            assert [outcome.record.trial_id for outcome in outcomes] == [trial.id for trial in trials]
            found.append({outcome.record.variant_id: outcome for outcome in outcomes})
    assert engine.standing == []
    return found, engine, agent


OTHER = replace(LONG, name="other")


def test_servers_stay_for_the_next_scenario_and_each_trial_counts_its_own_requests() -> None:
    (first, second), engine, _ = block(LONG, OTHER)
    starts = [line for line in engine.story if line.startswith("start")]
    assert sorted(starts) == sorted(f"start {variant.id}.01" for variant in (PLAIN, STANDARD, TWIN))
    for outcomes in (first, second):
        for outcome in outcomes.values():
            assert outcome.record.validity is Validity.VALID, outcome.record.reasons
    before, after = first[PLAIN.id].load, second[PLAIN.id].load
    assert before is not None
    assert after is not None
    assert after.scheduled == pytest.approx(before.scheduled, rel=0.1)
    assert after.id_sum > before.id_sum
    assert list(second[PLAIN.id].record.phases_s) == ["ready", "verify"]


def test_the_log_of_a_trial_is_what_the_server_said_since_it_began() -> None:
    (first, second), _, _ = block(LONG, OTHER)
    assert "listens" in first[PLAIN.id].log
    assert second[PLAIN.id].log == ""


def test_a_server_whose_trial_failed_gives_way_to_a_new_one() -> None:
    second_drive = Faults(reading=[None] * 31 + [DeploymentDied("the server ended")])
    (first, second), engine, _ = block(LONG, OTHER, faults=second_drive)
    (broken,) = [name for name, outcome in first.items() if outcome.record.validity is Validity.INVALID]
    assert {outcome.record.validity for outcome in second.values()} == {Validity.VALID}
    starts = [line for line in engine.story if line.startswith("start")]
    assert len(starts) == 4
    assert starts.count(f"start {broken}.01") == 2
    # What it used and counted before it was replaced is not put down to the new one.
    assert "start" in second[broken].record.phases_s


def test_who_does_not_take_part_does_not_stand_beside_those_who_do() -> None:
    clock = FakeClock()
    agent = FakeAgent(clock, RATES)
    engine = FakeEngine(clock=clock, answer=agent, greeting=GREETING)
    equipment = bench_on(engine)
    trials = [Trial(cell=Cell(variant=variant, scenario=LONG), block=1) for variant in (PLAIN, STANDARD)]
    with Row(equipment) as row:
        for server in row.servers_of(trials):
            server.start()
        assert len(engine.standing) == 2
        (left,) = row.servers_of(trials[1:])
        assert [deployment.name for deployment in engine.standing] == [f"{STANDARD.id}.01"]
        assert left.started


def test_all_stand_before_any_works_and_each_has_its_time() -> None:
    outcomes, engine, agent = measure()
    last_start = max(place for place, line in enumerate(engine.story) if line.startswith("start"))
    first_stop = min(place for place, line in enumerate(engine.story) if line.startswith("stop"))
    assert last_start < first_stop
    rests = {request["rest_until_s"] for _, request in agent.told if len(request.get("spans_s", ())) > 1}
    spans = sorted(span for name in {name for name, _ in agent.told} for span in agent.slices_of(name))
    assert len(spans) == 3 * 20
    for (_, end_s), (begin_s, _) in pairwise(spans):
        assert begin_s > end_s
    # Nobody packs results while another is at work.
    starts_s = {request["start_at_s"] for _, request in agent.told if len(request.get("spans_s", ())) > 1}
    assert len(rests) == len(starts_s) == 1
    assert starts_s.pop() + rests.pop() >= spans[-1][1]
    for outcome in outcomes.values():
        record = outcome.record
        assert record.validity is Validity.VALID, record.reasons
        assert record.rounds == 20
        assert record.rounds_left_out == {}
        assert list(record.phases_s) == ["start", "ready", "verify"]
        assert record.metrics is not None
        rate = RATES[record.variant_id.split(".")[0]]
        assert record.metrics.throughput_per_s == pytest.approx(rate, rel=0.02)
        assert record.metrics.duration_s == pytest.approx(20 * 0.09)
        # Half a core while at work, and nothing while the others are.
        assert record.metrics.cpu_ms_per_request == pytest.approx(500 / rate, rel=0.15)
        assert record.metrics.idle_cpu_cores == pytest.approx(0.0, abs=1e-6)
        # Of pages that all map alike the kernel would count each only a part.
        assert record.metrics.pss_after_bytes is None
        assert len(outcome.readings) == 2 * 20


@pytest.mark.parametrize(
    ("faults", "answers", "words"),
    [
        ({"start": [None, VariantError("no such level")]}, {}, "no such level"),
        ({}, {"uvicorn_standard": ("ready", {"kind": "NotReady", "message": "got 503"})}, "got 503"),
        ({}, {"uvicorn_standard": ("verify", {"kind": "WrongResponse", "message": "404"})}, "404"),
        ({}, {"uvicorn_standard": ("drive", {"kind": "Internal", "message": "boom"})}, "boom"),
    ],
)
def test_what_befalls_one_ends_its_own_trial_only(
    faults: dict[str, Any], answers: dict[str, Any], words: str
) -> None:
    outcomes, _, _ = measure(faults=Faults(**faults), **answers)
    broken = outcomes[STANDARD.id].record
    assert broken.validity is Validity.INVALID
    assert any(words in reason for reason in broken.reasons), broken.reasons
    assert broken.metrics is None
    for variant in (PLAIN, TWIN):
        assert outcomes[variant.id].record.validity is Validity.VALID


def test_a_server_that_ends_among_its_slices_leaves_the_others_to_go_on() -> None:
    # The first look is at all three, to see how long a look takes.
    died = DeploymentDied("uvicorn-standard.w1.items.01: the server ended")
    outcomes, _, _ = measure(faults=Faults(reading=[None] * 31 + [died]))
    words = {name: outcome.record.validity for name, outcome in outcomes.items()}
    assert sorted(words.values()) == [Validity.INVALID, Validity.VALID, Validity.VALID]


def test_a_single_survivor_is_measured_in_one_piece() -> None:
    broken = ("ready", {"kind": "NotReady", "message": "got 503"})
    outcomes, _, _ = measure(faults=Faults(start=[None, None, VariantError("no")]), uvicorn_standard=broken)
    alone = outcomes[PLAIN.id].record
    assert alone.validity is Validity.VALID
    assert alone.rounds is None
    assert alone.metrics is not None
    assert alone.metrics.duration_s == pytest.approx(LONG.measure_s)


def test_who_does_not_keep_up_with_the_rate_is_measured_apart() -> None:
    at_rate = replace(LONG, load=OpenLoad(rate_per_s=1200.0, arrivals="constant"), measure_s=4.0)
    rates = {"uvicorn-plain": 2000.0, "uvicorn-standard": 900.0}
    outcomes, _, _ = measure(scenario=at_rate, rates=rates)
    assert {name: outcome.record.rounds for name, outcome in outcomes.items()} == {
        PLAIN.id: 4,
        STANDARD.id: None,
        TWIN.id: 4,
    }
    slow = outcomes[STANDARD.id].load
    assert slow is not None
    assert slow.measured_s == pytest.approx(4.0)


def test_who_is_not_idle_without_load_is_measured_apart() -> None:
    outcomes, _, _ = measure(idle_cores={"uvicorn-standard": 0.03, "uvicorn-plain": 0.01})
    assert {name: outcome.record.rounds for name, outcome in outcomes.items()} == {
        PLAIN.id: 20,
        STANDARD.id: None,
        TWIN.id: 20,
    }


def test_the_same_arrivals_meet_every_variant() -> None:
    _, _, agent = measure(scenario=replace(LONG, load=OpenLoad(rate_per_s=500.0), measure_s=4.0))
    seeds = [(name, request["seed"]) for name, request in agent.told if request["op"] == "drive"]
    # A load to warm up and one in slices, of each of the three.
    assert len(seeds) == 2 * 3
    assert len({seed for _, seed in seeds}) == 1


def test_steps_before_the_load_are_taken_before_any_turn_is_fixed() -> None:
    """A login may take longer than the time between telling the turns and the first of them."""
    login = RequestSpec(method="POST", path="/login")
    outcomes, _, agent = measure(scenario=replace(LONG, before=(login,), requests=(login,), locustfile=""))
    sliced = [request["op"] == "drive" and len(request["spans_s"]) > 1 for _, request in agent.told]
    prepared = [place for place, (_, request) in enumerate(agent.told) if request["op"] == "prepare"]
    # Once to warm up, and once for the slices, each of the three.
    assert len(prepared) == 2 * 3
    assert prepared[-1] < sliced.index(True)
    assert {outcome.record.validity for outcome in outcomes.values()} == {Validity.VALID}
