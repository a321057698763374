"""The store of experiments: what was observed comes back as it was, and a torn tail is not an observation."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ConfigurationError
from studies.observation_store import ExperimentStore
from studies.observations import Observation

SEEN = Observation(
    experiment="lifecycle",
    probe="worker-killed",
    target="uvicorn-standard.w2",
    quantity="recovered_s",
    unit="s",
    values=(0.5, None),
    note="within 10 s",
)


def test_observations_come_back_as_they_were(tmp_path: Path) -> None:
    ExperimentStore.open(tmp_path / "e", {"host": "here"}).append(SEEN)
    again = ExperimentStore.open(tmp_path / "e", {"host": "elsewhere"})
    assert again.observations() == (SEEN,)
    assert again.manifest()["host"] == "here"


def test_a_torn_tail_is_left_out_and_cut_by_the_next_observation(tmp_path: Path) -> None:
    store = ExperimentStore.open(tmp_path, {})
    store.append(SEEN)
    with (tmp_path / "observations.jsonl").open("ab") as file:
        file.write(b'{"experiment": "li')
    assert store.observations() == (SEEN,)
    store.append(SEEN)
    assert store.observations() == (SEEN, SEEN)


def test_a_directory_without_an_experiment_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no experiment\.json here"):
        ExperimentStore(tmp_path).manifest()
