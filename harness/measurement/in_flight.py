"""Whether requests in flight pile up over a window. Pure."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from harness.measurement.load import LoadRecord

BATCHES = 10
GROWTH_T = float(stdtrit(BATCHES - 2, 0.99))
"""Student's t, one-sided."""
GROWTH_NOISE = 3.0
"""Smaller growth than so many standard deviations of a Poisson count is chance, whatever the trend."""


def in_flight_growth(load: LoadRecord) -> tuple[float, bool]:
    """The rise of the number of requests in flight over the window, and whether it is significant.

    The window is cut into batches (B. Schmeiser 1982, "Batch size effects in the analysis of simulation
    output"), since from one request to the next the number hardly changes; a line is fitted to their
    means. The rise counts if Student's t of the slope exceeds its 99 % point and the rise itself three
    standard deviations of the count at the start. On a stable M/D/1 queue this is so in 2 % of windows
    of 1,000 arrivals at most, up to a load of 0.9.
    """
    means = _in_flight(load)
    at = np.arange(BATCHES) - (BATCHES - 1) / 2
    slope = float(at @ means / (at @ at))
    rise = slope * (BATCHES - 1)
    residuals = means - means.mean() - slope * at
    error = math.sqrt(float(residuals @ residuals) / (BATCHES - 2) / float(at @ at))
    clear = slope > GROWTH_T * error
    return rise, clear and rise > GROWTH_NOISE * math.sqrt(float(means[0]) + 1)


def _in_flight(load: LoadRecord) -> NDArray[np.float64]:
    """Mean number of requests in flight in each batch, shape (BATCHES,), from their intended times on.

    What never came back stays in flight.
    """
    edges_s = np.linspace(load.window_start_s, load.window_end_s, BATCHES + 1)
    ends_s = np.where(np.isnan(load.finished_s), np.inf, load.finished_s)
    # Seconds in flight up to each edge, summed over the requests.
    spent_s = np.array(
        [np.clip(np.minimum(ends_s, edge_s) - load.intended_s, 0, None).sum() for edge_s in edges_s]
    )
    # Requests from before the window have been in flight before its first edge too, which cancels.
    means: NDArray[np.float64] = np.diff(spent_s) / np.diff(edges_s)
    return means
