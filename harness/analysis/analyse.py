"""From the trial records of a run to everything its report says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.analysis.best_set import Simplicity, best_set, simplest_first
from harness.analysis.bottleneck import limit_of
from harness.analysis.common_rate import unmeasured_rates, with_common_rates
from harness.analysis.comparisons import Cells, against_baseline, floor_of, margin_over, summarise_cells
from harness.analysis.compromise import compromise
from harness.analysis.headline import headline
from harness.analysis.metrics import METRICS, ranking_metric
from harness.analysis.samples import Samples, samples_of, twin_of_baseline
from harness.analysis.stopping import last_blocks, stopped_early, stopping_notes
from harness.analysis.warnings import (
    finding_warnings,
    limited_by_generator,
    overcommit_warnings,
    sharing_warnings,
)
from harness.findings import CellSummary, Comparison, Limit, RunAnalysis, ScenarioFinding
from harness.model import Matrix, Scenario, TrialRecord, Validity

FEWER_WORKERS_FIRST = simplest_first()


def analyse(
    records: Sequence[TrialRecord], matrix: Matrix, *, simplicity: Simplicity = FEWER_WORKERS_FIRST
) -> RunAnalysis:
    """Judge a run (METHOD, "Analysis"). Of several attempts at one trial the last counts.

    Scenarios at common rates, which follow from the capacities, are judged with those of the matrix.
    `simplicity` is a sort key that decides which variant of a best set is recommended.
    Raises ConfigurationError when the records are not of this matrix.
    """
    matrix = with_common_rates(matrix, records)
    samples = samples_of(records, matrix)
    ends = last_blocks(records, matrix)
    early = stopped_early(samples, ends)
    cells = {
        key: replace(cell, stopped_early=key in early, limited_by=_limit(cell, samples, matrix))
        for key, cell in summarise_cells(samples, matrix).items()
    }
    comparisons = against_baseline(samples, cells, matrix)
    findings = tuple(
        _finding(scenario, samples, cells, comparisons, matrix, simplicity) for scenario in matrix.scenarios
    )
    findings = tuple(
        replace(finding, warnings=(*finding.warnings, *stopping_notes(finding, ends, matrix)))
        for finding in findings
    )
    recommended = _good_everywhere(findings, matrix, simplicity)
    one_for_all = None if recommended is not None else compromise(findings, matrix.variants)
    invalid = [r for trials in samples.cells.values() for r in trials if r.validity is not Validity.VALID]
    return RunAnalysis(
        findings=findings,
        recommended=recommended,
        headline=headline(findings, matrix, recommended, one_for_all),
        compromise=one_for_all,
        invalid=tuple(sorted(invalid, key=lambda record: (record.block, record.trial_id))),
        warnings=(*sharing_warnings(matrix), *overcommit_warnings(matrix), *unmeasured_rates(matrix)),
    )


def _limit(cell: CellSummary, samples: Samples, matrix: Matrix) -> Limit:
    variants = (*matrix.variants, twin_of_baseline(matrix))
    return limit_of(
        samples.of(cell.variant_id, cell.scenario),
        next(variant for variant in variants if variant.id == cell.variant_id),
        next(scenario for scenario in matrix.scenarios if scenario.name == cell.scenario),
        word=cell.word,
        server_cpus=len(matrix.server_cpus),
        shared_cpus=len(matrix.shared_cpus),
    )


def _finding(
    scenario: Scenario,
    samples: Samples,
    cells: Cells,
    comparisons: Sequence[Comparison],
    matrix: Matrix,
    simplicity: Simplicity,
) -> ScenarioFinding:
    metric, twin_id = ranking_metric(scenario), twin_of_baseline(matrix).id
    own = tuple(pair for pair in comparisons if pair.scenario == scenario.name)
    twin = next((pair for pair in own if pair.variant_id == twin_id and pair.metric == metric), None)
    margin = margin_over(twin, matrix)
    group = best_set(
        samples,
        cells,
        matrix.variants,
        scenario=scenario.name,
        metric=metric,
        registered=matrix.margin,
        margin=margin,
        simplicity=simplicity,
    )
    finding = ScenarioFinding(
        scenario=scenario.name,
        metric=metric,
        floor=floor_of(twin),
        margin=matrix.margin if margin is None else margin,
        cells=tuple(cell for (_, name), cell in cells.items() if name == scenario.name),
        comparisons=own,
        best_set=group.members,
        recommended=group.members[0] if group.members and margin is not None else None,
        best=group.best,
        against_best=group.against_best,
        idle_cores=samples.idle_cores(scenario.name),
    )
    finding = _yield_to_the_unranked(finding, twin_id)
    return replace(finding, warnings=finding_warnings(finding, samples, twin_id, matrix))


def _yield_to_the_unranked(finding: ScenarioFinding, twin_id: str) -> ScenarioFinding:
    """No ranked variant is among the best where one that the generator held back got further all the same.

    Its figure is a lower bound of its rate. (A latency under a late generator bounds nothing.)
    """
    best = next((cell for cell in finding.cells if cell.variant_id == finding.best), None)
    metric = finding.metric
    if best is None or not METRICS[metric].rate:
        return finding
    bar = best.metrics[metric].center * (1 + finding.margin)
    limited = limited_by_generator(finding, twin_id)
    reached = [cell.metrics[metric].center for cell in limited if metric in cell.metrics]
    return replace(finding, best_set=(), recommended=None) if max(reached, default=0.0) > bar else finding


def _good_everywhere(
    findings: Sequence[ScenarioFinding], matrix: Matrix, simplicity: Simplicity
) -> str | None:
    """The simplest variant of every scenario's best set; None where a scenario recommends nothing."""
    if any(finding.recommended is None for finding in findings):
        return None
    shared = [v for v in matrix.variants if all(v.id in finding.best_set for finding in findings)]
    return min(shared, key=lambda v: (simplicity(v), v.id)).id if shared else None
