from functools import partial

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from harness.analysis.intervals import p_value_beyond, paired_ratio
from harness.analysis.verdicts import decide, reach, regret, relative_difference, settled
from harness.findings import (
    Comparison,
    Direction,
    Summary,
    Verdict,
)

HIGHER, LOWER = Direction.HIGHER, Direction.LOWER
MIRROR = {Verdict.BETTER: Verdict.WORSE, Verdict.WORSE: Verdict.BETTER}


def summary(center, lo, hi):
    return Summary(center=center, lo=lo, hi=hi, n=5)


@pytest.mark.parametrize(
    ("ratio", "p", "direction", "margin", "verdict"),
    [
        ((1.20, 1.10, 1.31), 0.001, HIGHER, 0.03, "better"),
        ((1.20, 1.10, 1.31), 0.001, LOWER, 0.03, "worse"),
        ((0.80, 0.76, 0.85), 0.001, HIGHER, 0.03, "worse"),
        ((0.80, 0.76, 0.85), 0.001, LOWER, 0.03, "better"),
        ((1.20, 1.10, 1.31), 0.05, HIGHER, 0.03, "undecided"),
        ((1.20, 1.10, 1.31), 0.001, HIGHER, 0.20, "undecided"),
        ((1.00, 0.98, 1.02), 0.90, HIGHER, 0.20, "undecided"),
        ((1.01, 0.99, 1.02), 0.40, HIGHER, 0.03, "equivalent"),
        ((1.01, 1.005, 1.02), 0.001, HIGHER, 0.03, "equivalent"),
        ((1.02, 1.01, 1.04), 0.001, HIGHER, 0.03, "undecided"),
        ((1.00, 0.971, 1.0299), 0.90, HIGHER, 0.03, "equivalent"),
        ((1.00, 0.970, 1.0299), 0.90, HIGHER, 0.03, "undecided"),
        ((1.20, None, None), None, HIGHER, 0.03, "undecided"),
        ((1.20, 1.10, 1.31), 0.001, HIGHER, None, "undecided"),
    ],
)
def test_golden(ratio, p, direction, margin, verdict):
    assert decide(summary(*ratio), p, direction=direction, registered=0.03, margin=margin) == verdict


@pytest.mark.parametrize(("ratio", "difference"), [(1.0, 0.0), (1.25, 0.25), (0.8, 0.25), (2.0, 1.0)])
def test_a_ratio_and_its_inverse_are_equally_far_from_one(ratio, difference):
    assert relative_difference(ratio) == pytest.approx(difference)


@pytest.mark.parametrize(
    ("interval", "expected"), [((0.8, 1.1), 0.25), ((0.99, 1.3), 0.3), ((None, None), None)]
)
def test_reach_is_the_larger_end(interval, expected):
    assert reach(summary(1.0, *interval)) == (expected and pytest.approx(expected))


@pytest.mark.parametrize(("direction", "expected"), [(HIGHER, 0.2), (LOWER, -0.2)])
def test_regret_counts_what_is_lost(direction, expected):
    assert regret(0.8, direction) == pytest.approx(expected)


@given(
    st.floats(0.2, 5.0),
    st.floats(1.0, 2.0),
    st.floats(0.0, 1.0),
    st.floats(0.0, 0.5),
    st.sampled_from([HIGHER, LOWER]),
)
def test_swapping_the_sides_mirrors_the_verdict(center, spread, p, margin, direction):
    there = summary(center, center / spread, center * spread)
    back = summary(1 / center, 1 / there.hi, 1 / there.lo)
    edge = min(abs(relative_difference(r) - margin) for r in (center, there.lo, there.hi))
    if edge < 1e-9:
        return
    judged = partial(decide, direction=direction, registered=margin, margin=margin)
    verdict = judged(there, p)
    assert judged(back, p) == MIRROR.get(verdict, verdict)


def by_scipy(upper, lower, margin):
    """The verdict on higher-is-better figures from t tests on the logs, and how near it is to another one."""
    logs, bound = np.log(upper) - np.log(lower), np.log1p(margin)
    not_below = stats.ttest_1samp(logs, -bound, alternative="greater").pvalue
    not_above = stats.ttest_1samp(logs, bound, alternative="less").pvalue
    above = stats.ttest_1samp(logs, bound, alternative="greater").pvalue
    below = stats.ttest_1samp(logs, -bound, alternative="less").pvalue
    if max(not_below, not_above) < 0.025:
        verdict = Verdict.EQUIVALENT
    elif min(above, below) >= 0.025:
        verdict = Verdict.UNDECIDED
    else:
        verdict = Verdict.BETTER if above < 0.025 else Verdict.WORSE
    return verdict, min(abs(p - 0.025) for p in (not_below, not_above, above, below))


@given(
    shift=st.floats(-0.2, 0.2),
    spread=st.floats(1e-3, 0.1),
    blocks=st.integers(3, 12),
    margin=st.floats(0.01, 0.2),
    seed=st.integers(0, 2**32 - 1),
)
def test_verdicts_are_those_of_two_one_sided_tests_and_a_paired_one(shift, spread, blocks, margin, seed):
    rng = np.random.default_rng(seed)
    lower = rng.lognormal(7.0, 0.2, blocks)
    upper = lower * np.exp(rng.normal(shift, spread, blocks))
    expected, distance = by_scipy(upper, lower, margin)
    assume(distance > 1e-6)
    pair = paired_ratio(dict(enumerate(upper)), dict(enumerate(lower)))
    beyond = p_value_beyond(pair.ratio, margin)
    assert decide(pair.ratio, beyond, direction=HIGHER, registered=margin, margin=margin) is expected


def share_called(true_ratio, *, blocks, noise, runs=1000):
    """The share of runs with this true ratio that say better or worse, against a margin of 3 %."""
    rng = np.random.default_rng(blocks)
    called = 0
    for _ in range(runs):
        lower, upper = np.exp(rng.normal(0.0, noise, (2, blocks)))
        pair = paired_ratio(dict(enumerate(true_ratio * upper)), dict(enumerate(lower)))
        beyond = p_value_beyond(pair.ratio, 0.03)
        verdict = decide(pair.ratio, beyond, direction=HIGHER, registered=0.03, margin=0.03)
        called += verdict in MIRROR
    return called / runs


@pytest.mark.parametrize("noise", [0.005, 0.05])
@pytest.mark.parametrize("true_ratio", [1.03, 1 / 1.03])
def test_a_true_difference_of_exactly_the_margin_is_called_in_2_5_percent_of_runs(true_ratio, noise):
    """Up to 4 % is within three standard errors of 1,000 runs."""
    assert 0.01 <= share_called(true_ratio, blocks=6, noise=noise) <= 0.04


@pytest.mark.parametrize(("true_ratio", "least", "most"), [(1.02, 0.0, 0.005), (1.06, 0.95, 1.0)])
def test_less_than_the_margin_is_hardly_ever_called_and_twice_the_margin_nearly_always(
    true_ratio, least, most
):
    assert least <= share_called(true_ratio, blocks=8, noise=0.008) <= most


def test_a_difference_that_may_be_smaller_than_the_margin_is_undecided():
    ratio = summary(1.04, 1.001, 1.08)
    beyond = p_value_beyond(ratio, 0.03)
    assert beyond > 0.5
    assert decide(ratio, beyond, direction=HIGHER, registered=0.03, margin=0.03) is Verdict.UNDECIDED
    assert p_value_beyond(ratio, 0.001) == pytest.approx(0.05, abs=0.01)


RATIOS = st.tuples(st.floats(0.5, 2.0), st.floats(1.0, 1.5), st.floats(0.0, 1.0))


def compared(center, spread, p_value):
    return Comparison(
        scenario="items",
        metric="throughput_per_s",
        variant_id="a",
        baseline_id="b",
        ratio=summary(center, center / spread, center * spread),
        p_value=p_value,
        p_holm=None,
        margin=0.03,
        verdict=Verdict.UNDECIDED,
    )


@given(RATIOS, st.lists(RATIOS, max_size=6))
def test_more_comparisons_never_make_one_more_certain(one, others):
    alone, *_ = settled([compared(*one)], 0.03)
    among, *_ = settled([compared(*one), *(compared(*other) for other in others)], 0.03)
    assert among.p_holm >= alone.p_holm
    assert among.verdict in (alone.verdict, Verdict.UNDECIDED)


@given(RATIOS, st.floats(0.0, 0.5), st.floats(0.0, 0.5))
def test_a_noisier_machine_never_decides_more(one, floor, noise):
    """`floor` is the A/A floor of a run, `noise` what a noisier machine adds to it."""
    pair = compared(*one)
    judged = partial(decide, pair.ratio, pair.p_value, direction=HIGHER, registered=0.03)
    quiet, noisy = judged(margin=max(0.03, floor)), judged(margin=max(0.03, floor + noise))
    assert noisy in (quiet, Verdict.UNDECIDED)
