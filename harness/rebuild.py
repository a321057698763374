"""From a run directory to everything that is said about it: analysis, tables, figures, documents."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.adapters.result_store import RunStore, StoredTrial
from harness.analysis.best_set import simplest_first
from harness.analysis.common_rate import with_common_rates
from harness.analysis.run import analyse
from harness.findings import RunAnalysis
from harness.measurement.metrics import latencies
from harness.model import Matrix, TrialRecord, Validity
from harness.planning.recipes import RECIPES
from harness.records import wrapper_cost_from_json
from harness.reporting.data import ReportData, ResourceSeries, RuleRow, TailCurve
from harness.reporting.documents import documents
from harness.reporting.figures.tail import tail_curve


def report_data(store: RunStore) -> ReportData:
    """A stored run, analysed. Raises ConfigurationError when it is damaged."""
    records, manifest = store.records(), store.manifest()
    matrix = with_common_rates(store.matrix(), records)
    analysis = analyse(records, matrix, simplicity=simplest_first(sorted(RECIPES, key=_simplicity)))
    tails, series = _raw(store, records)
    return ReportData(
        run_id=store.path.name,
        matrix=matrix,
        analysis=analysis,
        records=records,
        provenance=dict(_flat(manifest)),
        failed_builds=manifest.get("failed_builds", {}),
        tails=tails,
        series=series,
        rules=tuple(_rules(analysis, matrix)),
        wrapper_cost=wrapper_cost_from_json(manifest.get("wrapper_cost"), where=str(store.path)),
    )


def write_report(store: RunStore) -> list[Path]:
    """Write the report's files into the run directory and return their paths, the HTML first."""
    return [store.write_file(f"report/{name}", content) for name, content in documents(report_data(store))]


def _raw(
    store: RunStore, records: tuple[TrialRecord, ...]
) -> tuple[dict[str, TailCurve], dict[str, ResourceSeries]]:
    """Latency tails by cell and readings by trial, of the valid trials only."""
    trial_ids = defaultdict(list)
    for record in records:
        if record.validity is Validity.VALID:
            trial_ids[f"{record.variant_id}.{record.scenario}"].append(record.trial_id)
    tails: dict[str, TailCurve] = {}
    series: dict[str, ResourceSeries] = {}
    # Cell by cell: the requests of a whole run need not fit into memory.
    for cell_id, ids in trial_ids.items():
        pooled = [np.empty(0)]
        for trial_id in ids:
            trial = store.trial(trial_id)
            if trial is not None:
                pooled.append(latencies(trial.load))
                series[trial_id] = _series(trial)
        tails[cell_id] = tail_curve(np.concatenate(pooled))
    return tails, series


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
        regret, memory = row["regret_percent"], row["working_set_mib"]
        yield RuleRow(
            scenario=row["scenario"],
            rule=row["rule"],
            workers=row["workers"],
            variant_id=row["variant_id"],
            regret=None if np.isnan(regret) else regret / 100,
            working_set_mib=None if np.isnan(memory) else memory,
            in_best_set=row["variant_id"] in findings[row["scenario"]].best_set,
        )


_SHOWN_ELSEWHERE = {"matrix", "schema", "run_id", "failed_builds", "wrapper_cost"}


def _flat(manifest: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Manifest entries as text, nested ones under dotted keys; the matrix has a place of its own."""
    for key, value in manifest.items():
        if key in _SHOWN_ELSEWHERE:
            continue
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif value is not None:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value)


def _simplicity(recipe: str) -> int:
    return RECIPES[recipe].simplicity
