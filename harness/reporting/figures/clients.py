"""Throughput under more and more clients, with the knee that was foretold next to the one measured."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.analysis.client_steps import BLOCKING, THREADS, clients_of, knee
from harness.analysis.metrics import THROUGHPUT
from harness.analysis.samples import samples_of
from harness.findings import CellSummary, Summary
from harness.model import Scenario, Variant
from harness.reporting.data import ReportData
from harness.reporting.figures.style import FAINT, INK, looks, name_lines, new_figure, styled, thousands

Point = tuple[int, Summary]


def clients(data: ReportData, locustfile: str, rungs: Sequence[Scenario]) -> Figure:
    """One line a variant; for the blocking workload the line that 40 threads a worker foretell, dashed."""
    with styled():
        figure = new_figure(4.2)
        figure.set_label(f"throughput by clients, {locustfile}")
        axes = figure.subplots()
        axes.set_title(f"{locustfile}: throughput under more and more clients")
        told = (
            f" (dashed: what {THREADS} threads a worker foretell; x: the knee)"
            if locustfile == BLOCKING
            else ""
        )
        axes.set_xlabel(f"clients{told}")
        axes.set_ylabel("requests/s")
        lines = {}
        for variant in data.matrix.variants:
            points = _points(data, variant, rungs)
            if points:
                lines[variant.id] = (looks(data)[variant.id], float(points[-1][0]), points[-1][1].center)
                _draw(axes, data, variant, points)
                if locustfile == BLOCKING:
                    _foretold(axes, data, variant, points, rungs)
        axes.set_xlim(0, clients_of(rungs[-1]) * 1.02)
        axes.set_ylim(bottom=0)
        thousands(axes.yaxis)
        name_lines(axes, lines, quiet=data.twin.id)
    return figure


def _points(data: ReportData, variant: Variant, rungs: Sequence[Scenario]) -> list[Point]:
    cells: dict[str, CellSummary] = {
        finding.scenario: cell
        for finding in data.analysis.findings
        for cell in finding.cells
        if cell.variant_id == variant.id
    }
    return [
        (clients_of(rung), cells[rung.name].metrics[THROUGHPUT])
        for rung in rungs
        if THROUGHPUT in cells[rung.name].metrics
    ]


def _draw(axes: Axes, data: ReportData, variant: Variant, points: Sequence[Point]) -> None:
    look = looks(data)[variant.id]
    counts = [count for count, _ in points]
    axes.plot(
        counts, [seen.center for _, seen in points], color=look.colour, marker=look.marker, ms=6, lw=1.6
    )
    for count, seen in points:
        if seen.lo is not None and seen.hi is not None:
            axes.plot([count, count], [seen.lo, seen.hi], color=look.colour, lw=2.4, alpha=0.5)


def _foretold(
    axes: Axes, data: ReportData, variant: Variant, points: Sequence[Point], rungs: Sequence[Scenario]
) -> None:
    """min(clients, threads) / service time, the service time being that of the lightest load."""
    first_count, first = points[0]
    slope, threads = first.center / first_count, THREADS * variant.workers
    last_count = points[-1][0]
    axes.plot(
        [0, threads, max(threads, last_count)], [0, threads * slope, threads * slope], ls="--", color=FAINT
    )
    seen = knee(samples_of(data.records, data.matrix), variant.id, rungs)
    if seen is None:
        return
    axes.plot([seen.center], [seen.center * slope], ls="", marker="x", ms=9, mew=2, color=INK)
    spread = f" ({seen.lo:.0f}-{seen.hi:.0f})" if seen.lo is not None and seen.hi is not None else ""
    axes.annotate(
        f"knee: {seen.center:.0f} clients{spread}, foretold {threads}",
        (max(threads, last_count), threads * slope),
        xytext=(0, 5),
        textcoords="offset points",
        ha="right",
        va="bottom",
        color=INK,
    )
