"""The figures that rank: the deciding metric with its intervals, and what it costs in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from harness.model import CellSummary, ScenarioFinding, Summary, Validity
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
from harness.reporting.wording import QUANTITIES, Quantity, number, percent, quantity

_MEMORY = QUANTITIES["working_set_peak_bytes"]
_NAME_SIZE = 8.5


def ranking(data: ReportData, finding: ScenarioFinding) -> Figure:
    """Dots with 95 % intervals on the metric that ranks, best on top, every trial as a faint mark."""
    shown = quantity(finding.metric)
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


def _margin_band(axes: Axes, data: ReportData, finding: ScenarioFinding, shown: Quantity) -> None:
    """The baseline with the margin around it: what falls inside makes no practical difference."""
    baseline = next((c for c in finding.cells if c.variant_id == data.matrix.baseline_id), None)
    summary = baseline.metrics.get(shown.metric) if baseline else None
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


def _trial_marks(axes: Axes, data: ReportData, cell: CellSummary, shown: Quantity, row: int) -> None:
    values = [
        value * shown.scale
        for record in data.outcomes
        if (record.variant_id, record.scenario) == (cell.variant_id, cell.scenario)
        and record.metrics is not None
        and record.validity is not Validity.INVALID
        and (value := getattr(record.metrics, shown.metric)) is not None
    ]
    axes.plot(values, [row + 0.24] * len(values), ls="", marker="|", ms=4, mew=0.8, color=FAINT, zorder=2)


def _interval(
    axes: Axes, finding: ScenarioFinding, cell: CellSummary, shown: Quantity, row: int, look: Look
) -> None:
    summary = cell.metrics.get(shown.metric)
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


def tradeoff(data: ReportData, finding: ScenarioFinding) -> Figure:
    """The ranking metric against peak memory, both with intervals, both axes from zero."""
    shown = quantity(finding.metric)
    with styled():
        figure = new_figure(4.2)
        figure.set_label(f"{shown.label} against memory, {finding.scenario}")
        axes = figure.subplots()
        axes.set_title(f"{finding.scenario}: {shown.label} against memory")
        axes.set_xlabel(_MEMORY.axis)
        axes.set_ylabel(shown.axis)
        points = _points(finding, shown)
        if not points:
            nothing_to_draw(axes, "no cell has both numbers")
            return figure
        for variant_id, across, up in points:
            _cross(axes, across, up, shown, looks(data)[variant_id], variant_id in finding.best_set)
        axes.set_xlim(0, axes.dataLim.x1 * 1.12)
        axes.set_ylim(0, axes.dataLim.y1 * 1.12)
        thousands(axes.xaxis)
        thousands(axes.yaxis)
        places = [(a.center * _MEMORY.scale, u.center * shown.scale) for _, a, u in points]
        _place_labels(figure, axes, places, [_name(data, finding, variant_id) for variant_id, _, _ in points])
    return figure


def _name(data: ReportData, finding: ScenarioFinding, variant_id: str) -> str:
    word = next(cell.word for cell in finding.cells if cell.variant_id == variant_id)
    return label(data, variant_id) + ("" if word is Validity.VALID else f" [{word}]")


def _points(finding: ScenarioFinding, shown: Quantity) -> list[tuple[str, Summary, Summary]]:
    """Variant, memory and ranking metric of every cell that has both."""
    return [
        (cell.variant_id, cell.metrics[_MEMORY.metric], cell.metrics[shown.metric])
        for cell in finding.cells
        if _MEMORY.metric in cell.metrics and shown.metric in cell.metrics
    ]


def _cross(axes: Axes, across: Summary, up: Summary, shown: Quantity, look: Look, best: bool) -> None:
    x, y = across.center * _MEMORY.scale, up.center * shown.scale
    if across.lo is not None and across.hi is not None:
        axes.plot([across.lo * _MEMORY.scale, across.hi * _MEMORY.scale], [y, y], color=look.colour, lw=1.4)
    if up.lo is not None and up.hi is not None:
        axes.plot([x, x], [up.lo * shown.scale, up.hi * shown.scale], color=look.colour, lw=1.4)
    axes.plot(
        [x],
        [y],
        ls="",
        marker=look.marker,
        ms=5.5,
        mfc=look.colour if best else "white",
        mec=look.colour,
        mew=1.4,
        zorder=4,
    )


def _place_labels(
    figure: Figure, axes: Axes, points: Sequence[tuple[float, float]], names: Sequence[str]
) -> None:
    """Put each name at the nearest free place around its point, with a line to it when it is far."""
    figure.draw_without_rendering()
    inside = axes.get_window_extent()
    taken = [line.get_window_extent().padded(4) for line in axes.lines]
    pixels_per_point = figure.dpi / 72
    # From the top downwards, so that the crowded lower places are filled last.
    for index in sorted(range(len(points)), key=lambda i: (-points[i][1], points[i][0])):
        measured = figure.text(0, 0, names[index], fontsize=_NAME_SIZE)
        extent = measured.get_window_extent()
        measured.remove()
        x, y = axes.transData.transform(points[index])
        (dx, dy, align), box = free_place(
            (x, y), (extent.width, extent.height), pixels_per_point, inside, taken
        )
        taken.append(box)
        axes.annotate(
            names[index],
            points[index],
            xytext=(dx, dy),
            textcoords="offset points",
            ha=align,
            va="center",
            fontsize=_NAME_SIZE,
            arrowprops=_leader(dx) if dy else None,
        )


def _leader(dx: float) -> dict[str, Any]:
    """A thin line from the near edge of a label to its point."""
    near_edge = (0.0 if dx > 0 else 1.0, 0.5)
    return {"arrowstyle": "-", "color": FAINT, "lw": 0.8, "relpos": near_edge, "shrinkB": 5}


def free_place(
    anchor: tuple[float, float], size: tuple[float, float], scale: float, inside: Bbox, taken: Sequence[Bbox]
) -> tuple[tuple[float, float, str], Bbox]:
    """Offset in points and alignment of a label near `anchor` that touches nothing, and its box.

    `anchor`, `size` (width, height) and the boxes are in pixels, `scale` is pixels per point. When
    every place is taken the one right of the point is used.
    """
    places = [
        (side * reach, lift * rise, "left" if side > 0 else "right")
        for rise in range(0, 132, 12)
        for reach in (9, 16, 24)
        for lift in ((1, -1) if rise else (1,))
        for side in (1, -1)
    ]
    boxes = [_label_box(anchor, size, scale, dx, dy) for dx, dy, _ in places]
    for place, box in zip(places, boxes, strict=True):
        fits = inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1
        if fits and not any(box.overlaps(other) for other in taken):
            return place, box
    return places[0], boxes[0]


def _label_box(
    anchor: tuple[float, float], size: tuple[float, float], scale: float, dx: float, dy: float
) -> Bbox:
    width, height = size
    left = anchor[0] + dx * scale - (width if dx < 0 else 0)
    return Bbox.from_bounds(left, anchor[1] + dy * scale - height / 2, width, height)
