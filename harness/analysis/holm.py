"""Holm's step-down adjustment for several tests at once."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p-values, in the order given.

    The i-th smallest (from 0) of m is multiplied by m - i, and never falls below the one before it.
    Rejecting where the result is < 0.05 keeps the chance of any false rejection in the family at 5 %
    whatever the dependence (S. Holm 1979, "A simple sequentially rejective multiple test procedure").
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return tuple(adjusted)
