"""The latency distribution on a log tail axis, where p99 is as far from p90 as p90 from p0."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from numpy.typing import NDArray

from harness.findings import ScenarioFinding
from harness.model import ClosedLoad
from harness.reporting.data import ReportData, TailCurve
from harness.reporting.figures.style import (
    FAINT,
    MUTED,
    Look,
    label,
    looks,
    name_lines,
    new_figure,
    nothing_to_draw,
    styled,
    thousands,
)
from harness.reporting.tables import ordered_cells

_POINTS = 90
_FIRM_TAIL, _SHOWN_TAIL = 100, 5
"""Slower requests that a quantile needs behind it to be drawn firmly, or at all."""
_START = math.log10(2)
"""The median: below it a log tail axis has next to no room."""
_TICKS = (50.0, 90.0, 95.0, 99.0, 99.9, 99.99, 99.999)


def tail_curve(latencies_s: NDArray[np.float64]) -> TailCurve:
    """Exact order statistics of latencies of shape (n,) on an even grid of tail positions.

    At most 90 of them: few enough for a small file, each a latency that was measured (type 1 of Hyndman
    and Fan, 1996). The last quantile has 5 slower requests behind it.
    """
    ordered = np.sort(latencies_s)
    count = len(ordered)
    if count <= 2 * _SHOWN_TAIL:
        return TailCurve(positions=np.empty(0), latencies_ms=np.empty(0))
    positions = np.linspace(_START, math.log10(count / _SHOWN_TAIL), _POINTS)
    ranks = np.ceil((1.0 - 10.0**-positions) * count - 1e-9).astype(int)
    return TailCurve(positions=positions, latencies_ms=ordered[np.clip(ranks - 1, 0, count - 1)] * 1e3)


def latency_tail(data: ReportData, finding: ScenarioFinding) -> Figure:
    """One line a variant, thin where fewer than 100 slower requests stand behind a quantile."""
    scenario = data.scenario(finding.scenario)
    with styled():
        figure = new_figure(4.4)
        figure.set_label(f"latency distribution, {finding.scenario}")
        axes = figure.subplots()
        closed = isinstance(scenario.load, ClosedLoad)
        axes.set_title(
            f"{finding.scenario}: latency distribution"
            + (" (closed loop: at saturation, not at a rate)" if closed else "")
        )
        curves = {
            cell.variant_id: curve
            for cell in ordered_cells(data, finding)
            if (curve := data.tails.get(f"{cell.variant_id}.{cell.scenario}")) and len(curve.positions)
        }
        if not curves:
            nothing_to_draw(axes, "too few right answers for a distribution")
            return figure
        for variant_id, curve in curves.items():
            _line(axes, curve, looks(data)[variant_id])
        reach = max(float(curve.positions[-1]) for curve in curves.values())
        _objective(axes, scenario.slo_ms, scenario.slo_share)
        _axes(axes, reach)
        ends = {
            label(data, variant_id): (
                looks(data)[variant_id],
                float(curve.positions[-1]),
                float(curve.latencies_ms[-1]),
            )
            for variant_id, curve in curves.items()
        }
        name_lines(axes, ends, quiet=label(data, data.twin.id))
    return figure


def _line(axes: Axes, curve: TailCurve, look: Look) -> None:
    positions, milliseconds = curve.positions, curve.latencies_ms
    firm = int(np.searchsorted(positions, positions[-1] - math.log10(_FIRM_TAIL / _SHOWN_TAIL), side="right"))
    axes.plot(positions[:firm], milliseconds[:firm], color=look.colour, ls=look.dash, lw=1.7)
    doubtful = slice(max(firm - 1, 0), None)
    axes.plot(positions[doubtful], milliseconds[doubtful], color=look.colour, ls=look.dash, lw=0.9, alpha=0.6)


def _objective(axes: Axes, slo_ms: float, slo_share: float) -> None:
    """The corner a curve has to pass below and to the right of."""
    place = -math.log10(slo_share)
    axes.plot([_START, place], [slo_ms, slo_ms], color=FAINT, lw=1.0, ls=(0, (4, 3)))
    axes.plot([place], [slo_ms], marker="v", ms=6, color=MUTED, ls="")
    axes.annotate(
        f"objective: p{100 * (1 - slo_share):g} within {slo_ms:g} ms",
        (_START, slo_ms),
        xytext=(4, 5),
        textcoords="offset points",
        fontsize=8,
        color=MUTED,
    )


def _axes(axes: Axes, reach: float) -> None:
    shown = [tick for tick in _TICKS if -math.log10(1 - tick / 100) <= reach + 0.02]
    axes.set_xticks([-math.log10(1 - tick / 100) for tick in shown], [f"{tick:g}" for tick in shown])
    axes.set_xlim(_START, _START + (reach - _START) * 1.01)
    axes.set_xlabel("percentile (log tail); thin: fewer than 100 slower requests")
    axes.set_yscale("log")
    axes.set_ylabel("latency (ms)")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes.yaxis.set_minor_locator(NullLocator())
    thousands(axes.yaxis)
    axes.margins(y=0.08)
    axes.autoscale_view()
