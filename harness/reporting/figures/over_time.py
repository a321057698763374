"""What happened while it ran: resources inside each trial, and the ranking metric over the blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from harness.analysis.metrics import METRICS
from harness.findings import ScenarioFinding
from harness.model import TrialRecord, Validity
from harness.reporting.data import ReportData, ResourceSeries
from harness.reporting.figures.style import (
    GOOD_BAND,
    INK,
    label,
    looks,
    name_lines,
    new_figure,
    nothing_to_draw,
    styled,
    thousands,
)
from harness.reporting.tables import ordered_cells

_MOST_COLUMNS = 5
_LINE_POINTS = 2400
"""Points of all lines of a figure together: keeps the SVG small however long the trials were."""

Line = tuple[NDArray[np.float64], NDArray[np.float64]]


def cpu_line(series: ResourceSeries, limit: int) -> Line:
    """Seconds since the window's start and CPU cores in use between readings, shapes (m,), m <= limit."""
    # Of a trial in slices only those count: between them others were at work.
    begins, ends = (
        (series.readings[0::2], series.readings[1::2])
        if series.slice_ends_s is not None
        else (series.readings[:-1], series.readings[1:])
    )
    at = np.array([reading.at_s for reading in begins]), np.array([reading.at_s for reading in ends])
    # The drain is short, and the gap after it is no time at work.
    until_s = at[1] if series.slice_ends_s is None else series.slice_ends_s
    used = np.array([late.cpu_s - early.cpu_s for early, late in zip(begins, ends, strict=True)])
    starts = np.arange(0, len(begins), _stride(len(begins), limit))
    lengths = np.add.reduceat(until_s - at[0], starts)
    middles = np.add.reduceat((at[0] + at[1]) / 2, starts) / np.diff([*starts, len(begins)])
    return middles - series.window_start_s, np.add.reduceat(used, starts) / lengths


def memory_line(series: ResourceSeries, limit: int) -> Line:
    """Seconds since the window's start and working set in MiB; where readings are merged, their peak."""
    stride = _stride(len(series.readings), limit)
    starts = np.arange(0, len(series.readings), stride)
    at = np.array([reading.at_s for reading in series.readings]) - series.window_start_s
    sizes = np.array([reading.working_set_bytes for reading in series.readings]) / 2**20
    return at[starts], np.maximum.reduceat(sizes, starts)


def _stride(count: int, limit: int) -> int:
    return max(1, math.ceil(count / limit))


def resources(data: ReportData, finding: ScenarioFinding) -> Figure:
    """Small multiples: CPU above memory, one pair a variant, one line a trial, the same axes for all."""
    measured = [
        (cell.variant_id, found)
        for cell in ordered_cells(data, finding)
        if (found := _series(data, cell.variant_id, finding.scenario))
    ]
    with styled():
        bands = max(1, math.ceil(len(measured) / _MOST_COLUMNS))
        figure = new_figure(0.5 + 2.7 * bands)
        figure.set_label(f"CPU and memory over time, {finding.scenario}")
        figure.suptitle(
            f"{finding.scenario}: CPU and memory over time, one line a trial",
            x=0.01,
            ha="left",
            fontsize=10.5,
            fontweight="bold",
        )
        if not measured:
            nothing_to_draw(figure.subplots(), "no trial that counts has readings of CPU and memory")
            return figure
        columns = math.ceil(len(measured) / bands)
        grid = figure.subplots(2 * bands, columns, squeeze=False, sharex=True)
        limit = max(8, _LINE_POINTS // (2 * sum(len(found) for _, found in measured)))
        for place, (variant_id, found) in enumerate(measured):
            band, column = divmod(place, columns)
            above, below = grid[2 * band][column], grid[2 * band + 1][column]
            _draw_pair(data, variant_id, found, (above, below), limit)
        _share_scales(list(grid[0::2].flat), list(grid[1::2].flat), len(measured))
        _name_edges(grid, len(measured))
    return figure


def _series(data: ReportData, variant_id: str, scenario: str) -> list[ResourceSeries]:
    return [
        data.series[record.trial_id]
        for record in data.outcomes
        if (record.variant_id, record.scenario) == (variant_id, scenario)
        and record.validity is not Validity.INVALID
        and record.trial_id in data.series
        and len(data.series[record.trial_id].readings) > 1
    ]


def _draw_pair(
    data: ReportData, variant_id: str, found: Sequence[ResourceSeries], pair: tuple[Axes, Axes], limit: int
) -> None:
    look = looks(data)[variant_id]
    length = max(series.window_end_s - series.window_start_s for series in found)
    for axes, line_of in zip(pair, (cpu_line, memory_line), strict=True):
        axes.axvspan(0, length, color=GOOD_BAND, lw=0, zorder=0)
        for series in found:
            axes.plot(*line_of(series, limit), color=look.colour, lw=1.1, alpha=0.75)
    # Ids are wider than a panel: the recipe above, the levels below.
    name = "A/A twin\n" if variant_id == data.twin.id else variant_id.replace(".", "\n.", 1)
    pair[0].set_title(name, fontsize=8.5, fontweight="normal", color=INK)


def _share_scales(above: Sequence[Axes], below: Sequence[Axes], count: int) -> None:
    """All panels of one quantity from zero to the same top, so that heights compare."""
    for panels in (above, below):
        top = max(axes.dataLim.y1 for axes in panels[:count])
        for axes in panels:
            axes.set_ylim(0, top * 1.12)
            axes.yaxis.set_major_locator(MaxNLocator(3))
            axes.xaxis.set_major_locator(MaxNLocator(3))
            axes.grid(axis="x", visible=False)
            thousands(axes.yaxis)
        for axes in panels[count:]:
            axes.set_axis_off()


def _name_edges(grid: NDArray[np.object_], count: int) -> None:
    columns = grid.shape[1]
    for row, words in enumerate(("CPU cores", "memory MiB") * (len(grid) // 2)):
        grid[row][0].set_ylabel(words, fontsize=8)
        for axes in grid[row][1:]:
            axes.tick_params(axis="y", labelleft=False)
    for place in range(max(0, count - columns), count):
        lowest = grid[2 * (place // columns) + 1][place % columns]
        lowest.tick_params(axis="x", labelbottom=True)
        lowest.set_xlabel("s since the window began", fontsize=8)


def drift(data: ReportData, finding: ScenarioFinding) -> Figure:
    """The ranking metric by block: lines that move together show the machine drifting, not the variants."""
    shown = METRICS[finding.metric]
    with styled():
        figure = new_figure(3.8)
        figure.set_label(f"{shown.label} over the blocks, {finding.scenario}")
        axes = figure.subplots()
        axes.set_title(f"{finding.scenario}: {shown.label} over the blocks")
        axes.set_xlabel("block, in order of time")
        axes.set_ylabel(shown.axis)
        lines = {
            cell.variant_id: line
            for cell in ordered_cells(data, finding)
            if len((line := _by_block(data.outcomes, cell.variant_id, finding))[0])
        }
        if not lines:
            nothing_to_draw(axes, "no valid trial")
            return figure
        for variant_id, (blocks, values) in lines.items():
            look = looks(data)[variant_id]
            axes.plot(blocks, values, color=look.colour, ls=look.dash, marker=look.marker, ms=4, lw=1.3)
        axes.set_ylim(0, axes.dataLim.y1 * 1.12)
        axes.set_xticks(sorted({int(block) for blocks, _ in lines.values() for block in blocks}))
        thousands(axes.yaxis)
        ends = {
            label(data, variant_id): (looks(data)[variant_id], float(blocks[-1]), float(values[-1]))
            for variant_id, (blocks, values) in lines.items()
        }
        name_lines(axes, ends, quiet=label(data, data.twin.id))
    return figure


def _by_block(records: Sequence[TrialRecord], variant_id: str, finding: ScenarioFinding) -> Line:
    """Block numbers and values of the valid trials, shapes (n,)."""
    scale = METRICS[finding.metric].scale
    found = sorted(
        (record.block, value * scale)
        for record in records
        if (record.variant_id, record.scenario) == (variant_id, finding.scenario)
        and record.validity is Validity.VALID
        and record.metrics is not None
        and (value := getattr(record.metrics, finding.metric)) is not None
    )
    return np.array([block for block, _ in found]), np.array([value for _, value in found])
