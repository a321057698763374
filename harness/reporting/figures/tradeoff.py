"""What the ranking metric costs in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from harness.analysis.metrics import METRICS, WORKING_SET, Metric
from harness.findings import ScenarioFinding, Summary
from harness.model import Validity
from harness.reporting.data import ReportData
from harness.reporting.figures.style import (
    FAINT,
    Look,
    label,
    looks,
    new_figure,
    nothing_to_draw,
    styled,
    thousands,
)

_MEMORY = METRICS[WORKING_SET]
_NAME_SIZE = 8.5


def tradeoff(data: ReportData, finding: ScenarioFinding) -> Figure:
    """The ranking metric against peak memory, both with intervals, both axes from zero."""
    shown = METRICS[finding.metric]
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


def _points(finding: ScenarioFinding, shown: Metric) -> list[tuple[str, Summary, Summary]]:
    """Variant, memory and ranking metric of every cell that has both."""
    return [
        (cell.variant_id, cell.metrics[_MEMORY.name], cell.metrics[shown.name])
        for cell in finding.cells
        if _MEMORY.name in cell.metrics and shown.name in cell.metrics
    ]


def _cross(axes: Axes, across: Summary, up: Summary, shown: Metric, look: Look, best: bool) -> None:
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
