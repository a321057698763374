from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model import OWN_COMMAND, CapacityLoad, Matrix, OpenLoad
from harness.planning.plan import cells_of, plan_blocks
from harness.planning.remaining import remaining_blocks
from harness.planning.slices import GAP_S, Cut, cut_of, groups, turns, why_not_sliced
from tests.samples import ITEMS, PLAIN, STANDARD, a_matrix, a_record

CAPACITY = replace(ITEMS, name="capacity", load=CapacityLoad(clients=8))
BOTH = a_matrix(scenarios=(ITEMS, CAPACITY), slices=True)
CUTS = st.lists(
    st.builds(Cut, slice_s=st.floats(0.05, 2.0), gap_s=st.floats(0.01, 0.2)), min_size=2, max_size=8
)


@given(cuts=CUTS, measure_s=st.floats(4.0, 20.0), seed=st.integers(0, 100))
def test_each_trial_gets_its_time_and_nobody_is_ever_at_work_with_another(
    cuts: list[Cut], measure_s: float, seed: int
) -> None:
    order = turns(cuts, measure_s=measure_s, seed=seed)
    for before, after in pairwise(order):
        assert after.begin_s >= before.end_s + cuts[before.place].gap_s - 1e-9
    for place, cut in enumerate(cuts):
        own = [turn for turn in order if turn.place == place]
        assert all(turn.end_s - turn.begin_s == pytest.approx(cut.slice_s) for turn in own)
        assert measure_s - 1e-6 <= sum(turn.end_s - turn.begin_s for turn in own) < measure_s + cut.slice_s
    # At most one turn a round, and the shortest slices in every one of them.
    assert set(Counter((turn.place, turn.round) for turn in order).values()) == {1}
    rounds = order[-1].round + 1
    shortest = min(range(len(cuts)), key=lambda place: cuts[place].slice_s)
    assert [turn.round for turn in order if turn.place == shortest] == list(range(rounds))


def test_the_order_is_drawn_anew_each_round_and_again_the_same_for_the_same_seed() -> None:
    cuts = [Cut(slice_s=0.1, gap_s=0.01)] * 3
    order = turns(cuts, measure_s=6.0, seed=1)
    assert order == turns(cuts, measure_s=6.0, seed=1)
    rounds = [tuple(turn.place for turn in order if turn.round == number) for number in range(60)]
    assert set(map(frozenset, rounds)) == {frozenset({0, 1, 2})}
    assert len(set(rounds)) == 6


def test_slices_with_few_turns_are_spread_over_all_rounds() -> None:
    order = turns([Cut(slice_s=0.1, gap_s=0.01), Cut(slice_s=1.0, gap_s=0.1)], measure_s=4.0, seed=1)
    assert [turn.round for turn in order if turn.place == 1] == [5, 15, 25, 35]


@pytest.mark.parametrize(
    ("load", "median_s", "slice_s"),
    [
        (ITEMS.load, 0.002, 0.1),
        (ITEMS.load, 0.02, 0.4),
        # Never longer than half of the time there is.
        (ITEMS.load, 1.0, 1.5),
        (OpenLoad(rate_per_s=500.0), 0.002, 1.0),
        (OpenLoad(rate_per_s=160.0), 0.002, 1.25),
    ],
)
def test_a_slice_is_long_enough_to_be_steady(load: OpenLoad, median_s: float, slice_s: float) -> None:
    scenario = replace(ITEMS, load=load, measure_s=3.0)
    cut = cut_of(scenario, median_s=median_s, longest_s=0.03, look_s=0.001)
    assert cut.slice_s == pytest.approx(slice_s)
    assert cut.ramp_s == pytest.approx(slice_s / 10)
    assert cut.gap_s == pytest.approx(GAP_S + 0.03 + 0.002)


def test_what_shares_its_time_is_one_group_and_the_rest_stands_alone() -> None:
    (block, _) = plan_blocks(cells_of(BOTH), blocks=2, seed=3).blocks
    found = groups(block, BOTH)
    assert sorted(len(group) for group in found) == [1, 1, 1, 3]
    assert sorted(trial.id for group in found for trial in group) == sorted(trial.id for trial in block)
    (side_by_side,) = [group for group in found if len(group) > 1]
    assert {trial.cell.scenario.name for trial in side_by_side} == {"items"}
    assert len(groups(block, replace(BOTH, slices=False))) == len(block)


@pytest.mark.parametrize(
    ("matrix", "scenario", "why"),
    [
        (BOTH, ITEMS, None),
        (replace(BOTH, slices=False), ITEMS, "design.slices is false"),
        (BOTH, CAPACITY, "rates of its own"),
        (BOTH, replace(ITEMS, locustfile="locustfile.py"), "do not pause"),
        (
            a_matrix(slices=True, variants=(PLAIN, replace(STANDARD, cpu_quota=0.5))),
            ITEMS,
            "periods of 0.1 s",
        ),
        # Two variants and the twin, each with a generator: 3 x (128 + 128) MiB.
        (replace(BOTH, host_memory_mib=1024), ITEMS, "may need 768 MiB, and there are 1024"),
        (replace(BOTH, host_memory_mib=2048), ITEMS, None),
        (a_matrix(slices=True, variants=(replace(PLAIN, network="host"),)), ITEMS, None),
        (
            a_matrix(slices=True, variants=(replace(PLAIN, recipe=OWN_COMMAND, network="host"), PLAIN)),
            ITEMS,
            "the same port",
        ),
    ],
)
def test_every_reason_against_slices_is_said(matrix: Matrix, scenario: object, why: str | None) -> None:
    found = why_not_sliced(scenario, matrix)  # type: ignore[arg-type]
    assert found == why if why is None else why in (found or "")


def test_a_group_that_was_cut_short_is_measured_again_as_a_whole() -> None:
    matrix = a_matrix(slices=True)
    (first, second) = plan_blocks(cells_of(matrix), blocks=2, seed=matrix.seed).blocks
    kept = [a_record(trial.cell.variant, trial.cell.scenario, 1) for trial in first[:1]]
    assert remaining_blocks(kept, matrix) == (first, second)
    whole = [a_record(trial.cell.variant, trial.cell.scenario, 1) for trial in first]
    assert remaining_blocks([*kept, *whole[1:]], matrix) == (second,)
    assert remaining_blocks(kept, replace(matrix, slices=False)) == (first[1:], second)
