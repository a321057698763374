"""Throughput under more and more clients, drawn and placed in the reports."""

from __future__ import annotations

import pytest

from harness.analysis.client_steps import BLOCKING, ladders
from harness.reporting import facts, html
from harness.reporting.data import ReportData
from harness.reporting.figures import all_figures, clients
from tests.studies.claims.worlds import a_run, scenario, variant

COUNTS = (10, 40, 80, 120)
TWO = variant("uvicorn-standard.w2")


def report_data(workload: str) -> ReportData:
    """One worker with a knee at 40 clients and two with one at 80, on a service time of 0.1 s."""
    workers = {variant("uvicorn-standard.w1"): 1, TWO: 2}
    rates = {
        one: {f"at_{n}": {"throughput_per_s": min(n, 40 * count) / 0.1} for n in COUNTS}
        for one, count in workers.items()
    }
    run = a_run("pool", rates, scenarios=[scenario(f"at_{n}", workload, n) for n in COUNTS])
    records = tuple(record for cell in run.samples.cells.values() for record in cell)
    return ReportData(
        run_id="r", matrix=run.matrix, analysis=run.analysis, records=records, provenance={"engine": "docker"}
    )


def test_the_knee_stands_beside_the_one_that_was_foretold() -> None:
    data = report_data(BLOCKING)
    (axes,) = clients(data, BLOCKING, ladders(data.matrix)[BLOCKING]).axes
    texts = [text.get_text() for text in axes.texts]
    assert any(text.startswith("knee: 40 clients") and text.endswith("foretold 40") for text in texts)
    assert any(text.startswith("knee: 80 clients") and text.endswith("foretold 80") for text in texts)
    dashed = [list(line.get_ydata()) for line in axes.lines if line.get_linestyle() == "--"]
    plateaus = [heights[-1] for heights in dashed]
    assert plateaus == [pytest.approx(400, rel=0.01), pytest.approx(800, rel=0.01)]


def test_nothing_is_foretold_of_work_that_holds_no_thread() -> None:
    data = report_data("async_io")
    (axes,) = clients(data, "async_io", ladders(data.matrix)["async_io"]).axes
    assert not any("knee" in text.get_text() for text in axes.texts)
    assert len(list(axes.lines[0].get_xdata())) == len(COUNTS)


def test_the_page_shows_the_figure_and_what_the_server_takes_for_its_cpus() -> None:
    data = report_data(BLOCKING)
    assert "throughput under more and more clients" in html.report(data, all_figures(data))
    assert ("CPUs as the server sees them", "host 2, allowed 1, quota 1") in facts.method_rows(data)
