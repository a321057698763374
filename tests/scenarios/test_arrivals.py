"""Arrival times against what is known of their distributions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from scenarios.loadkit import arrivals

RATE_PER_S, DURATION_S = 200.0, 100.0


def test_poisson_gaps_are_exponential() -> None:
    gaps_s = np.diff(arrivals.poisson(RATE_PER_S, DURATION_S, seed=7))
    assert stats.kstest(gaps_s, "expon", args=(0, 1 / RATE_PER_S)).pvalue > 0.01


def test_poisson_counts_vary_as_much_as_their_mean() -> None:
    counts = [len(arrivals.poisson(50.0, 1.0, seed=seed)) for seed in range(2000)]
    assert np.mean(counts) == pytest.approx(50, rel=0.02)
    assert np.var(counts) == pytest.approx(50, rel=0.15)


def test_poisson_arrivals_of_disjoint_seconds_are_independent() -> None:
    per_second = np.histogram(arrivals.poisson(RATE_PER_S, DURATION_S, seed=3), bins=100, range=(0, 100))[0]
    assert abs(np.corrcoef(per_second[:-1], per_second[1:])[0, 1]) < 0.3


def test_the_seed_decides() -> None:
    again = arrivals.poisson(RATE_PER_S, 1.0, seed=5)
    np.testing.assert_array_equal(arrivals.poisson(RATE_PER_S, 1.0, seed=5), again)
    other = arrivals.poisson(RATE_PER_S, 1.0, seed=6)
    assert len(other) != len(again) or not np.array_equal(other, again)


@pytest.mark.parametrize(
    ("rate_per_s", "duration_s", "count"),
    [(50, 6, 300), (0.1, 30, 3), (3, 0.5, 2), (1, 0.5, 1), (10, 0.3, 3)],
)
def test_constant_arrivals_fill_the_duration(rate_per_s: float, duration_s: float, count: int) -> None:
    offsets_s = arrivals.constant(rate_per_s, duration_s)
    assert len(offsets_s) == count
    assert offsets_s[0] == 0
    np.testing.assert_allclose(np.diff(offsets_s), 1 / rate_per_s)


@given(rate_per_s=st.floats(0.01, 2000), duration_s=st.floats(0.1, 20), seed=st.integers(0, 2**63 - 1))
def test_arrivals_ascend_within_the_duration(rate_per_s: float, duration_s: float, seed: int) -> None:
    for offsets_s in (
        arrivals.poisson(rate_per_s, duration_s, seed=seed),
        arrivals.constant(rate_per_s, duration_s),
    ):
        assert np.all(np.diff(offsets_s) >= 0)
        assert np.all((offsets_s >= 0) & (offsets_s < duration_s))
