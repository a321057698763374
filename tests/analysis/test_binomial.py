"""Clopper and Pearson's interval against figures of tables, and against what it promises."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from harness.analysis.binomial import binomial_interval, quantile_at_most


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(0, 20, 0.0, 0.1684), (20, 20, 0.8316, 1.0), (5, 10, 0.1871, 0.8129), (1, 60, 0.0004, 0.0894)],
)
def test_known_intervals(hits: int, n: int, low: float, high: float) -> None:
    assert binomial_interval(hits, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.97])
def test_it_covers_the_true_share_at_least_as_often_as_it_promises(share: float) -> None:
    n = 20
    covered = sum(
        comb(n, hits) * share**hits * (1 - share) ** (n - hits)
        for hits in range(n + 1)
        if binomial_interval(hits, n)[0] <= share <= binomial_interval(hits, n)[1]
    )
    assert covered >= 0.95


@pytest.mark.parametrize(("quantile", "least"), [(0.5, 5), (0.9, 29), (0.95, 59), (0.99, 299)])
def test_a_quantile_has_a_bound_from_as_many_values_as_the_tables_say(quantile: float, least: int) -> None:
    """The largest of n lies above it with 1 - quantile**n: 95 % from so many on."""
    values = np.arange(float(least))
    assert quantile_at_most(values[:-1], quantile) is None
    assert quantile_at_most(values, quantile) == values.max()
    assert quantile_at_most(np.empty(0), quantile) is None


def test_the_bound_of_a_quantile_holds_as_often_as_it_promises() -> None:
    rng, truth = np.random.default_rng(1), -np.log(0.01)
    bounds = [quantile_at_most(rng.exponential(size=900), 0.99) for _ in range(1000)]
    assert sum(bound is not None and bound >= truth for bound in bounds) >= 935
