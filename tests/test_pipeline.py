"""The whole pipeline on the fake engine: matrix file in, run directory and verdicts out."""

from __future__ import annotations

import gc
import re
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import cycle
from pathlib import Path

import psutil
import pytest

from harness import pipeline, set_up, stored_report
from harness.adapters.assets import assets
from harness.adapters.result_store import EVIDENCE, JOURNAL
from harness.adapters.run_lock import run_lock
from harness.errors import (
    AppImageFailed,
    BuildFailed,
    ConfigurationError,
    EngineUnavailable,
    NotReady,
    RunAborted,
)
from harness.execution.blocks import RunEnd
from harness.findings import Verdict
from harness.model import TrialRecord, Validity
from harness.planning.plan import STOP_AND_START_S
from harness.records import trial_to_json
from harness.reporting import markdown
from harness.target import Target
from tests.execution.test_blocks import Listener
from tests.fake_agent import GREETING, FakeAgent
from tests.fakes import FakeClock, FakeEngine, Faults

PROJECT = assets()
MATRIX = """
name = "tiny"
[factors]
recipe = ["uvicorn-plain", "uvicorn-standard"]
[[scenarios]]
name = "items"
load = { clients = 4 }
[design]
blocks = 4
margin = 0.03
wrapper_cost = false
"""
RATES = {"uvicorn-plain": 1000.0, "uvicorn-standard": 1500.0}
WOBBLE = (1.0, 1.01, 0.99, 1.005, 0.995, 1.0, 1.008, 0.992) * 20


class Machine:
    """A project with a matrix, and engines that follow one another on it."""

    def __init__(self, directory: Path) -> None:
        self.options = pipeline.RunOptions(results=directory / "results")
        self.matrix = directory / "tiny.toml"
        self.matrix.write_text(MATRIX)
        self.engines: list[FakeEngine] = []
        self.faults = Faults()
        self.listener = Listener()
        self.place = set_up.Machine(
            cpu_split=lambda: ((1,), (0,)),
            lock=partial(run_lock, path=directory / "lock"),
            open_engine=self._open,
            pinned_to=lambda _: nullcontext(),
            clock=lambda: self.engines[-1].clock,
        )

    @contextmanager
    def _open(self, name: str, project: Path, run_id: str, say: object) -> Iterator[FakeEngine]:
        clock = FakeClock()
        agent = FakeAgent(clock, RATES, drift=cycle(WOBBLE))
        self.engines.append(FakeEngine(clock=clock, answer=agent, greeting=GREETING, faults=self.faults))
        try:
            yield self.engines[-1]
        finally:
            self.engines[-1].close()

    def run(self, **changes: object) -> pipeline.RunOutcome:
        values = {"results": self.options.results, **changes}
        known = pipeline.resolved(self.matrix, machine=self.place)
        return pipeline.run(known, pipeline.RunOptions(**values), self.listener, machine=self.place)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_run_ends_in_the_true_verdict(machine: Machine) -> None:
    outcome = machine.run()
    assert outcome.end is RunEnd.COMPLETE
    records = outcome.store.records()
    assert len(records) == 4 * 3
    assert {record.validity for record in records} == {Validity.VALID}, records[0].reasons
    data = stored_report.report_data(outcome.store)
    (finding,) = data.analysis.findings
    (comparison,) = [
        c
        for c in finding.comparisons
        if c.metric == "throughput_per_s" and c.variant_id == "uvicorn-standard.w1"
    ]
    assert comparison.verdict is Verdict.BETTER
    assert comparison.ratio.center == pytest.approx(1.5, rel=0.03)
    assert data.analysis.recommended == "uvicorn-standard.w1"
    assert machine.engines[0].standing == []
    assert machine.engines[0].story[-1] == "close"


def test_a_stored_run_is_judged_when_it_is_read(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the rules of today, whatever they were when it was measured; by the same ones to the same end."""
    machine.matrix.write_text(MATRIX.replace("blocks = 4", "blocks = 2"))
    store = machine.run().store
    measured = [trial_to_json(record) for record in store.records()]
    assert [trial_to_json(record) for record in stored_report.report_data(store).records] == measured
    monkeypatch.setattr("harness.measurement.validity.NEAR_CEILING", 0.01)
    stricter = stored_report.report_data(store).records
    assert {record.validity for record in stricter} == {Validity.GENERATOR_BOUND}


def test_a_metric_that_is_new_is_filled_in_for_runs_from_before_it(machine: Machine) -> None:
    machine.matrix.write_text(MATRIX.replace("blocks = 4", "blocks = 2"))
    store = machine.run().store
    journal = store.path / JOURNAL
    whole = journal.read_text()
    # A record of an earlier version, which had neither this metric nor a checksum.
    metric = re.compile(r',"(idle_cpu_cores|crc32)":[^,}]+')
    assert len(metric.findall(whole)) == 2 * 2 * 3
    journal.write_text(metric.sub("", whole))
    filled = {
        record.metrics.idle_cpu_cores for record in stored_report.report_data(store).records if record.metrics
    }
    assert None not in filled


def test_damaged_evidence_is_named(machine: Machine) -> None:
    machine.matrix.write_text(MATRIX.replace("blocks = 4", "blocks = 1"))
    store = machine.run().store
    path = store.path / "trials" / store.records()[0].trial_id / EVIDENCE
    path.write_text(path.read_text().replace('"server_cpus":1', '"server_cpus":"one"'))
    with pytest.raises(ConfigurationError, match=r"evidence\.json.*\n.*server_cpus"):
        stored_report.report_data(store)


def test_what_cannot_be_judged_again_stays_as_it_was_judged(machine: Machine) -> None:
    machine.matrix.write_text(MATRIX.replace("blocks = 4", "blocks = 2"))
    store = machine.run().store
    before = store.records()
    first, second, *_ = before
    (store.path / "trials" / first.trial_id / EVIDENCE).unlink()
    # As if the run had been killed between the raw material of a second attempt and its record.
    path = store.path / "trials" / second.trial_id / EVIDENCE
    path.write_text(path.read_text().replace(second.started_at, "2026-01-01T00:00:00.000+00:00"))
    assert stored_report.report_data(store).records == before


def test_the_wrappers_cost_is_measured_once_kept_and_reported(machine: Machine) -> None:
    machine.matrix.write_text(MATRIX.replace("wrapper_cost = false\n", ""))
    machine.faults = Faults(start=[None] * (1 + 2 + 5) + [KeyboardInterrupt()])
    broken = machine.run()
    cost = broken.store.manifest()["wrapper_cost"]
    assert cost["ratio"] == pytest.approx(1.0, abs=0.02)
    assert (cost["rounds"], cost["scenario"]) == (30, "items")
    assert any("the wrapper costs" in message for message in machine.listener.heard)
    machine.faults = Faults()
    whole = machine.run(resume=broken.store.path.name)
    assert whole.store.manifest()["wrapper_cost"] == cost
    assert not any("wrapper-cost" in step for step in machine.engines[-1].story)
    assert "he wrapper costs" in markdown.report(stored_report.report_data(whole.store))


def test_why_the_wrappers_cost_was_not_measured_is_kept_too(machine: Machine) -> None:
    store = machine.run().store
    assert store.manifest()["wrapper_cost"] == {"not_measured": "design.wrapper_cost is false"}
    line = "The wrapper's cost was not measured: design."
    assert line in markdown.report(stored_report.report_data(store))


def test_the_report_is_rebuilt_from_the_directory_alone(machine: Machine) -> None:
    store = machine.run().store
    first = {
        path.name: path.read_bytes()
        for path in stored_report.write_report(store, stored_report.report_data(store))
    }
    assert first.keys() >= {"report.html", "report.md", "ranking.items.png"}
    second = {
        path.name: path.read_bytes()
        for path in stored_report.write_report(store, stored_report.report_data(store))
    }
    assert first == second


@pytest.mark.promise(7)
def test_a_killed_run_goes_on_as_if_it_had_not_been(machine: Machine) -> None:
    whole = [record.trial_id for record in machine.run().store.records()]
    in_the_second_block = [None] * (1 + 5) + [KeyboardInterrupt()]
    machine.faults = Faults(start=in_the_second_block)
    broken = machine.run()
    assert broken.end is RunEnd.INTERRUPTED
    # What stands side by side is kept together or not at all.
    assert [record.trial_id for record in broken.store.records()] == whole[:3]
    assert machine.engines[-1].standing == []
    machine.faults = Faults()
    resumed = machine.run(resume=broken.store.path.name)
    assert resumed.store.path == broken.store.path
    assert [record.trial_id for record in resumed.store.records()] == whole
    assert resumed.store.manifest()["end"] == "complete"


@pytest.mark.promise(8)
def test_a_complete_run_is_left_alone(machine: Machine) -> None:
    done = machine.run()
    before = (done.store.path / JOURNAL).read_bytes()
    engines = len(machine.engines)
    again = machine.run(resume=done.store.path.name)
    assert again.end is RunEnd.COMPLETE
    assert (done.store.path / JOURNAL).read_bytes() == before
    assert len(machine.engines) == engines


@pytest.mark.promise(7)
def test_a_changed_matrix_is_not_resumed(machine: Machine) -> None:
    machine.faults = Faults(start=[None, None, KeyboardInterrupt()])
    broken = machine.run()
    machine.faults = Faults()
    machine.matrix.write_text(MATRIX.replace("margin = 0.03", "margin = 0.05"))
    with pytest.raises(ConfigurationError, match=r"matrix\.margin: was 0\.03, is 0\.05"):
        machine.run(resume=broken.store.path.name)


VERSIONS = """version = [
  { name = "old", requirements = "old.txt" },
  { name = "new", requirements = "new.txt" },
]
[target]
app = "main:app"
"""


def test_a_version_that_cannot_be_had_leaves_out_its_variants_alone(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("old.txt", "new.txt"):
        (machine.matrix.parent / name).write_text("fastapi\n")
    text = MATRIX.replace('recipe = ["uvicorn-plain", "uvicorn-standard"]', 'recipe = ["uvicorn-plain"]')
    machine.matrix.write_text(text.replace("[[scenarios]]", VERSIONS + "[[scenarios]]"))
    asked: list[Target | None] = []
    build = FakeEngine.build

    def with_targets(engine: FakeEngine, recipe: str, target: Target | None = None) -> str:
        asked.append(target)
        if target is not None and target.requirements == "new.txt":
            raise AppImageFailed("no matching distribution")
        return build(engine, recipe, target)

    monkeypatch.setattr(FakeEngine, "build", with_targets)
    outcome = machine.run()
    named = [(target.name, target.requirements) for target in asked if target]
    assert named[:2] == [("tiny-old", "old.txt"), ("tiny-new", "new.txt")]
    assert dict(outcome.failed_builds) == {"uvicorn-plain.v-new": "no matching distribution"}
    assert {record.variant_id for record in outcome.new_records} == {
        "uvicorn-plain.w1.v-old",
        "uvicorn-plain.w1.v-old.twin",
    }


@pytest.mark.promise(13)
def test_one_failed_build_leaves_out_one_recipe(machine: Machine) -> None:
    failure = BuildFailed("uvicorn-standard", "ERROR: no matching distribution")
    machine.faults = Faults(build=[None, None, failure])
    outcome = machine.run()
    assert list(outcome.failed_builds) == ["uvicorn-standard"]
    assert {record.variant_id for record in outcome.store.records()} == {
        "uvicorn-plain.w1",
        "uvicorn-plain.w1.twin",
    }
    assert any("no matching distribution" in message for message in machine.listener.heard)
    machine.faults = Faults(build=[None, None, failure])
    with pytest.raises(BuildFailed):
        machine.run(fail_fast=True)


def test_recipes_that_share_an_image_are_built_from_it(machine: Machine) -> None:
    machine.matrix.write_text(MATRIX.replace("uvicorn-plain", "uvicorn-mounted"))
    images = machine.run().store.manifest()["images"]
    shared = "image-of-uvicorn-standard"
    assert images == {
        "generator": "image-of-generator",
        "uvicorn-mounted": shared,
        "uvicorn-standard": shared,
    }


def test_a_failed_trial_is_kept_with_its_reason_and_its_block_is_run_again(machine: Machine) -> None:
    machine.faults = Faults(start=[None, NotReady("t", 30, "503 dependency down")])
    store = machine.run().store
    records = store.records()
    assert records[0].validity is Validity.INVALID
    assert records[0].metrics is None
    assert "503 dependency down" in records[0].reasons[0]
    assert {record.validity for record in records[1:]} == {Validity.VALID}
    assert [record.block for record in records] == [n for n in range(1, 6) for _ in range(3)]
    finding = stored_report.report_data(store).analysis.findings[0]
    assert all(cell.valid >= 4 for cell in finding.cells)


def test_a_precise_run_stops_before_its_last_block_and_stays_complete(machine: Machine) -> None:
    machine.matrix.write_text(MATRIX.replace("blocks = 4", "blocks = 12\nprecision = 0.05"))
    done = machine.run()
    assert done.end is RunEnd.COMPLETE
    assert max(record.block for record in done.store.records()) == 6
    # At first, what all the blocks would take.
    assert machine.listener.heard[-6].startswith("1/36 ")
    assert machine.listener.left_s[0] == 36 * (1.0 + 5.0 + STOP_AND_START_S)
    assert "of at most 12 blocks" in markdown.report(stored_report.report_data(done.store))
    engines = len(machine.engines)
    machine.run(resume=done.store.path.name)
    assert "nothing to do" in machine.listener.heard[-1]
    assert len(machine.engines) == engines


@pytest.mark.promise(18)
def test_a_lost_engine_ends_the_run_and_keeps_what_there_is(machine: Machine) -> None:
    machine.faults = Faults(start=[None] * 4 + [EngineUnavailable("the engine is away")])
    with pytest.raises(RunAborted, match=r"the engine is away.*--resume"):
        machine.run()
    (directory,) = machine.options.results.iterdir()
    machine.faults = Faults()
    assert len(machine.run(resume=directory.name).store.records()) == 12


def test_no_trial_starts_after_the_budget(machine: Machine) -> None:
    machine.matrix.write_text(MATRIX + "budget_s = 20.0\n")
    outcome = machine.run()
    assert outcome.end is RunEnd.BUDGET
    assert len(outcome.store.records()) == 3


def test_a_recipe_that_builds_at_last_is_added_by_resuming(machine: Machine) -> None:
    machine.faults = Faults(build=[None, None, BuildFailed("uvicorn-standard", "no matching distribution")])
    partly = machine.run()
    assert len(partly.store.records()) == 4 * 2
    machine.faults = Faults()
    whole = machine.run(resume="")
    assert whole.store.path == partly.store.path
    # Measured again next to it, those that it is compared with.
    assert len(whole.store.records()) == 4 * 2 + 4 * 3
    assert [record.block for record in whole.new_records] == [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]
    assert sum(record.variant_id == "uvicorn-standard.w1" for record in whole.new_records) == 4
    assert whole.store.manifest()["failed_builds"] == {}


def test_resuming_looks_for_a_run_of_the_same_matrix(machine: Machine) -> None:
    machine.faults = Faults(start=[None, None, KeyboardInterrupt()])
    broken = machine.run()
    machine.faults = Faults()
    machine.matrix.write_text(MATRIX.replace('name = "tiny"', 'name = "other"'))
    machine.run()
    machine.matrix.write_text(MATRIX)
    assert machine.run(resume="").store.path == broken.store.path


CAPACITY_MATRIX = MATRIX.replace(
    "load = { clients = 4 }",
    "load = { capacity = true, clients = 4, pilot_s = 1.0, step_s = 1.0 }\nmeasure_s = 1.0",
)


def test_capacity_is_found_ranked_and_followed_by_latency_at_a_common_rate(machine: Machine) -> None:
    machine.matrix.write_text(CAPACITY_MATRIX)
    outcome = machine.run()
    assert outcome.end is RunEnd.COMPLETE
    records = outcome.store.records()
    assert {record.validity for record in records} == {Validity.VALID}, records[0].reasons
    assert [record.scenario for record in records] == ["items"] * 12 + ["items-at-common-rate"] * 12
    data = stored_report.report_data(outcome.store)
    first, second = data.analysis.findings
    cells = {cell.variant_id: cell.metrics["capacity_per_s"] for cell in first.cells}
    for recipe, rate in RATES.items():
        assert cells[f"{recipe}.w1"].center == pytest.approx(rate, rel=0.03)
    assert first.best_set == ("uvicorn-standard.w1",)
    common = data.scenario(second.scenario).load
    assert common.kind == "open"
    assert common.rate_per_s == pytest.approx(0.7 * RATES["uvicorn-plain"], rel=0.03)
    written = {
        path.name: path
        for path in stored_report.write_report(outcome.store, stored_report.report_data(outcome.store))
    }
    assert "search.items.png" in written
    for document in ("report.md", "report.html"):
        text = written[document].read_text()
        assert "per GiB of peak memory" in text
        assert "items-at-common-rate" in text
    engines = len(machine.engines)
    machine.run(resume=outcome.store.path.name)
    assert "nothing to do" in machine.listener.heard[-1]
    assert len(machine.engines) == engines


def test_a_run_killed_at_the_common_rate_goes_on_at_the_same_rate(machine: Machine) -> None:
    machine.matrix.write_text(CAPACITY_MATRIX)
    machine.faults = Faults(start=[None] * (1 + 12 + 5) + [KeyboardInterrupt()])
    broken = machine.run()
    assert [record.scenario for record in broken.store.records()][11:] == ["items"] + [
        "items-at-common-rate"
    ] * 3
    before = stored_report.report_data(broken.store).matrix.scenarios
    machine.faults = Faults()
    whole = machine.run(resume=broken.store.path.name)
    assert len(whole.store.records()) == 24
    assert stored_report.report_data(whole.store).matrix.scenarios == before


def test_a_budget_that_ends_before_the_common_rate_is_told(machine: Machine) -> None:
    machine.matrix.write_text(CAPACITY_MATRIX + "budget_s = 60.0\n")
    outcome = machine.run()
    assert outcome.end is RunEnd.BUDGET
    assert {record.scenario for record in outcome.store.records()} == {"items"}
    assert "common rate was not measured" in markdown.report(stored_report.report_data(outcome.store))


class _Watched(Listener):
    """Looks at this process after the first third of the trials and after the last."""

    def __init__(self, trials: int) -> None:
        super().__init__()
        self.kept_bytes: list[int] = []
        self.files: list[int] = []
        self._at, self._trials = (trials // 3, trials), 0

    def trial_finished(self, record: TrialRecord) -> None:
        self._trials += 1
        if self._trials in self._at:
            gc.collect()
            ours = tracemalloc.take_snapshot().filter_traces(
                [tracemalloc.Filter(True, f"{PROJECT}/harness/*")]
            )
            self.kept_bytes.append(sum(trace.size for trace in ours.traces))
            self.files.append(psutil.Process().num_fds())


@pytest.mark.slow
@pytest.mark.parametrize(
    "blocks", [24, pytest.param(167, marks=[pytest.mark.long, pytest.mark.timeout(900)])]
)
def test_many_trials_need_no_more_memory_and_files_than_a_third_of_them(
    machine: Machine, blocks: int
) -> None:
    machine.matrix.write_text(MATRIX.replace("blocks = 4", f"blocks = {blocks}\nbudget_s = 86400"))
    machine.listener = watched = _Watched(3 * blocks)
    tracemalloc.start()
    try:
        assert len(machine.run().store.records()) == 3 * blocks
    finally:
        tracemalloc.stop()
    assert watched.files[0] == watched.files[1]
    # A record of some kilobytes for each trial: its raw arrays alone would be hundreds.
    assert watched.kept_bytes[1] - watched.kept_bytes[0] < 2 * blocks * 8_192
