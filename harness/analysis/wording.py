"""How figures and lists are written in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from harness.findings import Summary
from harness.model import Scenario

NAMED = 3
"""Lists longer than this are counted instead of spelt out."""


def percent(fraction: float) -> str:
    """0.123 is "12 %"; below 10 % two digits are kept."""
    return f"{fraction * 100:.2g} %" if abs(fraction) < 0.1 else f"{fraction * 100:.0f} %"


def times(ratio: float) -> str:
    return f"{ratio:.2f}x" if ratio >= 0.1 else f"{ratio:.2g}x"


def change(ratio: Summary) -> str:
    """ "+12 % (95 % interval +8.1 % to +16 %)"."""
    bounds = change_interval(ratio)
    return f"{signed(ratio.center - 1)}{f' (95 % interval {bounds})' if bounds else ''}"


def change_interval(ratio: Summary) -> str:
    """ "+8.1 % to +16 %"; empty where there is no interval."""
    return "" if ratio.lo is None or ratio.hi is None else f"{signed(ratio.lo - 1)} to {signed(ratio.hi - 1)}"


def signed(fraction: float) -> str:
    """0.123 is "+12 %"."""
    return f"{'+' if fraction >= 0 else ''}{percent(fraction)}"


def interval(summary: Summary) -> str:
    """ "1.41-1.52"; empty where there is no interval."""
    return "" if summary.lo is None or summary.hi is None else f"{summary.lo:.2f}-{summary.hi:.2f}"


def spelt(names: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def objective(scenario: Scenario) -> str:
    """ "p95 <= 50 ms"."""
    return f"p{100 * (1 - scenario.slo_share):.4g} <= {scenario.slo_ms:g} ms"


def joined(items: Sequence[str], separator: str) -> str:
    more = f"{separator}and {len(items) - NAMED} more" if len(items) > NAMED else ""
    return separator.join(items[:NAMED]) + more
