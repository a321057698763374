"""Gates that fail when they should: an oracle that cannot fail proves nothing."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from harness.analysis.samples import twin_of_baseline
from harness.cli import app
from harness.errors import ExitCode, TrialError
from harness.execution.equipment import TrialOutcome
from harness.findings import Bottleneck
from harness.measurement.pass_rule import judge_step
from harness.model import Validity
from harness.search import CapacitySearch, StepOutcome
from studies.selfcheck import check as selfcheck_run
from studies.selfcheck import (
    known_capacity,
    leak,
    neighbours,
    power,
    queue,
    sabotage,
    selfcheck_page,
    stall,
    twins,
)
from studies.selfcheck.oracle_trials import OracleEquipment, OracleServer, matrix_of
from studies.selfcheck.result import Injected, Line, OracleOutcome, SelfCheck
from tests.samples import ITEMS, PLAIN, a_load, a_record, some_metrics

BASE, SLOWER, DOUBLED = (
    OracleServer(name=name, module="", arguments=()) for name in ("base", "slower", "doubled")
)
MATRIX = matrix_of("power", (BASE, SLOWER, DOUBLED), power.LOAD, blocks=6, seed=1)


@pytest.mark.parametrize(("measured_s", "met"), [(0.70, True), (0.74, True), (0.76, False), (0.011, False)])
def test_the_stall_gate_is_5_percent_of_the_stall(measured_s, met):
    assert stall._line("p95", 0.95, measured_s, 0.011).met is met


@pytest.mark.parametrize(("mib", "met"), [(300, True), (305, True), (307, False), (600, False)])
def test_the_memory_gate_is_2_percent(mib, met):
    assert leak._line("PSS", 300, mib * 2**20).met is met


@pytest.mark.parametrize(
    ("effect", "spread", "met"), [(1.0, 0.01, True), (1.04, 0.01, False), (1.0, 0.2, False)]
)
def test_idle_neighbours_may_change_no_ratio_and_it_must_be_known_well(effect, spread, met):
    alone = dict.fromkeys(range(1, 6), 0.8)
    wobble = (0.0, spread, -spread, spread / 2, -spread / 2)
    among = {block: 0.8 * effect * (1 + wobble[block - 1]) for block in alone}
    assert neighbours._company(among, alone).met is met
    assert not neighbours._company({}, alone).met


@pytest.mark.parametrize(("held", "met"), [(24, True), (20, True), (18, False)])
def test_coverage_is_refuted_by_too_many_misses_only(held, met):
    assert queue._coverage([True] * held + [False] * (24 - held)).met is met


def queue_trials(slower=1.0):
    """Arrivals 10 ms apart at a server that takes 5 ms: nobody waits. `slower` is what was measured of it."""
    metrics = some_metrics(latency_p95_s=0.005 * slower)
    return [
        TrialOutcome(record=a_record(block=block, metrics=metrics), load=a_load(), readings=(), log="")
        for block in (1, 2)
    ]


@pytest.mark.parametrize(("slower", "met"), [(1.0, True), (1.04, True), (1.06, False), (0.9, False)])
def test_a_queue_must_agree_with_its_own_arrivals(slower, met):
    assert queue._line(queue.QUEUES[0], "latency_p95_s", [queue_trials(slower)], 0.005).met is met


def test_a_queue_whose_trials_are_not_valid_is_not_measured():
    noisy = TrialOutcome(record=a_record(validity=Validity.NOISY), load=a_load(), readings=(), log="")
    equipment = SimpleNamespace(full=False, valid_trial=lambda *_, **__: noisy)
    assert not any(line.met for line in queue.check(equipment).lines)


DECIDED = known_capacity._scenario(known_capacity.QUICK)


def searched(slower_s=0.0, *, found=0.6937, outcome=StepOutcome.PASSED):
    """One step of a search: arrivals 10 ms apart at a server that takes 5 ms, so that nobody waits."""
    sent = a_load()
    load = replace(sent, finished_s=sent.finished_s + slower_s)
    step = judge_step(load, scenario=DECIDED, rate_per_s=100.0, confirmation=True, limits=())
    step = replace(step, outcome=StepOutcome.GENERATOR_LIMITED if outcome is not step.outcome else outcome)
    record = a_record(
        metrics=some_metrics(capacity_per_s=found / 0.005),
        search=CapacitySearch(peak_per_s=200.0, steps=(step,)),
    )
    return TrialOutcome(record=record, load=load, readings=(), log="", steps=(load,))


@pytest.mark.parametrize(
    ("slower_s", "outcome", "met"),
    [(0.0, StepOutcome.PASSED, True), (0.019, StepOutcome.PASSED, True), (0.021, StepOutcome.FAILED, False)],
)
def test_a_step_must_be_decided_as_its_arrivals_ask(slower_s, outcome, met):
    assert known_capacity._decisions([searched(slower_s, outcome=outcome)], DECIDED, 0.005).met is met


def test_steps_that_the_generator_held_back_are_not_judged():
    line = known_capacity._decisions([searched(outcome=StepOutcome.FAILED)], DECIDED, 0.005)
    assert not line.met
    assert "no step could be decided" in line.measured


@pytest.mark.parametrize(("found", "met"), [(0.6937, True), (0.66, True), (0.65, False), (0.74, False)])
def test_a_capacity_must_be_within_5_percent_of_theory(found, met):
    assert known_capacity._confirmed([searched(found=found)] * 2, 0.005).met is met


def test_what_the_network_takes_is_left_out_of_the_objective():
    """1 ms of 5 x 5 ms: theory asks for less load then."""
    line = known_capacity._confirmed([searched(0.001)] * 2, 0.005)
    assert "takes 0.20 D" in line.quantity
    assert line.theory == "load 0.681"


def records_of(ratios, noise=0.002):
    """VALID trials of every variant and the twin, with p95 around `ratios` times 20 ms."""
    rng = np.random.default_rng(1)
    variants = (*MATRIX.variants, twin_of_baseline(MATRIX))
    return [
        a_record(
            variant,
            power.LOAD,
            block,
            metrics=some_metrics(latency_p95_s=0.02 * ratio * float(np.exp(rng.normal(0, noise)))),
        )
        for variant, ratio in zip(variants, ratios, strict=True)
        for block in range(1, MATRIX.blocks + 1)
    ]


@pytest.mark.parametrize(
    ("effect", "noise", "met"), [(1.05, 0.002, True), (1.0, 0.002, False), (1.0, 0.2, True)]
)
def test_an_effect_may_be_missed_only_where_the_scatter_hides_it(effect, noise, met):
    records = records_of((1.0, effect, 2.0, 1.0), noise)
    assert power._power(records, MATRIX).met is met


@pytest.mark.parametrize(("ratio", "met"), [(2.0, True), (2.1, False), (1.0, False)])
def test_doubling_must_double(ratio, met):
    records = records_of((1.0, 1.05, ratio, 1.0))
    pair = power._verdicts(records, MATRIX)["doubled.w1"]
    assert power._doubling(pair, power._centre_s(records, MATRIX)).met is met


def test_what_the_network_adds_does_not_double():
    """1 ms on top of 20 and of 40 ms: a ratio of 1.95, and still 20 ms more."""
    records = records_of((1.05, 1.1, 2.05, 1.05))
    pair = power._verdicts(records, MATRIX)["doubled.w1"]
    assert power._doubling(pair, power._centre_s(records, MATRIX)).met


def test_labels_and_order_mean_nothing_to_the_analysis():
    records = records_of((1.0, 1.05, 2.0, 1.0))
    assert power._swapping(records, MATRIX, ("slower.w1", "doubled.w1")).met
    assert power._swapping(records, MATRIX, ("base.w1", "base.w1.twin")).met
    assert power._reversing(records, MATRIX).met


def test_too_few_valid_trials_are_no_relabelling():
    records = records_of((1.0, 1.05, 2.0, 1.0))[:6]
    assert not power._swapping(records, MATRIX, ("slower.w1", "doubled.w1")).met
    assert not power._doubling(None, power._centre_s(records, MATRIX)).met
    assert not power._power(records, MATRIX).met


def test_an_analysis_that_looks_at_block_numbers_is_caught(monkeypatch):
    honest = power._verdicts

    def first_half(records, matrix):
        return honest([record for record in records if record.block <= matrix.blocks / 2], matrix)

    monkeypatch.setattr(power, "_verdicts", first_half)
    assert not power._reversing(records_of((1.0, 1.05, 2.0, 1.0)), MATRIX).met


def test_random_blocks_stand_the_drift_that_fools_repeats():
    assert twins._random(twins._rejections(twins._random_blocks)).met
    assert not twins._random(twins._rejections(twins._repeats)).met
    assert not twins._back_to_back(50).met


@pytest.mark.parametrize(
    ("words", "rules", "wanted", "met"),
    [
        ({Validity.INVALID: 2}, {"I7": 2}, "I7", True),
        ({Validity.INVALID: 2}, {"I1": 2}, "I7", False),
        ({Validity.INVALID: 1, Validity.VALID: 1}, {"I7": 1}, "I7", False),
        ({Validity.VALID: 2}, {}, "", True),
        ({Validity.NOISY: 1, Validity.VALID: 1}, {"I5": 1}, "", False),
    ],
)
def test_a_fault_must_be_caught_and_named_every_time(words, rules, wanted, met):
    row = Injected(fault="f", wanted=wanted, trials=2, words=words, rules=rules, p95_ms="1.0")
    assert sabotage._line(row).met is met


def test_what_a_fault_brought_out_is_counted_by_trial():
    reasons = (
        "I7: worker pids changed",
        "I7: the server ended",
        "I6: 2 of 9 requests got no answer",
        "Its log: x",
    )
    outcome = TrialOutcome(
        record=a_record(validity=Validity.INVALID, reasons=reasons), load=None, readings=(), log=""
    )
    row = sabotage._inject(ONE_CORE, fault("I7", outcome), 3)
    assert (row.caught, row.rules, row.limits) == (3, Counter({"I6": 3, "I7": 3}), {})


ONE_CORE = SimpleNamespace(full=False, equipment=SimpleNamespace(server_cpus=(1,)), made_again=[])


def fault(wanted, outcome, limit=None):
    return sabotage.Sabotage(
        name="f", wanted=wanted, limit=limit, variant=PLAIN, load=ITEMS, measure=lambda _: outcome
    )


def test_what_limits_a_trial_is_counted_beside_the_rules():
    saturated = TrialOutcome(record=a_record(), load=None, readings=(), log="")
    row = sabotage._inject(ONE_CORE, fault("", saturated, Bottleneck.SERVER_CPU), 2)
    assert row.limits == {"server CPU": 2}
    assert sabotage._line(row).met
    assert not sabotage._line(replace(row, wanted_limit="accept skew")).met
    assert not sabotage._line(replace(row, limits={"server CPU": 1})).met
    assert not sabotage._line(replace(row, words={Validity.INVALID: 2})).met


def attempts(*words):
    """Equipment that has tried a trial of which these were the words, one after the other; what it gave."""
    equipment = OracleEquipment(None, image="", generator_cpus=(0,), full=False)
    outcomes = iter(
        TrialOutcome(record=a_record(validity=word), load=None, readings=(), log="") for word in words
    )
    return equipment, equipment.attempted(lambda: next(outcomes)).record.validity


def test_what_the_machine_spoilt_is_made_again_and_said():
    equipment, word = attempts(Validity.NOISY, Validity.VALID)
    assert (word, [record.validity for record in equipment.made_again]) == (Validity.VALID, [Validity.NOISY])
    again = replace(ROW, made_again=1)
    assert sabotage._line(again).measured.endswith("; 1 spoilt by the machine and made again")


def test_a_false_alarm_is_never_forgiven():
    equipment, word = attempts(Validity.INVALID, Validity.VALID)
    assert (word, equipment.made_again) == (Validity.INVALID, [])


def test_a_fault_that_cannot_be_injected_is_a_gate_missed_and_the_others_go_on(monkeypatch):
    def no_engine(_equipment):
        raise TrialError("no engine: nothing answers")

    saturated = TrialOutcome(record=a_record(), load=None, readings=(), log="")
    faults = (replace(fault("", saturated), measure=no_engine), fault("", saturated))
    monkeypatch.setattr(sabotage, "FAULTS", faults)
    missed, met = sabotage.check(ONE_CORE).lines
    assert "not measured: f: no engine" in selfcheck_page.text(missed)
    assert (missed.met, met.met) == (False, True)


LINE = Line(oracle="loss", quantity="lost", theory="7", measured="7", gate="exactly", met=True)
ROW = Injected(
    fault="a worker killed",
    wanted="I7",
    trials=1,
    words={Validity.INVALID: 1},
    rules={"I7": 1},
    p95_ms="9.5",
    limits={"accept skew": 1},
)
CHECK = SelfCheck(
    lines=(LINE,), injected=(ROW,), not_yet=("capacity: none",), facts={"command": "c", "took": "9 s"}
)


def test_an_oracle_that_cannot_be_measured_misses_its_gate():
    def broken(_equipment):
        raise TrialError("no VALID trial")

    (line,) = selfcheck_run._outcome("queue", broken, None).lines
    assert not line.met
    assert "no VALID trial" in selfcheck_page.text(line)


def test_the_page_holds_every_figure_fault_and_gap():
    page = selfcheck_page.markdown(CHECK)
    for told in (
        "| loss",
        "| lost",
        "exactly",
        "a worker killed",
        "9.5",
        "names I7",
        "says accept skew",
        "capacity: none",
        "1 of 1",
    ):
        assert told in page


@pytest.mark.parametrize(("met", "code"), [(True, ExitCode.OK), (False, ExitCode.REGRESSION)])
def test_a_missed_gate_is_exit_code_1(monkeypatch, tmp_path, met, code):
    check = replace(CHECK, lines=(LINE, replace(LINE, met=met)))
    monkeypatch.setattr(selfcheck_run, "selfcheck", lambda **_: check)
    page = tmp_path / "validation.md"
    result = CliRunner().invoke(app, ["study", "selfcheck", "--markdown", str(page)])
    assert result.exit_code == code
    assert page.read_text() == selfcheck_page.markdown(check)


def test_the_whole_check_tells_its_machine(monkeypatch):
    """With one oracle in place of all: the real equipment, none of the load."""
    monkeypatch.setattr(selfcheck_run, "ORACLES", {"loss": lambda equipment: OracleOutcome(lines=(LINE,))})
    # Nothing is measured, so a run elsewhere on this host is not in the way.
    monkeypatch.setattr(selfcheck_run, "run_lock", lambda *_, **__: nullcontext())
    shown: list[Line] = []
    check = selfcheck_run.selfcheck(full=True, wait=True, say=lambda _: None, show=shown.append)
    assert check.met
    assert shown == [LINE]
    assert {"cpu_model", "kernel", "locust", "date"} <= check.facts.keys()
    assert check.not_yet == ()
