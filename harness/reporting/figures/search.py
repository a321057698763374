"""How each capacity was found: every rate that was offered, and what the pass rule said of it."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.findings import ScenarioFinding
from harness.model import TrialRecord
from harness.reporting.data import ReportData
from harness.reporting.figures.style import (
    FAINT,
    GRID,
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
from harness.search import StepOutcome

_MARKERS = {StepOutcome.PASSED: "o", StepOutcome.FAILED: "x", StepOutcome.GENERATOR_LIMITED: ">"}
_TRIED, _CONFIRMED = 4.0, 7.0
_KEY = (
    ("passed", "o", _TRIED, MUTED),
    ("failed", "x", _TRIED, MUTED),
    ("generator-limited", ">", _TRIED, "white"),
    ("offered to confirm", "o", _CONFIRMED, MUTED),
    ("peak of the closed pilot", "|", 8.0, FAINT),
)


def search(data: ReportData, finding: ScenarioFinding) -> Figure:
    """One line a trial, grouped by variant: rates that passed are filled, those to confirm are large."""
    rows = [
        (cell.variant_id, record)
        for cell in ordered_cells(data, finding)
        for record in data.outcomes
        if (record.variant_id, record.scenario) == (cell.variant_id, finding.scenario) and record.search
    ]
    with styled():
        figure = new_figure(1.3 + 0.19 * max(len(rows), 3))
        figure.set_label(f"the search for each capacity, {finding.scenario}")
        axes = figure.subplots()
        axes.set_title(f"{finding.scenario}: how each capacity was found")
        axes.set_xlabel("offered rate (requests/s)")
        if not rows:
            nothing_to_draw(axes, "no search was made")
            return figure
        for height, (variant_id, record) in enumerate(rows):
            _row(axes, record, height, looks(data)[variant_id])
        _name_rows(axes, data, [variant_id for variant_id, _ in rows])
        axes.set_xlim(0, axes.dataLim.x1 * 1.04)
        thousands(axes.xaxis)
        _legend(figure)
    return figure


def _row(axes: Axes, record: TrialRecord, height: int, look: Look) -> None:
    """Every rate of one trial, and a bar at what the closed pilot reached."""
    assert record.search is not None
    axes.plot([record.search.peak_per_s], [height], ls="", marker="|", ms=8, mew=1.2, color=FAINT)
    for step in record.search.steps:
        axes.plot(
            [step.rate_per_s],
            [height],
            ls="",
            marker=_MARKERS[step.outcome],
            ms=_CONFIRMED if step.confirmation else _TRIED,
            color=look.colour,
            mfc=look.colour if step.outcome is StepOutcome.PASSED else "white",
            mew=1.2,
        )


def _name_rows(axes: Axes, data: ReportData, variant_ids: list[str]) -> None:
    """A variant's name once, in the middle of its trials, and a rule between variants."""
    names = list(dict.fromkeys(variant_ids))
    ends = [variant_ids.index(name) + variant_ids.count(name) for name in names]
    middles = [end - (variant_ids.count(name) + 1) / 2 for name, end in zip(names, ends, strict=True)]
    axes.set_yticks(middles, [label(data, name) for name in names])
    for text, name in zip(axes.get_yticklabels(), names, strict=True):
        text.set_color(MUTED if name == data.twin.id else INK)
    for end in ends[:-1]:
        axes.axhline(end - 0.5, color=GRID, lw=1.0)
    axes.set_ylim(len(variant_ids) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)


def _legend(figure: Figure) -> None:
    handles = [
        Line2D([], [], ls="", marker=marker, ms=size, mfc=fill, mec=MUTED, mew=1.2, label=name)
        for name, marker, size, fill in _KEY
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=len(_KEY), frameon=False, fontsize=8)
