"""Observations in plain lines: counts with binomial intervals, times as median and range."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from statistics import median

from harness.analysis.binomial import binomial_interval
from studies.observations import Observation


def line(seen: Observation, *, note: bool = True) -> str:
    told = f"  ({seen.note})" if note and seen.note else ""
    return f"  {seen.target:22} {seen.quantity:20} {figures(seen)}{told}"


def table(seen: Iterable[Observation]) -> str:
    """Every observation, under the name of its probe; where one was made again, the later one.

    A note that holds for all targets of a probe stands once, below them.
    """
    latest = {(o.probe, o.target, o.quantity): o for o in seen}
    by_probe: dict[str, list[Observation]] = {}
    for observation in latest.values():
        by_probe.setdefault(observation.probe, []).append(observation)
    return "\n".join("\n".join([f"{probe}:", *_lines(those)]) for probe, those in by_probe.items())


def _lines(those: Sequence[Observation]) -> Iterator[str]:
    notes: dict[str, set[str]] = {}
    for one in those:
        notes.setdefault(one.quantity, set()).add(one.note)
    shared = {quantity: note for quantity, (note, *more) in notes.items() if not more and note}
    for one in those:
        yield line(one, note=one.quantity not in shared)
    yield from (f"  {quantity}: {note}" for quantity, note in shared.items())


def figures(seen: Observation) -> str:
    """What was seen, in words. The interval is over the repeats: what happens within one hangs together."""
    values = [value for value in seen.values if value is not None]
    never = len(seen.values) - len(values)
    if seen.unit == "count" and seen.of is not None:
        if not values:
            return f"not exercised in {len(seen.values)} repeats"
        hit = sum(value > 0 for value in values)
        low, high = binomial_interval(hit, len(values))
        return f"{sum(values):g} of {seen.of}, in {hit} of {len(values)} repeats ({low:.0%} to {high:.0%})"
    if seen.unit == "yes":
        low, high = binomial_interval(int(sum(values)), len(values))
        return f"{sum(values):g} of {len(values)} ({low:.0%} to {high:.0%})"
    if seen.unit in ("id", "count"):
        # All the same: once. Otherwise each has its place, which the note explains.
        shown = seen.values if len(set(seen.values)) > 1 else seen.values[:1]
        return ", ".join("none" if value is None else f"{value:g}" for value in shown)
    scale, unit = (2**20, "MiB") if seen.unit == "bytes" else (1, seen.unit)
    parts = [f"never in {never} of {len(seen.values)}"] if never else []
    if values:
        span = [value / scale for value in (median(values), min(values), max(values))]
        parts.append(f"{span[0]:.3g} {unit} ({span[1]:.3g} to {span[2]:.3g}, n {len(values)})")
    return "; ".join(parts)
