from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.holm import holm

P_VALUES = st.lists(st.floats(min_value=0.0, max_value=1.0), min_size=1, max_size=7)


def by_closed_testing(p_values):
    """Holm's definition by brute force: the worst Bonferroni p of any subset the hypothesis is in."""
    indices = range(len(p_values))
    return [
        max(
            min(1.0, size * min(p_values[j] for j in subset))
            for size in range(1, len(p_values) + 1)
            for subset in combinations(indices, size)
            if i in subset
        )
        for i in indices
    ]


@pytest.mark.parametrize(
    ("p_values", "adjusted"),
    [
        ([], []),
        ([0.03], [0.03]),
        ([0.01, 0.04], [0.02, 0.04]),
        ([0.04, 0.01, 0.03], [0.06, 0.03, 0.06]),
        ([0.01, 0.01, 0.01], [0.03, 0.03, 0.03]),
        ([0.9, 0.8], [1.0, 1.0]),
        ([0.0, 1.0], [0.0, 1.0]),
    ],
)
def test_golden(p_values, adjusted):
    assert holm(p_values) == pytest.approx(adjusted)


@given(P_VALUES)
def test_agrees_with_closed_testing(p_values):
    assert holm(p_values) == pytest.approx(by_closed_testing(p_values))


@given(P_VALUES, st.randoms())
def test_the_order_of_the_tests_does_not_matter(p_values, random):
    order = random.sample(range(len(p_values)), len(p_values))
    adjusted = holm(p_values)
    assert holm([p_values[i] for i in order]) == pytest.approx([adjusted[i] for i in order])
