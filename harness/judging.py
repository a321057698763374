"""What trials came to, from what they left: metrics, signals, and whether they may be believed. Pure.

Judging the same evidence twice gives the same record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan

import numpy as np

from harness.deployment import ResourceReading
from harness.errors import TrialError
from harness.evidence import TrialEvidence
from harness.measurement.accounting import new_workers, wrong_bodies
from harness.measurement.capacity import capacity_of, search_findings
from harness.measurement.load import LoadRecord
from harness.measurement.metrics import trial_metrics
from harness.measurement.rounds import disturbances, without
from harness.measurement.signals import trial_signals
from harness.measurement.trial_evidence import Evidence
from harness.measurement.validity import judge
from harness.model import Cell, TrialRecord, Validity
from harness.recipes import EXPECTED_STACK
from harness.signals import TrialSignals


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """A trial with all that it left."""

    cell: Cell
    record: TrialRecord
    """What is said of it without looking at any figure; of one that failed, all that is said of it."""
    evidence: TrialEvidence | None
    """None of a trial that did not go through all of its load: there is nothing to judge."""
    load: LoadRecord | None
    readings: tuple[ResourceReading, ...]
    log: str


def judged(trials: Sequence[Gathered]) -> tuple[TrialRecord, ...]:
    """The records of trials that took turns, or of a single one, in the same order.

    A round that was disturbed is left out for all of them.
    """
    sliced = [(trial.evidence, trial.readings) for trial in trials if trial.evidence is not None]
    disturbed = disturbances(
        [(evidence.rounds, readings) for evidence, readings in sliced if evidence.rounds],
        server_cpus=max((evidence.server_cpus for evidence, _ in sliced), default=1),
    )
    return tuple(_judged(trial, disturbed) for trial in trials)


def _judged(trial: Gathered, disturbed: Mapping[int, str]) -> TrialRecord:
    load, evidence = trial.load, trial.evidence
    if load is None:
        return trial.record
    record = replace(
        trial.record,
        wrong_bodies=wrong_bodies(load),
        rounds=(len(evidence.rounds) or None) if evidence else None,
    )
    if evidence is None:
        return record
    left_out = Counter(disturbed[number] for number in evidence.rounds if number in disturbed)
    try:
        return _with_figures(replace(record, rounds_left_out=left_out), trial, evidence, load, disturbed)
    except TrialError as error:
        return replace(record, validity=Validity.INVALID, reasons=(str(error),))


def _with_figures(
    record: TrialRecord,
    trial: Gathered,
    evidence: TrialEvidence,
    whole: LoadRecord,
    disturbed: Mapping[int, str],
) -> TrialRecord:
    """Raises TrialError where its readings do not reach into what was measured."""
    variant, searched = trial.cell.variant, evidence.search
    scenario = searched.scenario if searched else trial.cell.scenario
    load, readings = _quiet(whole, trial.readings, evidence.rounds, disturbed)
    metrics = trial_metrics(
        load,
        readings,
        scenario=scenario,
        before=evidence.memory_before,
        after=evidence.memory_after,
        may_refuse=variant.limit_concurrency is not None,
    )
    metrics = replace(
        metrics,
        listen_overflows=evidence.listen_overflows,
        capacity_per_s=capacity_of(searched.search) if searched else metrics.capacity_per_s,
    )
    signals = _signals(evidence, whole, cpu_cores=metrics.cpu_cores)
    judgement = judge(
        Evidence(
            variant=variant,
            scenario=scenario,
            load=load,
            readings=readings,
            busy_s=evidence.busy_s,
            suspended_s=evidence.suspended_s,
            busy_over=(trial.readings[0], trial.readings[-1]) if trial.readings else None,
            metrics=metrics,
            facts_before=evidence.facts_before,
            facts_after=evidence.facts_after,
            state=evidence.state,
            log=trial.log,
            server_cpus=evidence.server_cpus,
            ceiling_per_s=evidence.ceiling_per_s,
            expected_stack=EXPECTED_STACK.get(variant.recipe),
            signals=signals,
            rounds=len(evidence.rounds),
            rounds_left_out=record.rounds_left_out,
            of_search=tuple(search_findings(searched.search, trial.cell.scenario)) if searched else (),
        )
    )
    return replace(
        record,
        validity=judgement.validity,
        reasons=judgement.reasons,
        not_checked=judgement.not_checked,
        metrics=metrics,
        signals=signals,
        search=searched.search if searched else None,
        worker_changes=_worker_changes(trial.cell, evidence),
    )


def _signals(evidence: TrialEvidence, load: LoadRecord, *, cpu_cores: float) -> TrialSignals | None:
    """Of a search they are those of the confirmed rate, between probes of its own."""
    before, after = evidence.facts_before, evidence.facts_after
    if searched := evidence.search:
        before, after = searched.facts_before, searched.facts_after
        load = replace(load, in_flight_s=nan if searched.in_flight_s is None else searched.in_flight_s)
    return trial_signals(before, after, load, cpu_cores=cpu_cores, under_load_s=evidence.under_load_s)


def _quiet(
    load: LoadRecord,
    readings: tuple[ResourceReading, ...],
    rounds: Sequence[int],
    disturbed: Mapping[int, str],
) -> tuple[LoadRecord, tuple[ResourceReading, ...]]:
    """What counts: all of a load in one piece, and the undisturbed rounds of one in slices."""
    if not rounds:
        return load, readings
    return without(load, readings, np.array([number not in disturbed for number in rounds]))


def _worker_changes(cell: Cell, evidence: TrialEvidence) -> int | None:
    if not cell.variant.planned_worker_changes or not evidence.facts_before or not evidence.facts_after:
        return None
    return new_workers(evidence.facts_before, evidence.facts_after)
