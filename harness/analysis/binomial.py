"""How sure a share is that was counted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, betaincinv

from harness.analysis.intervals import CONFIDENCE


def binomial_interval(hits: int, n: int) -> tuple[float, float]:
    """The exact 95 % interval of a share, as fractions, for `hits` of `n` independent tries (n at least 1).

    It never covers less than it promises. Source: Clopper and Pearson, Biometrika 26 (1934).
    """
    tail = (1 - CONFIDENCE) / 2
    low = 0.0 if hits == 0 else float(betaincinv(hits, n - hits + 1, tail))
    high = 1.0 if hits == n else float(betaincinv(hits + 1, n - hits, 1 - tail))
    return low, high


def quantile_at_most(values: NDArray[np.float64], quantile: float) -> float | None:
    """The order statistic that a quantile lies at or below with 95 % confidence, whatever the distribution.

    `values` has shape (n,). The k-th smallest is such a bound where a binomial count of n tries with chance
    `quantile` is below k with that probability (H. A. David and H. N. Nagaraja 2003, "Order Statistics").
    None where n is too small for one: p99 takes 299 values.
    """
    n = values.size
    if n == 0:
        return None
    below = bdtr(np.arange(n, dtype=np.float64), n, quantile)
    enough = np.flatnonzero(below >= CONFIDENCE)
    # The count is below k = index + 1 with the probability of at most `index`.
    return float(np.sort(values)[enough[0]]) if enough.size else None
