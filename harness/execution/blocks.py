"""Measure block after block: keep each outcome at once, stop in time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Protocol

from harness.execution.equipment import Progress, TrialOutcome
from harness.model import Trial, TrialRecord
from harness.planning.plan import STOP_AND_START_S
from harness.planning.remaining import Block
from harness.ports import Clock

Group = tuple[Trial, ...]
"""Trials that are measured together: of one scenario side by side, or a single one."""

Measure = Callable[[Group, Progress], Sequence[TrialOutcome]]
"""Measures a group, as part of a block that was entered before."""

Remaining = Callable[[Sequence[TrialRecord]], tuple[Block, ...]]
"""From all records so far to the blocks still to run, the next one first; it alone decides what is run."""


class RunEnd(StrEnum):
    """Why a run ended."""

    COMPLETE = "complete"
    BUDGET = "budget"
    INTERRUPTED = "interrupted"


class Watcher(Protocol):
    """Told what happens, as it happens."""

    def said(self, message: str) -> None: ...
    def trials_started(self, group: Group, *, number: int, of: int, seconds_left: float) -> None: ...
    def loading(self, progress: Mapping[str, float]) -> None: ...
    def trial_finished(self, record: TrialRecord) -> None: ...


def run_blocks(
    remaining: Remaining,
    *,
    records: Sequence[TrialRecord],
    block: Callable[[], AbstractContextManager[Measure]],
    keep: Callable[[TrialOutcome], None],
    groups: Callable[[Block], tuple[Group, ...]],
    clock: Clock,
    budget_s: float,
    watcher: Watcher,
) -> RunEnd:
    """Measure the next block until none remains. `records` are those of before a --resume.

    `groups` says which trials of a block are measured together. `block` is entered for each block: what the
    target needs fresh for it, and its servers.

    No block starts that is not expected to end within the budget: half a block adds no pair. The first
    block always runs, so that there is something to report. The time left is at most what remains, and
    less where blocks turn out not to be needed.
    """
    started_s, pace, known = clock.monotonic(), Pace(), list(records)
    while blocks := remaining(known):
        elapsed_s = clock.monotonic() - started_s
        if len(known) > len(records) and elapsed_s + pace.expected_s(blocks[0]) > budget_s:
            behind, last = blocks[0][0].block - 1, blocks[-1][0].block
            scenarios = ", ".join(sorted({trial.cell.scenario.name for trial in blocks[0]}))
            watcher.said(f"budget of {budget_s:g} s reached after {behind} of {last} blocks of {scenarios}")
            return RunEnd.BUDGET
        rest = [trial for block in blocks for trial in block]
        with block() as measure:
            for group in groups(blocks[0]):
                group_started_s = clock.monotonic()
                left_s = min(pace.expected_s(rest), max(0.0, budget_s - (group_started_s - started_s)))
                of = len(known) + len(rest)
                watcher.trials_started(group, number=len(known) + 1, of=of, seconds_left=left_s)
                outcomes = measure(group, watcher.loading)
                for outcome in outcomes:
                    keep(outcome)
                pace.took(group, clock.monotonic() - group_started_s)
                for outcome in outcomes:
                    watcher.trial_finished(outcome.record)
                    known.append(outcome.record)
                rest = [trial for trial in rest if trial not in group]
    return RunEnd.COMPLETE


class Pace:
    """Expected durations: the scenario's own time plus the mean overhead seen so far."""

    def __init__(self) -> None:
        self._overheads_s: list[float] = []

    def took(self, group: Group, seconds: float) -> None:
        under_load_s = sum(trial.cell.scenario.under_load_s for trial in group)
        self._overheads_s += [(seconds - under_load_s) / len(group)] * len(group)

    def expected_s(self, trials: Sequence[Trial]) -> float:
        overheads = self._overheads_s or [STOP_AND_START_S]
        load_s = sum(trial.cell.scenario.under_load_s for trial in trials)
        return load_s + len(trials) * sum(overheads) / len(overheads)
