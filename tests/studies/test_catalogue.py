"""The whole catalogue: what is finished is left alone, what was begun is resumed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.adapters.assets import assets
from harness.errors import ConfigurationError
from studies.catalogue import ExperimentStudy, MatrixStudy, presets, studies
from studies.observations import Observation
from tests.execution.test_blocks import Listener
from tests.fakes import Faults
from tests.studies.test_experiment import HERE, TASK_S, experiment, one, other
from tests.test_pipeline import Machine, machine

__all__ = ["machine"]


def test_a_preset_without_a_matrix_is_no_study(tmp_path: Path) -> None:
    (tmp_path / "matrices").mkdir()
    (tmp_path / "matrices" / "worker-heuristics.toml").touch()
    names = [study.name for study in studies(tmp_path, tmp_path)]
    assert names == ["worker-heuristics", "images", "lifecycle"]


def test_an_experiment_goes_on_in_its_directory_until_nothing_is_left(tmp_path: Path) -> None:
    study = ExperimentStudy(experiment=experiment(one, other), into=tmp_path, machine=HERE)
    assert study.expected_s == 2 * TASK_S
    study.measure(Listener())
    assert (tmp_path / "some" / "observations.jsonl").is_file()
    assert study.expected_s == 0


def test_an_interrupted_experiment_ends_the_walk(tmp_path: Path) -> None:
    def interrupted(_: None) -> Iterator[Observation]:
        raise KeyboardInterrupt

    study = ExperimentStudy(experiment=experiment(one, interrupted), into=tmp_path, machine=HERE)
    with pytest.raises(KeyboardInterrupt):
        study.measure(Listener())
    assert study.expected_s == TASK_S


def test_a_matrix_is_measured_in_a_directory_of_its_name_and_then_finished(
    machine: Machine, tmp_path: Path
) -> None:
    study = MatrixStudy(name="tiny", path=machine.matrix, into=tmp_path / "claims", machine=machine.place)
    before_s = study.expected_s
    study.measure(machine.listener)
    assert (tmp_path / "claims" / "tiny" / "journal.jsonl").is_file()
    assert before_s > 0
    assert study.expected_s == 0


def test_an_interrupted_matrix_is_gone_on_with(machine: Machine, tmp_path: Path) -> None:
    study = MatrixStudy(name="tiny", path=machine.matrix, into=tmp_path / "claims", machine=machine.place)
    machine.faults = Faults(start=[None] * 6 + [KeyboardInterrupt()])
    whole_s = study.expected_s
    with pytest.raises(KeyboardInterrupt):
        study.measure(machine.listener)
    assert 0 < study.expected_s < whole_s
    machine.faults = Faults()
    study.measure(machine.listener)
    assert study.expected_s == 0


def test_what_was_measured_of_another_matrix_is_not_taken_for_finished(
    machine: Machine, tmp_path: Path
) -> None:
    study = MatrixStudy(name="tiny", path=machine.matrix, into=tmp_path / "claims", machine=machine.place)
    study.measure(machine.listener)
    machine.matrix.write_text(machine.matrix.read_text().replace("blocks = 4", "blocks = 5"))
    with pytest.raises(ConfigurationError, match=r"matrix.blocks: was 4, is 5(.|\n)*move .*tiny away"):
        _ = study.expected_s


def test_every_preset_of_the_project_is_named_by_a_claim() -> None:
    project = assets()
    names = {study.name for study in studies(project, project)}
    assert names == set(presets())
    assert "worker-heuristics" in names
