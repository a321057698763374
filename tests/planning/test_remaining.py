from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from harness.model import Matrix, Trial, TrialRecord, Validity
from harness.planning.plan import cells_of, plan_blocks
from harness.planning.remaining import extra_blocks, remaining_blocks
from tests.samples import ITEMS, PLAIN, STANDARD, a_matrix, a_record

RATE = replace(ITEMS, name="rate")
TWO = a_matrix(scenarios=(ITEMS, RATE), blocks=3)
CELLS = {cell.id for cell in cells_of(TWO)}
BASELINES = {f"{PLAIN.id}{twin}.{name}" for twin in ("", ".twin") for name in ("items", "rate")}
WORDS = st.sampled_from([Validity.VALID, Validity.VALID, *Validity])


def record(trial: Trial, validity: Validity = Validity.VALID, **changes: object) -> TrialRecord:
    return a_record(trial.cell.variant, trial.cell.scenario, trial.block, validity, **changes)


def run(matrix: Matrix, outcomes: dict[str, Validity], **kwargs: object) -> list[list[Trial]]:
    """Every block of a run whose trials end as `outcomes` says by trial id, VALID by default."""
    records: list[TrialRecord] = []
    blocks = []
    while remaining := remaining_blocks(records, matrix, **kwargs):
        blocks.append(list(remaining[0]))
        records += [record(trial, outcomes.get(trial.id, Validity.VALID)) for trial in remaining[0]]
    return blocks


def ids(trials: list[Trial] | tuple[Trial, ...]) -> set[str]:
    return {trial.cell.id for trial in trials}


ALL_IDS = [
    trial.id for trial in plan_blocks(cells_of(TWO), blocks=TWO.blocks + extra_blocks(TWO), seed=1).trials
]


def test_a_run_in_which_all_goes_well_is_the_plan() -> None:
    plan = plan_blocks(cells_of(TWO), blocks=TWO.blocks, seed=TWO.seed)
    assert remaining_blocks([], TWO) == plan.blocks
    assert run(TWO, {}) == [list(block) for block in plan.blocks]


@given(st.dictionaries(st.sampled_from(ALL_IDS), WORDS))
def test_every_block_holds_each_cell_once_and_always_the_baseline_and_its_twin(
    outcomes: dict[str, Validity],
) -> None:
    blocks = run(TWO, outcomes)
    assert TWO.blocks <= len(blocks) <= TWO.blocks + extra_blocks(TWO)
    for number, block in enumerate(blocks, start=1):
        assert {trial.block for trial in block} == {number}
        assert set(Counter(trial.cell.id for trial in block).values()) == {1}
        for scenario in {trial.cell.scenario.name for trial in block}:
            assert {cell for cell in BASELINES if cell.endswith(scenario)} <= ids(block)
    assert all(ids(block) == CELLS for block in blocks[: TWO.blocks])


@given(st.dictionaries(st.sampled_from(ALL_IDS), WORDS), st.data())
def test_what_remains_does_not_depend_on_where_the_run_was_cut(
    outcomes: dict[str, Validity], data: st.DataObject
) -> None:
    order = [trial for block in run(TWO, outcomes) for trial in block]
    k = data.draw(st.integers(min_value=0, max_value=len(order)))
    records = [record(trial, outcomes.get(trial.id, Validity.VALID)) for trial in order[:k]]
    rest: list[Trial] = []
    while remaining := remaining_blocks(records, TWO):
        rest += remaining[0]
        records += [record(trial, outcomes.get(trial.id, Validity.VALID)) for trial in remaining[0]]
    assert order[:k] + rest == order


def test_a_spoilt_trial_is_repeated_with_all_it_is_compared_with_and_no_other_scenario() -> None:
    blocks = run(TWO, {f"{STANDARD.id}.items.02": Validity.NOISY})
    assert len(blocks) == 4
    assert ids(blocks[3]) == {cell for cell in CELLS if cell.endswith("items")}


def test_a_repeat_that_is_spoilt_too_is_repeated_until_the_cap() -> None:
    spoilt = {f"{STANDARD.id}.items.{block:02d}": Validity.NOISY for block in (2, 4, 5, 6, 7, 8)}
    assert len(run(TWO, spoilt)) == 3 + extra_blocks(TWO) == 5


def test_a_variant_that_broke_every_time_is_neither_repeated_nor_a_reason_to() -> None:
    broken = {f"{STANDARD.id}.items.{block:02d}": Validity.INVALID for block in (1, 2, 3)}
    assert len(run(TWO, broken)) == 3
    blocks = run(TWO, {**broken, f"{PLAIN.id}.items.03": Validity.NOISY})
    assert ids(blocks[3]) == {f"{PLAIN.id}.items", f"{PLAIN.id}.twin.items"}


def test_a_variant_that_does_not_fit_into_its_memory_is_not_repeated() -> None:
    trials = [trial for block in run(TWO, {}) for trial in block]
    starved = f"{STANDARD.id}.items.02"
    records = [record(t) for t in trials if t.id != starved]
    records += [record(t, Validity.INVALID, oom_killed=True) for t in trials if t.id == starved]
    assert remaining_blocks(records, TWO) == ()


def test_a_variant_that_cannot_serve_the_app_is_tried_in_no_later_block() -> None:
    first = remaining_blocks([], TWO)[0]
    records = [
        record(trial, Validity.INVALID, cannot_serve=True)
        if trial.cell.variant == STANDARD
        else record(trial)
        for trial in first
    ]
    # A run that is cut within the block still measures the rest of it, as one that is not cut does.
    cut = remaining_blocks(records[:-1], TWO)
    assert cut[0] == first[-1:]
    for blocks in (remaining_blocks(records, TWO), cut[1:]):
        assert [len(block) for block in blocks] == [4, 4]
        assert all(trial.cell.variant != STANDARD for block in blocks for trial in block)


def stillborn(*cells: str) -> list[list[Trial]]:
    """The blocks of a run in which every trial of these cells fails before any load is sent."""
    records: list[TrialRecord] = []
    blocks = []
    while remaining := remaining_blocks(records, TWO):
        blocks.append(list(remaining[0]))
        records += [
            record(trial, Validity.INVALID, before_load=True) if trial.cell.id in cells else record(trial)
            for trial in remaining[0]
        ]
    return blocks


def test_a_variant_that_twice_failed_before_any_load_is_given_up() -> None:
    cells = {f"{STANDARD.id}.{name}" for name in ("items", "rate")}
    first, *later = stillborn(*cells)
    assert ids(first) == CELLS
    assert [ids(block) for block in later] == [CELLS - cells] * (TWO.blocks - 1)


def test_a_failure_under_one_scenario_is_given_up_there_alone() -> None:
    cell = f"{STANDARD.id}.items"
    assert [ids(block) for block in stillborn(cell)] == [CELLS, CELLS, CELLS - {cell}]


def test_without_the_baseline_there_is_nothing_to_go_on_for() -> None:
    assert len(stillborn(f"{PLAIN.id}.items", f"{PLAIN.id}.rate")) == 1
    here = {cell for cell in CELLS if cell.endswith("items")}
    assert [ids(block) for block in stillborn(f"{PLAIN.id}.items")] == [CELLS, CELLS, CELLS - here]


def test_a_start_that_failed_once_is_an_accident() -> None:
    first, second, third = remaining_blocks([], TWO)
    failed = first[0]
    records = [record(failed, Validity.INVALID, before_load=True), *map(record, first[1:])]
    assert remaining_blocks(records, TWO)[:2] == (second, third)


def test_without_a_working_baseline_there_is_nothing_to_repeat_for() -> None:
    broken = {f"{PLAIN.id}.items.{block:02d}": Validity.INVALID for block in (1, 2, 3)}
    assert len(run(TWO, {**broken, f"{STANDARD.id}.items.01": Validity.NOISY})) == 3


def test_the_generators_limit_is_no_reason_to_repeat() -> None:
    """Else only those trials would be kept in which the server happened to be slow."""
    assert len(run(TWO, {f"{STANDARD.id}.items.02": Validity.GENERATOR_BOUND})) == 3


def test_a_cell_has_no_trial_after_its_last_block() -> None:
    ends = {f"{STANDARD.id}.items": 2, **{cell: 1 for cell in CELLS if cell.endswith("rate")}}
    blocks = run(TWO, {f"{STANDARD.id}.rate.01": Validity.NOISY}, last_blocks=ends)
    assert [len(block) for block in blocks] == [6, 3, 2]


def test_a_recipe_that_did_not_build_is_left_out_and_the_order_of_the_rest_stays() -> None:
    whole = [trial for block in run(TWO, {}) for trial in block]
    kept = [trial for block in run(TWO, {}, left_out={STANDARD.recipe}) for trial in block]
    assert kept == [trial for trial in whole if trial.cell.variant.recipe != STANDARD.recipe]


def test_extra_blocks_that_are_foreseen_count_as_time_left() -> None:
    first = remaining_blocks([], TWO)[0]
    records = [record(trial, Validity.NOISY) for trial in first]
    assert [len(block) for block in remaining_blocks(records, TWO)] == [6, 6, 6]
