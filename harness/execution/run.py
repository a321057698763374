"""Walk a plan: skip what is done, keep each outcome at once, stop in time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from harness.execution.ports import Clock
from harness.execution.trial import Progress, TrialOutcome
from harness.model import Plan, Trial, TrialRecord
from harness.planning.plan import STOP_AND_START_S


class RunEnd(StrEnum):
    """Why a run ended."""

    COMPLETE = "complete"
    BUDGET = "budget"
    INTERRUPTED = "interrupted"


class Watcher(Protocol):
    """Told what happens, as it happens."""

    def said(self, message: str) -> None: ...
    def trial_started(self, trial: Trial, *, number: int, of: int, seconds_left: float) -> None: ...
    def loading(self, progress: Mapping[str, float]) -> None: ...
    def trial_finished(self, record: TrialRecord) -> None: ...


def run_plan(
    plan: Plan,
    *,
    done: frozenset[str],
    left_out: Callable[[Trial], bool],
    measure: Callable[[Trial, Progress], TrialOutcome],
    keep: Callable[[TrialOutcome], None],
    clock: Clock,
    budget_s: float,
    watcher: Watcher,
) -> RunEnd:
    """Measure what is not done yet, block by block, in the plan's order.

    No block starts that is not expected to end within the budget: half a block adds no pair. The first
    block always runs, so that there is something to report. `left_out` says which trials cannot be
    measured (their image did not build).
    """
    started_s = clock.monotonic()
    pace = Pace()
    blocks = [[t for t in block if t.id not in done and not left_out(t)] for block in plan.blocks]
    total = sum(map(len, blocks))
    number = 0
    for index, block in enumerate(blocks):
        elapsed_s = clock.monotonic() - started_s
        if index > 0 and block and elapsed_s + pace.expected_s(block) > budget_s:
            watcher.said(f"budget of {budget_s:g} s reached after {index} of {len(blocks)} blocks")
            return RunEnd.BUDGET
        for position, trial in enumerate(block):
            number += 1
            rest = [*block[position:], *(t for later in blocks[index + 1 :] for t in later)]
            left_s = min(pace.expected_s(rest), max(0.0, budget_s - (clock.monotonic() - started_s)))
            watcher.trial_started(trial, number=number, of=total, seconds_left=left_s)
            trial_started_s = clock.monotonic()
            outcome = measure(trial, watcher.loading)
            keep(outcome)
            pace.took(trial, clock.monotonic() - trial_started_s)
            watcher.trial_finished(outcome.record)
    return RunEnd.COMPLETE


class Pace:
    """Expected durations: the scenario's own time plus the mean overhead seen so far."""

    def __init__(self) -> None:
        self._overheads_s: list[float] = []

    def took(self, trial: Trial, seconds: float) -> None:
        self._overheads_s.append(seconds - _load_s(trial))

    def expected_s(self, trials: Sequence[Trial]) -> float:
        overheads = self._overheads_s or [STOP_AND_START_S]
        return sum(map(_load_s, trials)) + len(trials) * sum(overheads) / len(overheads)


def _load_s(trial: Trial) -> float:
    return trial.cell.scenario.warmup_s + trial.cell.scenario.measure_s
