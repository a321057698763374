"""The whole catalogue: what is finished is left alone, what does not fit is left for later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.adapters.assets import assets
from harness.errors import BuildFailed, ConfigurationError
from harness.execution.blocks import Watcher
from studies import catalogue
from studies.catalogue import ExperimentStep, MatrixStep, Step, Walked
from studies.observation_store import ExperimentStore
from tests.execution.test_blocks import Listener
from tests.fakes import FakeClock, Faults
from tests.studies.claims.worlds import seen
from tests.test_pipeline import Machine, machine

__all__ = ["machine"]


@dataclass
class Scripted:
    """A step that takes as long as it says, unless its ending says otherwise."""

    name: str
    expected_s: float
    clock: FakeClock
    done: list[str]
    ending: Callable[[], bool] = field(default=lambda: True)

    def measure(self, watcher: Watcher) -> bool:
        self.clock.sleep(self.expected_s)
        self.done.append(self.name)
        return self.ending()


class Walk:
    def __init__(self) -> None:
        self.clock, self.done, self.listener = FakeClock(), list[str](), Listener()

    def step(self, name: str, expected_s: float, ending: Callable[[], bool] = lambda: True) -> Step:
        return Scripted(name, expected_s, self.clock, self.done, ending)

    def walk(self, steps: Sequence[Step], budget_s: float = 1000.0) -> Walked:
        return catalogue.walk(steps, budget_s=budget_s, monotonic=self.clock.monotonic, watcher=self.listener)


def test_finished_steps_are_passed_over_and_long_ones_left_for_later() -> None:
    it = Walk()
    steps = [it.step("a", 30), it.step("finished", 0), it.step("long", 100), it.step("b", 40)]
    walked = it.walk(steps, budget_s=90)
    assert it.done == ["a", "b"]
    assert walked.left == ("long",)


def test_a_step_that_cannot_be_measured_does_not_hold_up_the_others() -> None:
    def broken() -> bool:
        raise BuildFailed("granian", "no such package")

    it = Walk()
    walked = it.walk([it.step("a", 1, broken), it.step("b", 1)])
    assert it.done == ["a", "b"]
    assert [reason.partition(":")[0] for reason in walked.failed] == ["a"]


def test_an_interrupt_ends_the_walk() -> None:
    it = Walk()
    assert it.walk([it.step("a", 1, lambda: False), it.step("b", 1)]).interrupted
    assert it.done == ["a"]


def test_the_times_are_told_beforehand_with_their_sum() -> None:
    it = Walk()
    lines = list(catalogue.told_beforehand([it.step("a", 80), it.step("b", 0)], budget_s=3600))
    assert lines == [
        "a                      about 80 s",
        "b                      finished",
        "about 80 s in all, and the first builds; the budget is 1 h 00 min",
    ]


def test_when_all_is_finished_no_time_is_told() -> None:
    *_, last = catalogue.told_beforehand([Walk().step("a", 0)], budget_s=3600)
    assert last == "nothing is left to measure"


def test_an_unknown_preset_is_refused_with_those_there_are() -> None:
    it = Walk()
    with pytest.raises(ConfigurationError, match="there are a"):
        catalogue.chosen([it.step("a", 1)], ["nothing"])


def test_a_preset_without_a_matrix_is_no_step(tmp_path: Path) -> None:
    (tmp_path / "matrices").mkdir()
    (tmp_path / "matrices" / "worker-heuristics.toml").touch()
    assert [step.name for step in catalogue.matrix_steps(tmp_path, tmp_path)] == ["worker-heuristics"]


def test_an_experiment_goes_on_in_its_directory_until_nothing_is_left(tmp_path: Path) -> None:
    def start(directory: Path, say: Callable[[str], None]) -> None:
        ExperimentStore.open(directory, {}).append(seen("images", "user", "root", "user_id", 0))

    step = ExperimentStep(
        name="images", into=tmp_path, left_s=lambda known: 60.0 * (1 - len(known)), start=start
    )
    assert step.expected_s == 60
    assert step.measure(Listener())
    assert (tmp_path / "images" / "observations.jsonl").is_file()
    assert step.expected_s == 0


def test_a_matrix_is_measured_in_a_directory_of_its_name_and_then_finished(
    machine: Machine, tmp_path: Path
) -> None:
    step = MatrixStep(name="tiny", path=machine.matrix, into=tmp_path / "claims")
    before_s = step.expected_s
    assert step.measure(machine.listener)
    assert (tmp_path / "claims" / "tiny" / "journal.jsonl").is_file()
    assert before_s > 0
    assert step.expected_s == 0


def test_an_interrupted_matrix_is_gone_on_with(machine: Machine, tmp_path: Path) -> None:
    step = MatrixStep(name="tiny", path=machine.matrix, into=tmp_path / "claims")
    machine.faults = Faults(start=[None] * 6 + [KeyboardInterrupt()])
    whole_s = step.expected_s
    assert not step.measure(machine.listener)
    assert 0 < step.expected_s < whole_s
    machine.faults = Faults()
    assert step.measure(machine.listener)
    assert step.expected_s == 0


def test_what_was_measured_of_another_matrix_is_not_taken_for_finished(
    machine: Machine, tmp_path: Path
) -> None:
    step = MatrixStep(name="tiny", path=machine.matrix, into=tmp_path / "claims")
    assert step.measure(machine.listener)
    machine.matrix.write_text(machine.matrix.read_text().replace("blocks = 4", "blocks = 5"))
    with pytest.raises(ConfigurationError, match=r"matrix.blocks: was 4, is 5(.|\n)*move .*tiny away"):
        _ = step.expected_s


def test_every_preset_of_the_project_is_named_by_a_claim() -> None:
    project = assets()
    names = {step.name for step in catalogue.matrix_steps(project, project)}
    assert names <= set(catalogue.presets())
    assert "worker-heuristics" in names
