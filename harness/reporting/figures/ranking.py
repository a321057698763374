"""The figure that ranks: the deciding metric of a scenario with its intervals."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.analysis.metrics import METRICS, Metric
from harness.analysis.wording import percent
from harness.findings import CellSummary, ScenarioFinding
from harness.model import Validity
from harness.reporting.data import ReportData
from harness.reporting.figures.style import (
    FAINT,
    GOOD_BAND,
    INK,
    MUTED,
    Look,
    label,
    looks,
    new_figure,
    nothing_to_draw,
    styled,
    thousands,
)
from harness.reporting.tables import ordered_cells
from harness.reporting.wording import number


def ranking(data: ReportData, finding: ScenarioFinding) -> Figure:
    """Dots with 95 % intervals on the metric that ranks, best on top, every trial as a faint mark."""
    shown = METRICS[finding.metric]
    cells = ordered_cells(data, finding)
    with styled():
        figure = new_figure(1.25 + 0.36 * max(len(cells), 1))
        figure.set_label(f"{shown.label} by variant, {finding.scenario}")
        axes = figure.subplots()
        axes.set_title(f"{finding.scenario}: {shown.label} (95 % interval)", pad=18)
        axes.set_xlabel(
            f"{shown.axis}; {'further right' if shown.higher_is_better else 'further left'} is better"
        )
        if not cells:
            nothing_to_draw(axes, "no cell was measured")
            return figure
        _margin_band(axes, data, finding, shown)
        for row, cell in enumerate(cells):
            _trial_marks(axes, data, cell, shown, row)
            _interval(axes, finding, cell, shown, row, looks(data)[cell.variant_id])
        _name_rows(axes, data, finding, cells)
        axes.set_xlim(0, axes.dataLim.x1 * 1.16 if axes.dataLim.x1 > 0 else 1.0)
        thousands(axes.xaxis)
    return figure


def _margin_band(axes: Axes, data: ReportData, finding: ScenarioFinding, shown: Metric) -> None:
    """The baseline with the margin around it: what falls inside makes no practical difference."""
    baseline = next((c for c in finding.cells if c.variant_id == data.matrix.baseline_id), None)
    summary = baseline.metrics.get(shown.name) if baseline else None
    if summary is None:
        return
    center = summary.center * shown.scale
    axes.axvspan(
        center / (1 + finding.margin), center * (1 + finding.margin), color=GOOD_BAND, lw=0, zorder=0
    )
    axes.axvline(center, color=FAINT, lw=0.9, ls=(0, (4, 3)), zorder=1)
    axes.annotate(
        f"baseline ± {percent(finding.margin)}",
        (center, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(0, 2),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=8,
        color=MUTED,
    )


def _trial_marks(axes: Axes, data: ReportData, cell: CellSummary, shown: Metric, row: int) -> None:
    values = [
        value * shown.scale
        for record in data.outcomes
        if (record.variant_id, record.scenario) == (cell.variant_id, cell.scenario)
        and record.metrics is not None
        and record.validity is not Validity.INVALID
        and (value := getattr(record.metrics, shown.name)) is not None
    ]
    axes.plot(values, [row + 0.24] * len(values), ls="", marker="|", ms=4, mew=0.8, color=FAINT, zorder=2)


def _interval(
    axes: Axes, finding: ScenarioFinding, cell: CellSummary, shown: Metric, row: int, look: Look
) -> None:
    summary = cell.metrics.get(shown.name)
    if summary is None:
        axes.text(0, row, f"  {cell.word}: no number", va="center", color=MUTED)
        return
    center = summary.center * shown.scale
    best = cell.variant_id in finding.best_set
    right = center
    if summary.lo is not None and summary.hi is not None:
        right = max(center, summary.hi * shown.scale)
        ends = [summary.lo * shown.scale, right]
        axes.plot(ends, [row, row], color=look.colour, lw=2.2, solid_capstyle="butt", zorder=3)
    limited = cell.word is Validity.GENERATOR_BOUND
    axes.plot(
        [center],
        [row],
        ls="",
        marker=">" if limited else look.marker,
        ms=5.5,
        mfc=look.colour if best else "white",
        mec=look.colour,
        mew=1.4,
        zorder=4,
    )
    words = f"≥ {number(center)}" if limited and shown.higher_is_better else number(center)
    if cell.word is not Validity.VALID:
        words += f"  {cell.word}"
    axes.annotate(
        words,
        (right, row),
        xytext=(8, 0),
        textcoords="offset points",
        va="center_baseline",
        fontweight="bold" if best else "normal",
    )


def _name_rows(axes: Axes, data: ReportData, finding: ScenarioFinding, cells: Sequence[CellSummary]) -> None:
    names = [("★ " if c.variant_id in finding.best_set else "") + label(data, c.variant_id) for c in cells]
    axes.set_yticks(range(len(cells)), names)
    for text, cell in zip(axes.get_yticklabels(), cells, strict=True):
        text.set_color(MUTED if cell.variant_id == data.twin.id else INK)
        text.set_fontweight("bold" if cell.variant_id in finding.best_set else "normal")
    axes.set_ylim(len(cells) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
