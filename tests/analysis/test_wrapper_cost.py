import numpy as np
import pytest

from harness.analysis.wrapper_cost import wrapper_cost


def test_a_known_cost_lies_in_the_interval_as_often_as_promised() -> None:
    """400 runs of 12 rounds with 3 % noise and a true cost of 2 %, while the machine drifts."""
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(400):
        machine = rng.uniform(800, 1200, 12)
        wrapped = 0.98 * machine * rng.lognormal(0, 0.03, 12)
        cost = wrapper_cost(list(wrapped), list(machine * rng.lognormal(0, 0.03, 12)), scenario="items")
        hits += cost.lo <= 0.98 <= cost.hi
    assert 0.92 <= hits / 400 <= 0.98


def test_a_round_without_answers_has_no_ratio() -> None:
    cost = wrapper_cost([99.0, 0.0, 99.0, 99.0], [100.0, 100.0, 100.0, 100.0], scenario="items")
    assert (cost.rounds, cost.ratio) == (3, pytest.approx(0.99))
    with pytest.raises(ValueError, match="only 2 of 3 rounds"):
        wrapper_cost([99.0, 0.0, 99.0], [100.0, 100.0, 100.0], scenario="items")
