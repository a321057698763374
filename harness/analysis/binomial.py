"""How sure a share is that was counted."""

from __future__ import annotations

from scipy.special import betaincinv

from harness.analysis.intervals import CONFIDENCE


def binomial_interval(hits: int, n: int) -> tuple[float, float]:
    """The exact 95 % interval of a share, as fractions, for `hits` of `n` independent tries (n at least 1).

    It never covers less than it promises. Source: Clopper and Pearson, Biometrika 26 (1934).
    """
    tail = (1 - CONFIDENCE) / 2
    low = 0.0 if hits == 0 else float(betaincinv(hits, n - hits + 1, tail))
    high = 1.0 if hits == n else float(betaincinv(hits + 1, n - hits, 1 - tail))
    return low, high
