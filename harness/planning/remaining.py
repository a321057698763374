"""What is still to be measured: a pure function of matrix and records, hence the same on resume."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from harness.model import Matrix, Trial, TrialRecord, Validity
from harness.planning.plan import cells_of, plan_blocks
from harness.planning.slices import why_not_sliced

Block = tuple[Trial, ...]
NO_END: Mapping[str, int] = MappingProxyType({})
SPOILT = (Validity.NOISY, Validity.INVALID)
"""Worth another try. Repeating a GENERATOR-BOUND trial until it is VALID would keep the slow ones."""


START_ATTEMPTS = 2
"""Trials after which what never came as far as its load is given up."""
ANY = ""
"""Every scenario; none has an empty name."""


def extra_blocks(matrix: Matrix) -> int:
    """How many blocks may be added for trials that were spoilt: half as many as were planned, rounded up."""
    return (matrix.blocks + 1) // 2


def remaining_blocks(
    records: Sequence[TrialRecord],
    matrix: Matrix,
    *,
    last_blocks: Mapping[str, int] = NO_END,
    left_out: Collection[str] = (),
) -> tuple[Block, ...]:
    """The trials still to be measured as things stand, by block; the first block is the next to run.

    The planned blocks come first. Then, as long as a cell lacks VALID trials, extra blocks with numbers
    of their own follow: a spoilt trial is never repeated alone, because on a drifting machine its
    partners of long ago are none. An extra block holds every cell of the scenario, so its pairs
    come from one stretch of time. What later blocks hold assumes that all goes well from here.

    A cell that is hopeless is tried in no later block: the answer would be the same. Where that is one of the
    baseline or its twin, nothing can be compared, and nothing of that scenario is left to measure.

    `last_blocks` gives, by cell id, the last block of a cell that needs no more; `left_out` are the
    builds (`Variant.build`) that failed. Within a block the order is that of a seeded shuffle of all cells.
    """
    numbered = plan_blocks(
        cells_of(matrix), blocks=matrix.blocks + extra_blocks(matrix), seed=matrix.seed
    ).blocks
    done = {record.trial_id for record in records}
    twin_id = replace(matrix.baseline, twin=True).id
    blocks: list[Block] = []
    for number, block in enumerate(numbered, start=1):
        hopeless = _hopeless([record for record in records if record.block < number])
        lost = {name for variant_id, name in hopeless if variant_id in (matrix.baseline_id, twin_id)}
        wanted = [
            trial
            for trial in block
            if number <= last_blocks.get(trial.cell.id, number)
            and trial.cell.variant.build not in left_out
            and (trial.cell.variant.id, trial.cell.scenario.name) not in hopeless
            and (trial.cell.variant.id, ANY) not in hopeless
            and not lost & {trial.cell.scenario.name, ANY}
        ]
        if number > matrix.blocks:
            before = [record for record in records if record.block < number]
            coming = Counter(trial.cell.id for earlier in blocks for trial in earlier)
            wanted = list(_repeated(wanted, before, coming, matrix))
        # Trials that share their time are measured together or not at all: a lone one would have no pair.
        again = {
            trial.cell.scenario.name
            for trial in wanted
            if trial.id not in done and why_not_sliced(trial.cell.scenario, matrix) is None
        }
        missing = tuple(t for t in wanted if t.id not in done or t.cell.scenario.name in again)
        if missing:
            blocks.append(missing)
    return tuple(blocks)


def _hopeless(records: Iterable[TrialRecord]) -> frozenset[tuple[str, str]]:
    """Variant id and scenario, or ANY of them, where trying again would change nothing.

    Either the variant cannot serve the app, or START_ATTEMPTS trials and no other failed before any load was
    sent: once may be an accident.
    """
    tried: dict[tuple[str, str], list[TrialRecord]] = defaultdict(list)
    for record in records:
        for scenario in (record.scenario, ANY):
            tried[record.variant_id, scenario].append(record)
    return frozenset(
        place
        for place, trials in tried.items()
        if (place[1] == ANY and any(trial.cannot_serve for trial in trials))
        or (len(trials) >= START_ATTEMPTS and all(trial.before_load for trial in trials))
    )


def _repeated(
    block: Sequence[Trial], before: Sequence[TrialRecord], coming: Mapping[str, int], matrix: Matrix
) -> Iterator[Trial]:
    """The trials of an extra block: all of each scenario in which some cell lacks VALID trials.

    A cell that broke every time, or does not fit into its memory, breaks again: it is neither a reason
    for an extra block nor part of one. Where it is the baseline or its twin, nothing can be compared.
    """
    outcomes: dict[str, list[TrialRecord]] = defaultdict(list)
    for record in before:
        outcomes[record.cell_id].append(record)
    usable = Counter(coming)
    for cell_id, trials in outcomes.items():
        usable[cell_id] += sum(trial.validity not in SPOILT for trial in trials)
    hopeful = [trial for trial in block if not _broken(outcomes[trial.cell.id])]
    for trial in hopeful:
        same = [other for other in hopeful if other.cell.scenario == trial.cell.scenario]
        comparable = sum(_is_baseline(other, matrix) for other in same) == 2
        if comparable and any(usable[other.cell.id] < matrix.blocks for other in same):
            yield trial


def _broken(trials: Sequence[TrialRecord]) -> bool:
    never_worked = bool(trials) and all(trial.validity is Validity.INVALID for trial in trials)
    return never_worked or any(trial.oom_killed for trial in trials)


def _is_baseline(trial: Trial, matrix: Matrix) -> bool:
    """The baseline itself or its twin."""
    variant = trial.cell.variant
    return variant.twin or variant.id == matrix.baseline_id
