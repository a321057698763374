"""What `import harness` offers on a stored run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness.adapters.result_store import RunStore
from harness.api import tables
from harness.errors import ConfigurationError
from tests.reporting import samples
from tests.samples import a_load


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample run, twice."""
    data = samples.report_data()
    directory = tmp_path_factory.mktemp("results")
    for name in ("20260301-101500-first", "20260302-101500-second"):
        host = {"host": {"host": "vm", "cpu_model": "EPYC"}, "engine": "docker"}
        store = RunStore.create(directory, name, host, data.matrix)
        for record in data.records:
            load = a_load(requests=200, start_s=data.series[record.trial_id].window_start_s, measure_s=10)
            store.save_trial(record.trial_id, load, data.series[record.trial_id].readings, log="")
            store.append(record)
    return directory


def test_a_run_is_found_by_id_by_path_or_as_the_newest(results: Path) -> None:
    assert harness.load(results=results).id == "20260302-101500-second"
    assert harness.load("20260301-101500-first", results=results).id == "20260301-101500-first"
    assert harness.load(results / "20260301-101500-first").id == "20260301-101500-first"
    with pytest.raises(ConfigurationError, match="no such run"):
        harness.load("nowhere", results=results)


def test_trials_verdicts_and_rules_are_tables_with_units(results: Path) -> None:
    run = harness.load(results=results)
    assert run.headline == run.data.analysis.headline
    assert len(run.trials) == len(run.data.outcomes)
    assert set(run.verdicts["verdict"]) <= {"better", "worse", "equivalent", "undecided"}
    pair = run.data.analysis.findings[0].comparisons[0]
    row = run.verdicts.iloc[0]
    assert (row["variant_id"], row["ratio"], row["lo"]) == (pair.variant_id, pair.ratio.center, pair.ratio.lo)
    assert run.units.loc["latency_p95_s", "unit"] == "s"
    assert run.units.loc["working_set_peak_bytes", "unit"] == "bytes"
    assert {"regret_percent", "regret_hi_percent"} <= set(run.rules.columns)


def test_every_request_of_a_cell_is_a_row_with_its_block(results: Path) -> None:
    run = harness.load(results=results)
    cell = f"{samples.PLAIN_1.id}.items"
    valid = [r for r in run.data.outcomes if r.cell_id == cell and r.validity == "VALID"]
    requests = run.requests(cell)
    assert len(requests) == 200 * len(valid)
    assert sorted(set(requests["block"])) == [record.block for record in valid]
    first = requests.iloc[0]
    assert first["latency_s"] == pytest.approx(first["finished_s"] - first["intended_s"])
    with pytest.raises(ConfigurationError, match="no cell"):
        run.requests("nothing")


def test_figures_show_themselves_and_are_saved(results: Path, tmp_path: Path) -> None:
    plot = harness.load(results=results).plot
    for picture in (plot.ratios(), plot.ranking("io-wait"), plot.latency(), plot.memory(), plot.rules()):
        assert picture._repr_png_().startswith(b"\x89PNG")
    plot.ratios().save(tmp_path / "a.svg")
    plot.ratios().save(tmp_path / "a.png")
    assert (tmp_path / "a.svg").read_text().startswith("<svg")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ConfigurationError, match="no scenario of this run; there are items, io-wait"):
        plot.ratios("other")


def test_trials_and_requests_are_written_as_csv(results: Path) -> None:
    run = harness.load(results=results)
    written = dict(tables(run))
    assert set(written) == {"trials.csv", *(f"requests.{cell}.csv" for cell in run.cells)}
    assert written["trials.csv"].startswith(b"trial_id,variant_id,recipe,scenario,block,validity,reasons,")
    requests = written[f"requests.{samples.PLAIN_1.id}.items.csv"].splitlines()
    assert requests[0] == b"block,intended_s,sent_s,finished_s,latency_s,status"
    assert len(requests) == 1 + len(run.requests(f"{samples.PLAIN_1.id}.items"))


def test_two_runs_are_compared_and_other_machines_are_refused(results: Path) -> None:
    one, other = (harness.load(name, results=results) for name in ("20260301-101500-first", None))
    same = harness.compare(one, other, "throughput<-20%")
    # The sample run holds a cell that the generator held back: what was not measured is no pass.
    assert same.outcome == "inconclusive"
    assert "is GENERATOR-BOUND" in same.sentence
    assert set(same.changes["change"].round(9)) == {1.0}
    store = RunStore(results / "20260301-101500-first")
    store.update_manifest(host={"host": "vm", "cpu_model": "Xeon"})
    with pytest.raises(ConfigurationError, match=r"host\.cpu_model: 'Xeon' and 'EPYC'"):
        harness.compare(one, other)


def test_importing_the_package_loads_none_of_the_heavy_libraries() -> None:
    code = "import sys, harness; print([n for n in ('pandas', 'matplotlib', 'scipy') if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
