"""What the wrapper around the app costs: from the throughput of one drive after the other. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis.intervals import summarise
from harness.findings import WrapperCost

MIN_ROUNDS = 3


def wrapper_cost(
    wrapped_per_s: Sequence[float], bare_per_s: Sequence[float], *, scenario: str
) -> WrapperCost:
    """The geometric mean of wrapped / bare, paired by round, with its t interval.

    A round in which either gave nothing has no ratio. Raises ValueError below three rounds that have one.
    """
    pairs = zip(wrapped_per_s, bare_per_s, strict=True)
    ratios = [wrapped / bare for wrapped, bare in pairs if wrapped > 0 and bare > 0]
    if len(ratios) < MIN_ROUNDS:
        raise ValueError(f"only {len(ratios)} of {len(wrapped_per_s)} rounds gave answers on both sides")
    ratio = summarise(ratios)
    assert ratio.lo is not None
    assert ratio.hi is not None
    return WrapperCost(ratio=ratio.center, lo=ratio.lo, hi=ratio.hi, rounds=len(ratios), scenario=scenario)
