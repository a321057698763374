from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.verdicts import decide, reach, regret, relative_difference
from harness.model import Direction, Summary, Verdict

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
