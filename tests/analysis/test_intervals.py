import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.analysis.intervals import p_value_of_zero_mean, paired_ratio, summarise

POSITIVE = st.floats(min_value=1e-3, max_value=1e6)
SAMPLES = st.lists(POSITIVE, min_size=3, max_size=8)


def by_block(values):
    return dict(enumerate(values))


@pytest.mark.parametrize(
    ("values", "center", "lo", "hi"),
    [
        ([100.0, 100.0, 100.0], 100.0, 100.0, 100.0),
        ([90.0, 100.0, 110.0], 99.67, 77.67, 127.9),
    ],
)
def test_golden_intervals_on_the_log_scale(values, center, lo, hi):
    summary = summarise(values)
    assert (summary.center, summary.lo, summary.hi) == pytest.approx((center, lo, hi), rel=1e-3)
    assert summary.n == len(values)


@pytest.mark.parametrize(("values", "few"), [([42.0], "one value"), ([41.0, 43.024390], "two values")])
def test_two_values_have_a_centre_and_no_interval(values, few):
    """Such an interval was printed once: 189 requests/s, 0 to 57,362,009."""
    summary = summarise(values)
    assert (summary.center, summary.lo, summary.hi) == (pytest.approx(42.0), None, None)
    assert summary.warnings == (f"{few}: no interval",)


def test_counts_of_zero_are_ordinary_on_the_plain_scale():
    summary = summarise([0.0, 0.0, 0.0], log_scale=False)
    assert (summary.center, summary.lo, summary.hi, summary.warnings) == (0.0, 0.0, 0.0, ())


def test_a_zero_on_the_log_scale_is_kept_and_named():
    summary = summarise([0.0, 4.0])
    assert summary.center == 2.0
    assert "zero" in summary.warnings[0]


@given(SAMPLES.filter(lambda values: np.std(np.log(values)) > 1e-3))
def test_interval_is_that_of_scipy(values):
    logs = np.log(values)
    expected = stats.t.interval(0.95, len(logs) - 1, loc=logs.mean(), scale=stats.sem(logs))
    summary = summarise(values)
    assert (math.log(summary.lo), math.log(summary.hi)) == pytest.approx(tuple(expected), rel=1e-6, abs=1e-6)


@given(
    st.lists(st.floats(min_value=-5, max_value=5), min_size=2, max_size=8).filter(lambda v: np.std(v) > 1e-3)
)
def test_p_value_is_that_of_scipy(values):
    assert p_value_of_zero_mean(values) == pytest.approx(stats.ttest_1samp(values, 0.0).pvalue, rel=1e-6)


@pytest.mark.parametrize(("values", "p"), [([0.0, 0.0], 1.0), ([0.2, 0.2], 0.0)])
def test_p_value_without_any_spread(values, p):
    assert p_value_of_zero_mean(values) == p


def test_pairs_are_made_by_block_and_only_where_both_sides_are():
    pair = paired_ratio({0: 200.0, 1: 100.0, 2: 8.0, 5: 1.0}, {2: 4.0, 1: 50.0, 0: 100.0, 7: 1.0})
    assert (pair.ratio.center, pair.ratio.n, pair.p_value) == (pytest.approx(2.0), 3, 0.0)


def test_without_a_common_block_there_is_no_ratio():
    assert paired_ratio({0: 1.0}, {1: 1.0}) is None


@pytest.mark.parametrize("blocks", [1, 2])
def test_two_pairs_have_a_ratio_but_no_p_value(blocks):
    pair = paired_ratio(dict.fromkeys(range(blocks), 3.0), dict.fromkeys(range(blocks), 2.0))
    assert (pair.ratio.center, pair.ratio.lo, pair.p_value) == (pytest.approx(1.5), None, None)


def test_a_pair_with_a_zero_is_named():
    pair = paired_ratio({0: 0.0, 1: 2.0}, {0: 1.0, 1: 1.0})
    assert pair.ratio.n == 1
    assert pair.ratio.warnings[0] == "1 of 2 pairs hold a zero and have no ratio"


@given(st.lists(st.tuples(POSITIVE, POSITIVE), min_size=3, max_size=8))
def test_swapping_the_sides_inverts_the_ratio(pairs):
    upper, lower = by_block([a for a, _ in pairs]), by_block([b for _, b in pairs])
    there, back = paired_ratio(upper, lower), paired_ratio(lower, upper)
    inverse = (1 / there.ratio.center, 1 / there.ratio.hi, 1 / there.ratio.lo)
    assert (back.ratio.center, back.ratio.lo, back.ratio.hi) == pytest.approx(inverse, rel=1e-6)
    assert back.p_value == pytest.approx(there.p_value, abs=1e-6)


@given(st.lists(st.tuples(POSITIVE, POSITIVE), min_size=2, max_size=8), st.floats(0.01, 100.0))
def test_a_faster_machine_leaves_ratios_alone(pairs, factor):
    upper, lower = by_block([a for a, _ in pairs]), by_block([b for _, b in pairs])
    faster = paired_ratio(
        {k: v * factor for k, v in upper.items()}, {k: v * factor for k, v in lower.items()}
    )
    assert faster.ratio.center == pytest.approx(paired_ratio(upper, lower).ratio.center, rel=1e-6)


@pytest.mark.parametrize("n", [3, 5, 8])
def test_the_interval_holds_the_true_ratio_in_95_percent_of_runs(n):
    """Blocks move both sides together by 20 %; the pairing has to take that out."""
    rng, runs, true_ratio = np.random.default_rng(n), 2000, 1.3
    hits = 0
    for _ in range(runs):
        block = rng.normal(7.0, 0.2, n)
        lower = np.exp(block + rng.normal(0.0, 0.02, n))
        upper = true_ratio * np.exp(block + rng.normal(0.0, 0.02, n))
        ratio = paired_ratio(by_block(upper), by_block(lower)).ratio
        hits += ratio.lo <= true_ratio <= ratio.hi
    assert 0.93 <= hits / runs <= 0.97
