"""From a run directory to everything that is said about it: analysis, tables, figures, documents."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.adapters.result_store import QUESTION, TORN_TAIL, RunStore, StoredTrial
from harness.analysis.analyse import analyse
from harness.analysis.best_set import simplest_first
from harness.analysis.binomial import quantile_at_most
from harness.analysis.common_rate import with_common_rates
from harness.analysis.metrics import P99_MIN_REQUESTS
from harness.execution.blocks import RunEnd
from harness.findings import RunAnalysis
from harness.judging import Gathered, judged
from harness.measurement.metrics import latencies
from harness.model import Cell, Matrix, TrialRecord, Validity
from harness.planning.plan import cells_of
from harness.recipes import RECIPES
from harness.records import wrapper_cost_from_json
from harness.reporting.data import ReportData, ResourceSeries, RuleRow, TailCurve
from harness.reporting.documents import documents
from harness.reporting.figures.tail import tail_curve

Floats = NDArray[np.float64]


def report_data(store: RunStore) -> ReportData:
    """A stored run, analysed. Raises ConfigurationError when it is damaged."""
    manifest, kept = store.manifest(), store.records()
    matrix = with_common_rates(store.matrix(), kept)
    if QUESTION in manifest:
        matrix = _measured_part(matrix, kept)
    records, tails, bounds, series = _raw(store, kept, matrix)
    analysis = analyse(records, matrix, simplicity=simplest_first(sorted(RECIPES, key=_simplicity)))
    return ReportData(
        run_id=store.path.name,
        matrix=matrix,
        analysis=analysis,
        records=records,
        provenance=dict(_flat(manifest)),
        failed_builds=manifest.get("failed_builds", {}),
        tails=tails,
        p99_at_most_s=bounds,
        series=series,
        rules=tuple(_rules(analysis, matrix)),
        wrapper_cost=wrapper_cost_from_json(manifest.get("wrapper_cost"), where=str(store.path)),
    )


def state_of(store: RunStore) -> Iterator[str]:
    """What a reader should know of a run that did not end by itself."""
    if store.torn_tail():
        yield TORN_TAIL
    manifest = store.manifest()
    if manifest["end"] in (None, RunEnd.INTERRUPTED):
        yield f"the run is not finished; {_next(manifest.get('command', 'harness run'), store.path.name)}"


def _next(command: str, run_id: str) -> str:
    if command.startswith("harness run"):
        return f"resume with: {command} --run {run_id}"
    return f"resume with: {command} --resume" if command.startswith("harness advise") else f"again: {command}"


def _measured_part(matrix: Matrix, kept: Sequence[TrialRecord]) -> Matrix:
    """Of a search, which measures a small part of what its matrix holds."""
    variants = {matrix.baseline_id, *(record.variant_id for record in kept)}
    scenarios = {record.scenario for record in kept}
    return replace(
        matrix,
        variants=tuple(variant for variant in matrix.variants if variant.id in variants),
        scenarios=tuple(scenario for scenario in matrix.scenarios if scenario.name in scenarios),
    )


def write_report(store: RunStore, data: ReportData) -> list[Path]:
    """Write the report's files into the run directory and return their paths, the HTML first."""
    return store.write_report(documents(data))


def _raw(
    store: RunStore, kept: tuple[TrialRecord, ...], matrix: Matrix
) -> tuple[tuple[TrialRecord, ...], dict[str, TailCurve], dict[str, float], dict[str, ResourceSeries]]:
    """The records, judged by the rules of today; of the valid trials, latency tails and bounds of p99 by
    cell, and readings by trial.

    What cannot be judged again stays as it was when it was measured: a trial that failed, that an earlier
    version measured, or whose raw material is gone.
    """
    cells = {cell.id: cell for cell in cells_of(matrix)}
    groups: dict[tuple[int, str], list[int]] = defaultdict(list)
    for place in {record.trial_id: place for place, record in enumerate(kept)}.values():
        groups[kept[place].block, kept[place].scenario].append(place)
    records = list(kept)
    latencies_s: dict[str, list[Floats]] = defaultdict(list)
    series: dict[str, ResourceSeries] = {}
    # Group by group: the requests of a whole run need not fit into memory, but for their latencies.
    for places in groups.values():
        trials = {place: trial for place in places if (trial := store.trial(kept[place].trial_id))}
        for place, record in _judged_again(trials, kept, cells):
            records[place] = record
        for place, trial in trials.items():
            record = records[place]
            if record.validity is Validity.VALID:
                latencies_s[record.cell_id].append(latencies(trial.load))
                series[record.trial_id] = _series(trial)
    valid = sorted({record.cell_id for record in records if record.validity is Validity.VALID})
    pooled = {cell_id: np.concatenate([np.empty(0), *latencies_s[cell_id]]) for cell_id in valid}
    tails = {cell_id: tail_curve(values) for cell_id, values in pooled.items()}
    bounds = {
        cell_id: bound
        for cell_id, values in pooled.items()
        if values.size < P99_MIN_REQUESTS and (bound := quantile_at_most(values, 0.99)) is not None
    }
    return tuple(records), tails, bounds, series


def _judged_again(
    trials: Mapping[int, StoredTrial], kept: Sequence[TrialRecord], cells: Mapping[str, Cell]
) -> Iterator[tuple[int, TrialRecord]]:
    """Trials of one scenario and block, by their places in the journal."""
    gathered = {
        place: Gathered(
            cell=cell,
            record=kept[place],
            evidence=trial.evidence,
            load=trial.load,
            readings=trial.readings,
            log=trial.log,
        )
        for place, trial in trials.items()
        if (cell := cells.get(kept[place].cell_id))
        and trial.evidence is not None
        and trial.evidence.started_at == kept[place].started_at
    }
    yield from zip(gathered, judged(list(gathered.values())), strict=True)


def _series(trial: StoredTrial) -> ResourceSeries:
    return ResourceSeries(
        readings=trial.readings,
        window_start_s=trial.load.window_start_s,
        window_end_s=trial.load.window_end_s,
        slice_ends_s=trial.load.spans_s[1] if trial.load.sliced else None,
    )


def _rules(analysis: RunAnalysis, matrix: Matrix) -> Iterator[RuleRow]:
    """One row per worker rule and scenario, where the matrix has rules and not only plain numbers."""
    if all(rule == str(v.workers) for v in matrix.variants for rule in v.rules):
        return
    # Importing pandas takes a tenth of a report, and only this table needs it.
    from harness.analysis.heuristics import worker_rules_table

    findings = {finding.scenario: finding for finding in analysis.findings}
    for row in worker_rules_table(analysis, matrix).to_dict("records"):
        memory = row["working_set_mib"]
        losses = [row[f"regret{end}_percent"] for end in ("", "_lo", "_hi")]
        regret, lowest, highest = (None if np.isnan(loss) else loss / 100 for loss in losses)
        yield RuleRow(
            scenario=row["scenario"],
            rule=row["rule"],
            workers=row["workers"],
            variant_id=row["variant_id"],
            regret=regret,
            regret_lo=lowest,
            regret_hi=highest,
            working_set_mib=None if np.isnan(memory) else memory,
            in_best_set=row["variant_id"] in findings[row["scenario"]].best_set,
        )


_SHOWN_ELSEWHERE = {QUESTION, "matrix", "schema", "run_id", "failed_builds", "wrapper_cost"}


def _flat(manifest: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Manifest entries as text, nested ones under dotted keys; the matrix has a place of its own."""
    for key, value in manifest.items():
        if key in _SHOWN_ELSEWHERE:
            continue
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
            for number, item in enumerate(value, start=1):
                yield f"{prefix}{key} {number}", "; ".join(f"{name} {told}" for name, told in item.items())
        elif value is not None:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value)


def _simplicity(recipe: str) -> int:
    return RECIPES[recipe].simplicity
