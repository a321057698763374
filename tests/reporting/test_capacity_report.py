"""A run that was ranked by capacity, in all its documents."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from harness.analysis.analyse import analyse
from harness.model import CapacityLoad, TrialRecord, Validity, Variant
from harness.reporting import html, markdown, tables, terminal
from harness.reporting.data import ReportData
from harness.reporting.figures import all_figures, png, svg
from harness.search import CapacitySearch, CapacityStep, StepOutcome
from tests.samples import ITEMS, PLAIN, STANDARD, a_matrix, a_record, some_metrics

SCENARIO = replace(ITEMS, load=CapacityLoad(clients=4))
MATRIX = a_matrix(scenarios=(SCENARIO,), blocks=3, server_cpus=(1, 2))


def a_step(rate_per_s: float, outcome: StepOutcome, *, confirmation: bool = False) -> CapacityStep:
    return CapacityStep(
        rate_per_s=rate_per_s,
        confirmation=confirmation,
        offered=1000,
        violations=30,
        slow_share_bound=0.04,
        in_flight_growth=0.0,
        outcome=outcome,
        reasons=(),
        cpu_ms_per_request=None,
    )


def searched(variant: Variant, block: int, per_s: float, **changes: object) -> TrialRecord:
    steps = (
        a_step(per_s * 0.8, StepOutcome.PASSED),
        a_step(per_s * 1.1, StepOutcome.FAILED),
        a_step(per_s * 1.05, StepOutcome.GENERATOR_LIMITED),
        a_step(per_s, StepOutcome.PASSED, confirmation=True),
    )
    return a_record(
        variant,
        SCENARIO,
        block,
        metrics=some_metrics(capacity_per_s=per_s, working_set_peak_bytes=2**29),
        search=CapacitySearch(peak_per_s=per_s * 1.2, steps=steps),
        **changes,
    )


@pytest.fixture(scope="module")
def data() -> ReportData:
    """standard is held back by the generator at 1,500 requests/s, plain carries 1,000."""
    bound = {"validity": Validity.GENERATOR_BOUND}
    records = tuple(
        searched(variant, block, per_s + block, **changes)
        for block in (1, 2, 3)
        for variant, per_s, changes in (
            (PLAIN, 1000.0, {}),
            (replace(PLAIN, twin=True), 1001.0, {}),
            (STANDARD, 1500.0, bound),
        )
    )
    return ReportData(
        run_id="r",
        matrix=MATRIX,
        analysis=analyse(records, MATRIX),
        records=records,
        provenance={"engine": "docker"},
    )


def test_capacity_is_told_per_core_and_per_gib(data: ReportData) -> None:
    rows = {row.variant_id: row for row in tables.capacity_rows(data, data.analysis.findings[0])}
    plain, standard = rows[PLAIN.id], rows[STANDARD.id]
    assert (plain.capacity.text, plain.per_core.text, plain.per_gib.text) == ("1,002", "501", "2,004")
    assert plain.capacity.interval
    assert (standard.capacity.text, standard.per_core.text) == ("≥ 1,502", "≥ 751")
    assert standard.capacity.interval == ""


def test_every_document_holds_the_capacities(data: ReportData) -> None:
    figures = all_figures(data)
    console = Console(file=io.StringIO(), width=80)
    console.print(terminal.report(data))
    assert isinstance(console.file, io.StringIO)
    for text in (html.report(data, figures), markdown.report(data), console.file.getvalue()):
        assert "1,502" in text
        assert "501" in text
        assert "per GiB of peak memory" in text
        assert "50 ms" in text


def test_the_search_is_drawn_with_every_outcome_named(data: ReportData) -> None:
    figure = all_figures(data)["search.items"]
    text = svg(figure)
    for told in ("how each capacity was found", "generator-limited", "offered to confirm", STANDARD.id):
        assert told in text
    assert len(figure.axes[0].get_lines()) >= 9 * 5
    assert png(figure).startswith(b"\x89PNG")


def test_a_scenario_without_a_search_has_no_such_figure_and_no_such_table() -> None:
    records = [a_record(block=block) for block in (1, 2)]
    matrix = a_matrix()
    plain = ReportData(
        run_id="r", matrix=matrix, analysis=analyse(records, matrix), records=tuple(records), provenance={}
    )
    assert "search.items" not in all_figures(plain)
    assert tables.capacity_rows(plain, plain.analysis.findings[0]) == ()
