"""What following each worker rule costs on this machine."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.analysis.wording import percent
from harness.reporting.data import ReportData, RuleRow
from harness.reporting.figures.style import FAINT, INK, MUTED, new_figure, nothing_to_draw, styled

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
        lost = [row.regret * 100 for row in data.rules if row.regret is not None]
        panels[0].set_xlim(min(0.0, *lost, 0.0), max(1.0, *lost, 1.0) * 1.3)
    return figure


def _draw(axes: Axes, rows: list[RuleRow]) -> None:
    for place, row in enumerate(rows):
        lost = (row.regret or 0.0) * 100
        words = "not ranked" if row.regret is None else percent(row.regret)
        if row.regret is not None:
            colour = _GREEN if row.in_best_set else _ORANGE
            axes.plot([0, lost], [place, place], color=FAINT, lw=1.6)
            axes.plot([lost], [place], ls="", marker="o", ms=7, color=colour, clip_on=False)
        axes.annotate(
            words,
            (max(lost, 0.0), place),
            xytext=(8, 0),
            textcoords="offset points",
            va="center_baseline",
            color=MUTED if row.regret is None else INK,
        )
    axes.set_yticks(range(len(rows)), _names(rows))
    axes.tick_params(axis="y", length=0, pad=9, labelcolor=INK)
    axes.grid(axis="y", visible=False)
    axes.set_ylim(len(rows) - 0.4, -0.6)


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
