"""Clopper and Pearson's interval against figures of tables, and against what it promises."""

from __future__ import annotations

from math import comb

import pytest

from harness.analysis.binomial import binomial_interval


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
