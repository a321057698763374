"""The figure of the decision: every variant's ratio to the baseline, with the noise behind it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from harness.analysis.metrics import METRICS
from harness.analysis.wording import percent, times
from harness.findings import CellSummary, Comparison, ScenarioFinding, Verdict
from harness.model import Validity
from harness.reporting.data import ReportData
from harness.reporting.figures.style import (
    FAINT,
    GOOD_BAND,
    INK,
    MUTED,
    new_figure,
    nothing_to_draw,
    styled,
)
from harness.reporting.tables import find_comparison, ordered_cells

WIDTH_IN = 4.6
"""Narrow enough for a phone, where it is shown as wide as the page, with text that is still read."""
ROW_IN, AROUND_IN = 0.42, 1.05
_COLOURS = {Verdict.BETTER: "#009E73", Verdict.WORSE: "#D55E00"}
_NEUTRAL = "#3d5166"
TICKS = (
    *(0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95),
    *(1.05, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0),
)
MOST_TICKS = 7
LEAST_REACH = 1.04
"""Of the axis on either side of 1, so that noise does not look like a difference."""


def ratios(data: ReportData, finding: ScenarioFinding) -> Figure:
    """A row for every variant, named above its interval; the band is what equal deployments may show."""
    metric = METRICS[finding.metric]
    cells = [cell for cell in ordered_cells(data, finding) if cell.trials]
    with styled():
        figure = new_figure(AROUND_IN + ROW_IN * max(len(cells), 1), width_in=WIDTH_IN)
        figure.set_label(f"{metric.label} of each variant over the baseline's, {finding.scenario}")
        axes = figure.subplots()
        axes.set_title(finding.scenario, pad=8)
        if not cells:
            nothing_to_draw(axes, "nothing was measured")
            return figure
        _axis(axes, finding, _reach(finding, cells), f"{metric.label} / baseline, 95 % interval")
        for row, cell in enumerate(cells):
            _row(axes, data, finding, cell, row)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_ylim(len(cells) - 0.45, -0.75)
        axes.grid(axis="y", visible=False)
    return figure


def _axis(axes: Axes, finding: ScenarioFinding, ends: tuple[float, float], text: str) -> None:
    axes.set_xscale("log")
    axes.set_xlim(*ends)
    axes.xaxis.set_major_locator(FixedLocator(_ticks(*ends)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}x"))
    better = "right" if METRICS[finding.metric].higher_is_better else "left"
    axes.set_xlabel(f"{text}; further {better} is better")
    if finding.floor is not None:
        axes.axvspan(1 / (1 + finding.margin), 1 + finding.margin, color=GOOD_BAND, lw=0, zorder=0)
    axes.axvline(1, color=FAINT, lw=1, zorder=1)


def _ticks(low: float, high: float) -> list[float]:
    """From 1 to both sides, as many as have room."""
    room = math.log(high / low) / MOST_TICKS
    chosen = [1.0]
    for side in (sorted(t for t in TICKS if t > 1), sorted((t for t in TICKS if t < 1), reverse=True)):
        last = 1.0
        for tick in side:
            if low < tick < high and abs(math.log(tick / last)) >= room:
                chosen.append(tick)
                last = tick
    return sorted(chosen)


def _reach(finding: ScenarioFinding, cells: Sequence[CellSummary]) -> tuple[float, float]:
    """How far the axis goes, as ratios: to every end of an interval, and always to both sides of 1."""
    low, high = 1 / LEAST_REACH / (1 + finding.margin), LEAST_REACH * (1 + finding.margin)
    for cell in cells:
        pair = find_comparison(finding, cell.variant_id)
        if pair is not None:
            values = [value for value in (pair.ratio.lo, pair.ratio.hi, pair.ratio.center) if value]
            low, high = min(low, *values), max(high, *values)
    spare = (high / low) ** 0.04
    return low / spare, high * spare


def _row(axes: Axes, data: ReportData, finding: ScenarioFinding, cell: CellSummary, row: int) -> None:
    best = cell.variant_id in finding.best_set
    is_baseline, is_twin = cell.variant_id == data.matrix.baseline_id, cell.variant_id == data.twin.id
    pair = find_comparison(finding, cell.variant_id)
    muted = is_twin or cell.word is not Validity.VALID
    name = "A/A twin of the baseline" if is_twin else cell.variant_id
    _label(axes, row, f"{'★ ' if best else ''}{name}", left=True, muted=muted, bold=best)
    _label(axes, row, _words(cell, pair, is_baseline=is_baseline), left=False, muted=muted, bold=best)
    if is_baseline:
        axes.plot([1], [row], ls="", marker="o", ms=6, color=INK, zorder=4)
    elif pair is not None:
        _interval(axes, pair, row, _NEUTRAL if is_twin else _COLOURS.get(pair.verdict, _NEUTRAL), is_twin)


def _interval(axes: Axes, pair: Comparison, row: int, colour: str, hollow: bool) -> None:
    if pair.ratio.lo is not None and pair.ratio.hi is not None:
        ends = [pair.ratio.lo, pair.ratio.hi]
        axes.plot(ends, [row, row], color=colour, lw=2.4, solid_capstyle="butt", zorder=3)
    face = "white" if hollow else colour
    axes.plot([pair.ratio.center], [row], ls="", marker="o", ms=6, mfc=face, mec=colour, zorder=4)


def _label(axes: Axes, row: int, text: str, *, left: bool, muted: bool, bold: bool) -> None:
    axes.annotate(
        text,
        (0.0 if left else 1.0, row - 0.42),
        xycoords=("axes fraction", "data"),
        ha="left" if left else "right",
        va="center",
        fontsize=9,
        fontweight="bold" if bold else "normal",
        color=MUTED if muted else INK,
        annotation_clip=False,
    )


def _words(cell: CellSummary, pair: Comparison | None, *, is_baseline: bool) -> str:
    if cell.word is not Validity.VALID:
        return str(cell.word)
    if is_baseline:
        return "baseline"
    if pair is None:
        return "not compared"
    bounds = (
        ""
        if pair.ratio.lo is None or pair.ratio.hi is None
        else (f" ({pair.ratio.lo:.2f}–{pair.ratio.hi:.2f})")
    )
    return f"{times(pair.ratio.center)}{bounds}"


def band_caption(finding: ScenarioFinding) -> str:
    """What the band behind the dots is."""
    if finding.floor is None:
        return "The A/A twin gave no floor: no difference is claimed."
    return f"Band: ±{percent(finding.margin)}, the margin or what two equal deployments may show here."
