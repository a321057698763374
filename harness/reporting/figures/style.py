"""One look for all figures: palette, fonts, export. No pyplot, so nothing is shown or kept between calls."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from harness.reporting.data import ReportData

INK, MUTED, FAINT, GRID = "#1f2933", "#616e7c", "#a8b3bf", "#e4e9ee"
TWIN_GREY, GOOD_BAND = "#9aa5b1", "#eef2f6"
WIDTH_IN = 9.0
"""Shown about 900 pixels wide, 9 pt text is then about 12 pixels high."""

# Okabe and Ito's palette, safe for colour-blind readers, without its yellow, which is unreadable on white.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
_MARKERS = ("o", "s", "D", "^", "v")
"""One fewer than the colours, so that no two variants out of thirty share both."""
_BASELINE_COLOUR = "#000000"

_RC: Any = {
    "font.family": ["DejaVu Sans", "sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.labelsize": 9,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelcolor": MUTED,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "svg.fonttype": "none",
    "path.simplify": True,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a variant is drawn, the same in every figure."""

    colour: str
    marker: str
    dash: str


def looks(data: ReportData) -> dict[str, Look]:
    """Black for the baseline, grey for its twin, the palette in matrix order for the rest."""
    chosen = {
        data.matrix.baseline_id: Look(colour=_BASELINE_COLOUR, marker="o", dash="-"),
        data.twin.id: Look(colour=TWIN_GREY, marker="o", dash="--"),
    }
    others = [variant.id for variant in data.matrix.variants if variant.id != data.matrix.baseline_id]
    for place, variant_id in enumerate(others):
        lap, step = divmod(place, len(_COLOURS))
        chosen[variant_id] = Look(
            colour=_COLOURS[step], marker=_MARKERS[place % len(_MARKERS)], dash=("-", "--", ":")[lap % 3]
        )
    return chosen


def label(data: ReportData, variant_id: str) -> str:
    """A variant's name in a figure: the twin and the baseline say what they are."""
    if variant_id == data.twin.id:
        return "A/A twin of the baseline"
    return f"{variant_id} (baseline)" if variant_id == data.matrix.baseline_id else variant_id


@contextmanager
def styled() -> Iterator[None]:
    """Drawing and exporting both happen under the house style: ticks are made as late as the export."""
    with mpl.rc_context(_RC), warnings.catch_warnings():
        # Which letters the font lacks is nothing for the terminal of someone who measures a server.
        warnings.filterwarnings("ignore", message="Glyph")
        yield


def new_figure(height_in: float, *, width_in: float = WIDTH_IN) -> Figure:
    return Figure(figsize=(width_in, height_in), layout="constrained", facecolor="white")


def thousands(axis: Axis) -> None:
    """Plain tick labels with thousands marked, never powers of ten."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))


def nothing_to_draw(axes: Axes, reason: str) -> None:
    """An empty panel says why it is empty."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, reason, ha="center", va="center", color=MUTED, transform=axes.transAxes)


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions as near as may be to `wanted`, at least `gap` apart, in the same order, inside [low, high].

    The gap shrinks when that many labels do not fit.
    """
    if not wanted:
        return []
    order = np.argsort(np.asarray(wanted), kind="stable")
    step = min(gap, (high - low) / max(len(wanted) - 1, 1))
    placed = np.clip(np.asarray(wanted, dtype=float)[order], low, high)
    for index in range(1, len(placed)):
        placed[index] = max(placed[index], placed[index - 1] + step)
    placed[-1] = min(placed[-1], high)
    for index in range(len(placed) - 2, -1, -1):
        placed[index] = min(placed[index], placed[index + 1] - step)
    result = np.empty_like(placed)
    result[order] = placed
    return [float(position) for position in result]


def name_lines(axes: Axes, names: Mapping[str, tuple[Look, float, float]], *, quiet: str) -> None:
    """Direct labels in the right margin, moved apart, each tied to the end of its line.

    `names` gives look and end point (x, y in data units) by label; the label `quiet` is muted.
    """
    points = axes.transData.transform([(x, y) for _, x, y in names.values()])
    heights = [axes.transAxes.inverted().transform(point)[1] for point in points]
    for (name, (look, x, y)), height in zip(
        names.items(), spread(heights, gap=0.062, low=0.01, high=0.99), strict=True
    ):
        axes.annotate(
            name,
            (x, y),
            xytext=(1.045, height),
            textcoords="axes fraction",
            va="center",
            fontsize=8.5,
            color=MUTED if name == quiet else INK,
            annotation_clip=False,
            arrowprops={
                **{"arrowstyle": "-", "color": look.colour, "lw": 1.0, "ls": look.dash},
                **{"relpos": (0, 0.5), "shrinkA": 2, "shrinkB": 3},
            },
        )


def png(figure: Figure) -> bytes:
    """150 dots per inch, without a date."""
    out = io.BytesIO()
    with styled():
        figure.savefig(out, format="png", dpi=150, metadata={"Software": None})
    return out.getvalue()


def svg(figure: Figure) -> str:
    """An `<svg>` element to put into a page: same figure, same text; letters stay letters."""
    out = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    title = figure.get_label() or "figure"
    with styled(), mpl.rc_context({"svg.hashsalt": str(title)}):
        figure.savefig(out, format="svg", metadata=nothing)
    text = out.getvalue()
    text = text[text.index("<svg") :]
    # Several figures share a page: ids that nothing refers to would only collide.
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    # A hundredth of a point is invisible, and rounding to it halves the file.
    text = re.sub(r"-?\d+\.\d{3,}", lambda found: f"{float(found[0]):.2f}", text)
    text = re.sub(r' transform="rotate\(-0 [^"]*"', "", text)
    text = re.sub(r"\s*\n\s*", " ", text)
    return text.replace("<svg ", f'<svg role="img" aria-label="{_attribute(str(title))}" ', 1)


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
