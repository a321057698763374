"""The trade-off of a search: memory against p95, and the set that nothing beats in everything."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from harness.decision.answer import Advice, Weighed, Why
from harness.reporting.figures.style import (
    FAINT,
    INK,
    MUTED,
    new_figure,
    nothing_to_draw,
    styled,
    thousands,
)

_LOOKS = {
    Why.CHOSEN: ("#009E73", "o", "chosen"),
    Why.PASSES: ("#0072B2", "o", "passes, costs more"),
    Why.COSTS_MORE: ("#56B4E9", "o", "measured, costs more"),
    Why.FAILS: ("#D55E00", "X", "fails"),
    Why.EDGE: ("#E69F00", "D", "at the edge"),
}
ROOM = 1.35
"""Of the axis above the highest dot, for its name."""


def advice_figure(advice: Advice) -> Figure:
    """A dot for every configuration that was measured; the line joins those of the Pareto set."""
    with styled():
        figure = new_figure(4.2, width_in=7.5)
        figure.set_label("memory against p95 latency of the configurations that were measured")
        axes = figure.add_subplot()
        dots = [one for one in advice.weighed if one.p95_s is not None and one.memory_mib is not None]
        if not dots:
            nothing_to_draw(axes, "no configuration has both a latency and a memory figure")
            return figure
        for why, (colour, marker, label) in _LOOKS.items():
            own = [one for one in dots if one.why is why]
            if own:
                axes.scatter(*_places(own), c=colour, marker=marker, s=48, label=label, zorder=3)
        _pareto(axes, advice, dots)
        axes.axhline(advice.question.slo_ms, color=MUTED, ls="--", lw=1, zorder=1)
        axes.annotate(
            f"objective: {advice.question.slo_ms:g} ms",
            (0.995, advice.question.slo_ms),
            xycoords=("axes fraction", "data"),
            xytext=(0, 4),
            textcoords="offset points",
            ha="right",
            color=MUTED,
            fontsize=8.5,
        )
        _name_chosen(axes, dots)
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_minor_locator(NullLocator())
        thousands(axes.yaxis)
        axes.set_xlim(left=0)
        axes.set_ylim(
            top=max([one.p95_s or 0 for one in dots] + [advice.question.slo_ms / 1000]) * 1000 * ROOM
        )
        axes.set_xlabel("working set of all replicas (MiB)")
        axes.set_ylabel("p95 latency at the rate with headroom (ms)")
        axes.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.15), ncols=2, frameon=False, fontsize=8.5)
    return figure


def _places(dots: list[Weighed]) -> tuple[list[float], list[float]]:
    return [one.memory_mib or 0.0 for one in dots], [1000 * (one.p95_s or 0.0) for one in dots]


def _pareto(axes: Axes, advice: Advice, dots: list[Weighed]) -> None:
    chosen = sorted(
        (one for one in dots if one.candidate in advice.pareto), key=lambda one: one.memory_mib or 0
    )
    if len(chosen) > 1:
        axes.plot(*_places(chosen), color=FAINT, lw=1.2, zorder=2, label="Pareto set")


def _name_chosen(axes: Axes, dots: list[Weighed]) -> None:
    for one in dots:
        if one.why is Why.CHOSEN:
            axes.annotate(
                one.candidate.variant.id,
                (one.memory_mib or 0.0, 1000 * (one.p95_s or 0.0)),
                xytext=(-4, 9),
                textcoords="offset points",
                fontsize=9,
                fontweight="bold",
                color=INK,
            )
