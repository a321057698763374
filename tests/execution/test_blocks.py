from collections.abc import Collection, Iterable, Mapping
from contextlib import nullcontext

import pytest

from harness.execution.blocks import Pace, RunEnd, run_blocks
from harness.execution.equipment import Progress, TrialOutcome
from harness.model import Matrix, Trial, TrialRecord, Validity
from harness.planning.plan import STOP_AND_START_S, cells_of, plan_blocks
from harness.planning.remaining import remaining_blocks
from harness.planning.slices import groups
from tests.fakes import FakeClock
from tests.samples import a_matrix, a_record


class Listener:
    def __init__(self) -> None:
        self.heard: list[str] = []
        self.left_s: list[float] = []

    def said(self, message: str) -> None:
        self.heard.append(message)

    def trials_started(self, group: tuple[Trial, ...], *, number: int, of: int, seconds_left: float) -> None:
        self.heard.append(f"{number}/{of} {' '.join(trial.id for trial in group)}")
        self.left_s.append(seconds_left)

    def loading(self, progress: Mapping[str, float]) -> None: ...

    def trial_finished(self, record: TrialRecord) -> None: ...


def walk(
    matrix: Matrix,
    *,
    trial_s: float,
    budget_s: float,
    earlier: tuple[TrialRecord, ...] = (),
    invalid: Collection[str] = (),
) -> tuple[RunEnd, list[TrialRecord], Listener]:
    clock, listener, kept = FakeClock(), Listener(), []

    def measure(group: tuple[Trial, ...], progress: Progress) -> list[TrialOutcome]:
        clock.sleep(trial_s * len(group))
        return [
            TrialOutcome(
                record=a_record(
                    trial.cell.variant,
                    trial.cell.scenario,
                    trial.block,
                    Validity.INVALID if trial.id in invalid else Validity.VALID,
                ),
                load=None,
                readings=(),
                log="",
            )
            for trial in group
        ]

    end = run_blocks(
        lambda records: remaining_blocks(records, matrix),
        records=earlier,
        block=lambda: nullcontext(measure),
        groups=lambda block: groups(block, matrix),
        keep=lambda outcome: kept.append(outcome.record),
        clock=clock,
        budget_s=budget_s,
        watcher=listener,
    )
    return end, kept, listener


def ids(records: Iterable[TrialRecord]) -> list[str]:
    return [record.trial_id for record in records]


FOUR = a_matrix(blocks=4, seed=3)
PLAN = plan_blocks(cells_of(FOUR), blocks=4, seed=3)
IDS = [trial.id for trial in PLAN.trials]


def test_every_trial_is_kept_in_the_plans_order() -> None:
    end, kept, listener = walk(FOUR, trial_s=6, budget_s=1000)
    assert end is RunEnd.COMPLETE
    assert ids(kept) == IDS
    assert listener.heard[0] == f"1/12 {IDS[0]}"
    assert listener.heard[-1] == f"12/12 {IDS[-1]}"


@pytest.mark.parametrize("invalid", [(), (IDS[1], IDS[7]), (IDS[0], IDS[3], IDS[6], IDS[9])])
@pytest.mark.promise(7)
def test_a_run_resumed_anywhere_measures_the_same_trials_in_the_same_order(invalid: tuple[str, ...]) -> None:
    _, whole, _ = walk(FOUR, trial_s=6, budget_s=1000, invalid=invalid)
    for k in range(len(whole) + 1):
        _, rest, _ = walk(FOUR, trial_s=6, budget_s=1000, invalid=invalid, earlier=tuple(whole[:k]))
        assert ids(whole[:k] + rest) == ids(whole)


def test_extra_blocks_only_run_within_the_budget() -> None:
    # Four blocks of 3 x 6 s take 72 s; the extra one for the spoilt trial would end at 90.
    end, kept, _ = walk(FOUR, trial_s=6, budget_s=89, invalid=(IDS[0],))
    assert (end, ids(kept)) == (RunEnd.BUDGET, IDS)
    end, kept, _ = walk(FOUR, trial_s=6, budget_s=90, invalid=(IDS[0],))
    assert end is RunEnd.COMPLETE
    assert {record.block for record in kept[12:]} == {5}
    assert len(kept) == 15


def test_no_block_starts_that_would_not_end_in_time() -> None:
    # A block takes 3 x 6 s. After two blocks 36 s have gone; a third would end at 54.
    end, kept, listener = walk(FOUR, trial_s=6, budget_s=53)
    assert end is RunEnd.BUDGET
    assert ids(kept) == IDS[:6]
    assert "after 2 of 4 blocks" in listener.heard[-1]
    end, kept, _ = walk(FOUR, trial_s=6, budget_s=54)
    assert ids(kept) == IDS[:9]


def test_the_first_block_always_runs() -> None:
    end, kept, _ = walk(FOUR, trial_s=6, budget_s=1)
    assert end is RunEnd.BUDGET
    assert ids(kept) == IDS[:3]


def test_the_time_left_comes_true_once_trials_have_been_seen() -> None:
    _, _, listener = walk(FOUR, trial_s=6, budget_s=1000)
    assert listener.left_s[1:] == [6 * n for n in range(11, 0, -1)]


def test_the_time_left_never_promises_more_than_the_budget() -> None:
    _, _, listener = walk(FOUR, trial_s=6, budget_s=40)
    assert all(left <= 40 for left in listener.left_s)


def test_pace_learns_the_overhead_per_trial() -> None:
    pace, trial = Pace(), PLAN.trials[0]
    assert pace.expected_s([trial]) == 4 + STOP_AND_START_S
    pace.took((trial,), 6.0)
    pace.took((trial,), 8.0)
    assert pace.expected_s([trial, trial]) == 2 * (4 + 3)
