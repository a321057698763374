"""The notebooks run from top to bottom on a stored run, and are committed with the outputs of a real one."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from harness.adapters.result_store import RunStore
from tests.reporting import samples
from tests.samples import a_load

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
NAMES = ("team-decision", "worker-heuristics", "compare-two-runs")
TIMEOUT_S = 100


@pytest.fixture(scope="module")
def stored_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample run as the pipeline would have stored it."""
    data = samples.report_data()
    results = tmp_path_factory.mktemp("results")
    store = RunStore.create(results, data.run_id, dict(data.provenance), data.matrix)
    rng = np.random.default_rng(5)
    for record in data.records:
        series = data.series[record.trial_id]
        load = a_load(requests=200, start_s=series.window_start_s, measure_s=10)
        answered = replace(load, finished_s=load.sent_s + rng.lognormal(math.log(0.004), 0.4, 200))
        store.save_trial(record.trial_id, answered, series.readings, log="")
        store.append(record)
    return store.path


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_runs_from_top_to_bottom(name: str, stored_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HARNESS_RUN", "HARNESS_BASE", "HARNESS_NEW"):
        monkeypatch.setenv(variable, str(stored_run))
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    client = NotebookClient(notebook, timeout=TIMEOUT_S, resources={"metadata": {"path": str(NOTEBOOKS)}})
    done = client.execute()
    shown = [output for cell in done.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in shown if output.get("name") == "stderr"]
    assert sum("image/png" in output.get("data", {}) for output in shown) >= 2
    assert any("text/html" in output.get("data", {}) for output in shown), "the table is missing"


@pytest.mark.parametrize("name", NAMES)
def test_is_committed_with_the_outputs_of_a_real_run_and_uses_the_public_api_alone(name: str) -> None:
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs for cell in code)
    assert not any("from harness" in cell.source or "import harness." in cell.source for cell in code)
    assert (NOTEBOOKS / f"{name}.ipynb").stat().st_size < 1_000_000
