from collections.abc import Mapping

from harness.execution.run import Pace, RunEnd, run_plan
from harness.execution.trial import Progress, TrialOutcome
from harness.model import Plan, Trial, TrialRecord
from harness.planning.plan import STOP_AND_START_S, cells_of, plan_blocks
from tests.fakes import FakeClock
from tests.samples import a_matrix, a_record


class Listener:
    def __init__(self) -> None:
        self.heard: list[str] = []
        self.left_s: list[float] = []

    def said(self, message: str) -> None:
        self.heard.append(message)

    def trial_started(self, trial: Trial, *, number: int, of: int, seconds_left: float) -> None:
        self.heard.append(f"{number}/{of} {trial.id}")
        self.left_s.append(seconds_left)

    def loading(self, progress: Mapping[str, float]) -> None: ...

    def trial_finished(self, record: TrialRecord) -> None: ...


def walk(plan: Plan, *, trial_s: float, budget_s: float, done: frozenset[str] = frozenset()) -> tuple:
    clock, listener, kept = FakeClock(), Listener(), []

    def measure(trial: Trial, progress: Progress) -> TrialOutcome:
        clock.sleep(trial_s)
        record = a_record(trial.cell.variant, trial.cell.scenario, trial.block)
        return TrialOutcome(record=record, load=None, readings=(), log="")

    end = run_plan(
        plan,
        done=done,
        left_out=lambda trial: trial.cell.variant.workers == 99,
        measure=measure,
        keep=lambda outcome: kept.append(outcome.record.trial_id),
        clock=clock,
        budget_s=budget_s,
        watcher=listener,
    )
    return end, kept, listener


PLAN = plan_blocks(cells_of(a_matrix()), blocks=4, seed=3)
IDS = [trial.id for trial in PLAN.trials]


def test_every_trial_is_kept_in_the_plans_order() -> None:
    end, kept, listener = walk(PLAN, trial_s=6, budget_s=1000)
    assert end is RunEnd.COMPLETE
    assert kept == IDS
    assert listener.heard[0] == f"1/12 {IDS[0]}"
    assert listener.heard[-1] == f"12/12 {IDS[-1]}"


def test_a_resumed_run_measures_the_rest_in_the_same_order() -> None:
    for k in range(len(IDS) + 1):
        _, kept, _ = walk(PLAN, trial_s=6, budget_s=1000, done=frozenset(IDS[:k]))
        assert IDS[:k] + kept == IDS


def test_no_block_starts_that_would_not_end_in_time() -> None:
    # A block takes 3 x 6 s. After two blocks 36 s have gone; a third would end at 54.
    end, kept, listener = walk(PLAN, trial_s=6, budget_s=53)
    assert end is RunEnd.BUDGET
    assert kept == IDS[:6]
    assert "after 2 of 4 blocks" in listener.heard[-1]
    end, kept, _ = walk(PLAN, trial_s=6, budget_s=54)
    assert kept == IDS[:9]


def test_the_first_block_always_runs() -> None:
    end, kept, _ = walk(PLAN, trial_s=6, budget_s=1)
    assert end is RunEnd.BUDGET
    assert kept == IDS[:3]


def test_the_time_left_comes_true_once_trials_have_been_seen() -> None:
    _, _, listener = walk(PLAN, trial_s=6, budget_s=1000)
    assert listener.left_s[1:] == [6 * n for n in range(11, 0, -1)]


def test_the_time_left_never_promises_more_than_the_budget() -> None:
    _, _, listener = walk(PLAN, trial_s=6, budget_s=40)
    assert all(left <= 40 for left in listener.left_s)


def test_pace_learns_the_overhead_per_trial() -> None:
    pace, trial = Pace(), PLAN.trials[0]
    assert pace.expected_s([trial]) == 4 + STOP_AND_START_S
    pace.took(trial, 6.0)
    pace.took(trial, 8.0)
    assert pace.expected_s([trial, trial]) == 2 * (4 + 3)
