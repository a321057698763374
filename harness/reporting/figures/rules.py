"""What following each worker rule costs on this machine."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.reporting.data import ReportData, RuleRow
from harness.reporting.figures.style import FAINT, INK, MUTED, new_figure, nothing_to_draw, styled
from harness.reporting.run_tables import lost as lost_of

ROOM = 0.75
"""Right of the longest interval, as a share of the axis, for its words."""
_GREEN, _ORANGE = "#009E73", "#D55E00"


def regret(data: ReportData) -> Figure:
    """One panel a scenario: the share each rule loses to the best variant, smallest loss on top."""
    scenarios = list(dict.fromkeys(row.scenario for row in data.rules))
    with styled():
        columns = min(2, max(1, len(scenarios)))
        bands = max(1, math.ceil(len(scenarios) / columns))
        longest = max((len(_of(data, name)) for name in scenarios), default=3)
        figure = new_figure(bands * (1.0 + 0.32 * longest))
        figure.set_label("what following each worker rule costs")
        if not scenarios:
            nothing_to_draw(figure.subplots(), "the matrix names no worker rules")
            return figure
        panels = list(figure.subplots(bands, columns, squeeze=False, sharex=True).flat)
        for axes, name in zip(panels, scenarios, strict=False):
            axes.set_title(name)
            axes.set_xlabel("lost to the best (%)")
            axes.tick_params(axis="x", labelbottom=True)
            _draw(axes, _of(data, name))
        for axes in panels[len(scenarios) :]:
            axes.set_axis_off()
        ends = [(row.regret, row.regret_lo, row.regret_hi) for row in data.rules]
        lost = [100 * end for row in ends for end in row if end is not None]
        low, high = min(0.0, *lost, 0.0), max(1.0, *lost, 1.0)
        panels[0].set_xlim(low, high + ROOM * (high - low))
    return figure


def _draw(axes: Axes, rows: list[RuleRow]) -> None:
    for place, row in enumerate(rows):
        lost = (row.regret or 0.0) * 100
        words = "not ranked" if row.regret is None else _words(row)
        right = lost if row.regret_hi is None else 100 * row.regret_hi
        if row.regret is not None:
            colour = _GREEN if row.in_best_set else _ORANGE
            if row.regret_lo is not None:
                axes.plot([100 * row.regret_lo, right], [place, place], color=FAINT, lw=2.2)
            axes.plot([lost], [place], ls="", marker="o", ms=7, color=colour, clip_on=False)
        axes.annotate(
            words,
            (max(lost, right, 0.0), place),
            xytext=(8, 0),
            textcoords="offset points",
            va="center_baseline",
            color=MUTED if row.regret is None else INK,
        )
    axes.set_yticks(range(len(rows)), _names(rows))
    axes.tick_params(axis="y", length=0, pad=9, labelcolor=INK)
    axes.grid(axis="y", visible=False)
    axes.set_ylim(len(rows) - 0.4, -0.6)


def _words(row: RuleRow) -> str:
    """What is not distinguishable from the best has no figure but its bound."""
    found = lost_of(row)
    return found.interval if row.in_best_set and found.interval else found.text


def _names(rows: list[RuleRow]) -> list[str]:
    """Rule and worker count, and the recipe where several were measured."""
    recipes = [row.variant_id.partition(".")[0] for row in rows]
    several = len(set(recipes)) > 1
    return [
        f"{row.rule} → {row.workers}" + (f", {recipe}" if several else "")
        for row, recipe in zip(rows, recipes, strict=True)
    ]


def _of(data: ReportData, scenario: str) -> list[RuleRow]:
    rows = [row for row in data.rules if row.scenario == scenario]
    return sorted(rows, key=lambda row: (row.regret is None, row.regret or 0.0, row.workers, row.rule))
