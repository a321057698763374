"""Arrival times, fixed before the first request is sent. Pure: the seed is an argument."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def poisson(rate_per_s: float, duration_s: float, *, seed: int | Sequence[int]) -> NDArray[np.float64]:
    """Offsets in seconds, ascending, of a Poisson process on [0, duration_s); shape (n,), n random.

    Given their number, the arrivals of a Poisson process are independent and uniform
    (Kingman, Poisson Processes, section 2.4), which bounds them by the duration without a loop.
    """
    rng = np.random.default_rng(seed)
    count = rng.poisson(rate_per_s * duration_s)
    return np.sort(rng.uniform(0.0, duration_s, size=count))


def constant(rate_per_s: float, duration_s: float) -> NDArray[np.float64]:
    """Offsets in seconds, evenly spaced on [0, duration_s); shape (ceil(rate_per_s * duration_s),)."""
    # Without the tolerance 0.1/s for 30 s comes to 4 arrivals, because 0.1 * 30 is 3.0000000000000004.
    count = int(np.ceil(rate_per_s * duration_s - 1e-9))
    return np.arange(count) / rate_per_s
