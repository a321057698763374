"""Paired comparisons of a run: every variant with the baseline, and its A/A floors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from harness.analysis.intervals import p_value_beyond, paired_ratio
from harness.analysis.metrics import DIRECTIONS, compared_metrics
from harness.analysis.samples import Samples, twin_of_baseline
from harness.analysis.verdicts import decide, reach, settled
from harness.findings import CellSummary, Comparison, Verdict
from harness.model import Matrix, Validity

Cells = Mapping[tuple[str, str], CellSummary]
"""Cell summaries by (variant id, scenario name)."""


def rankable(cell: CellSummary, metric: str) -> bool:
    return cell.word is Validity.VALID and metric in cell.metrics


def summarise_cells(samples: Samples, matrix: Matrix) -> dict[tuple[str, str], CellSummary]:
    """Every cell of the matrix and the twin's, whether or not it was ever measured."""
    ids = [variant.id for variant in (*matrix.variants, twin_of_baseline(matrix))]
    return {
        (variant_id, scenario.name): samples.summary(variant_id, scenario.name)
        for scenario in matrix.scenarios
        for variant_id in ids
    }


def compare(
    samples: Samples,
    cells: Cells,
    scenario_metric: tuple[str, str],
    variant_id: str,
    other_id: str,
    *,
    margin: float | None = None,
) -> Comparison | None:
    """Variant / other over their common VALID blocks, not yet judged; None where there is nothing to pair."""
    scenario, metric = scenario_metric
    if not all(rankable(cells[one, scenario], metric) for one in (variant_id, other_id)):
        return None
    pair = paired_ratio(
        samples.values(variant_id, scenario, metric), samples.values(other_id, scenario, metric)
    )
    if pair is None:
        return None
    return Comparison(
        scenario=scenario,
        metric=metric,
        variant_id=variant_id,
        baseline_id=other_id,
        ratio=pair.ratio,
        p_value=pair.p_value,
        p_holm=None,
        verdict=Verdict.UNDECIDED,
        margin=margin,
    )


def against_baseline(samples: Samples, cells: Cells, matrix: Matrix) -> tuple[Comparison, ...]:
    """Every variant and the twin against the baseline on every compared metric, judged.

    A Holm family is every comparison of one metric in the run, over all scenarios. The twin is not in
    it: it sets the floor that the others are judged by.
    """
    keys = [(scenario.name, metric) for scenario in matrix.scenarios for metric in compared_metrics(scenario)]
    base = matrix.baseline_id
    twins = {key: compare(samples, cells, key, twin_of_baseline(matrix).id, base) for key in keys}
    pairs = [
        compare(samples, cells, key, variant.id, base, margin=margin_over(twins[key], matrix))
        for key in keys
        for variant in matrix.variants
        if variant.id != base
    ]
    found = [pair for pair in pairs if pair is not None]
    families = [
        settled([pair for pair in found if pair.metric == metric], matrix.margin) for metric in DIRECTIONS
    ]
    judged_twins = [_judge_twin(twin, matrix) for twin in twins.values() if twin is not None]
    return (*(pair for family in families for pair in family), *judged_twins)


def floor_of(twin: Comparison | None) -> float | None:
    """The largest difference between two equal deployments that the run cannot rule out, a fraction.

    None below three pairs.
    """
    return reach(twin.ratio) if twin is not None else None


def margin_over(twin: Comparison | None, matrix: Matrix) -> float | None:
    """max(the matrix's margin, the floor): no centre within what equal deployments show is claimed."""
    floor = floor_of(twin)
    return None if floor is None else max(matrix.margin, floor)


def _judge_twin(twin: Comparison, matrix: Matrix) -> Comparison:
    """The A/A check itself: against the matrix's margin, since its own floor would always pass it."""
    verdict = decide(
        twin.ratio,
        p_value_beyond(twin.ratio, matrix.margin),
        direction=DIRECTIONS[twin.metric],
        registered=matrix.margin,
        margin=matrix.margin,
    )
    return replace(twin, margin=matrix.margin, verdict=verdict)
