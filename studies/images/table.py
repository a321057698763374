"""The pairs side by side, for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from studies.images.measure import quantities
from studies.images.pairs import PAIRS, ImagePair
from studies.observations import Observation, Unit

MEGABYTE = 1e6


def table(observations: Iterable[Observation]) -> RenderableType:
    """Every stored pair: medians of both sides, the second less the first, and their ratio."""
    stored = {(seen.probe, seen.target, seen.quantity): seen for seen in observations}
    return Group(*(part for pair in PAIRS for part in _pair(pair, stored)))


def _pair(pair: ImagePair, stored: Mapping[tuple[str, str, str], Observation]) -> Iterator[RenderableType]:
    first, second = (side.name for side in pair.sides)
    rows = [
        quantity
        for quantity in quantities(pair)
        if {(pair.probe, first, quantity), (pair.probe, second, quantity)} <= stored.keys()
    ]
    if not rows:
        return
    yield Text(f"\n{pair.claim}  {first} against {second}", style="bold")
    yield Text(pair.note, style="dim")
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    shown.add_column("")
    for heading in (first, second, "difference", "ratio"):
        shown.add_column(heading, justify="right")
    for name in rows:
        shown.add_row(name, *row(stored[pair.probe, first, name], stored[pair.probe, second, name]))
    yield shown


def row(first: Observation, second: Observation) -> tuple[str, str, str, str]:
    """Both medians, their difference and their ratio; empty where there is none to give."""
    one, other = middle(first.values), middle(second.values)
    shown, beside = (_amount(value, first.unit) for value in (one, other))
    if one is None or other is None or first.unit == "id":
        return shown, beside, "", ""
    return shown, beside, _amount(other - one, first.unit, sign="+"), f"{other / one:.2f}x" if one else ""


def middle(values: Sequence[float | None]) -> float | None:
    """The median; None when it did not happen even once, or mostly not."""
    happened = [value for value in values if value is not None]
    return median(happened) if 2 * len(happened) > len(values) else None


def _amount(value: float | None, unit: Unit, *, sign: str = "") -> str:
    """For example 189.00 MB, 0.0004 s, 10001."""
    if value is None:
        return "never"
    if unit == "bytes":
        return f"{value / MEGABYTE:{sign}.2f} MB"
    return f"{value:{sign}.4f} s" if unit == "s" else f"{value:.0f}"
