"""What each rule of thumb for the number of workers came to."""

from __future__ import annotations

import pandas as pd

from harness.analysis.comparisons import rankable
from harness.analysis.metrics import DIRECTIONS, THROUGHPUT, WORKING_SET
from harness.analysis.verdicts import regret
from harness.findings import (
    CellSummary,
    Direction,
    RunAnalysis,
    ScenarioFinding,
    Summary,
)
from harness.model import Matrix, Variant

RULE_COLUMNS = (
    "scenario",
    "rule",
    "workers",
    "variant_id",
    "throughput_per_s",
    "throughput_lo",
    "throughput_hi",
    "regret_percent",
    "regret_lo_percent",
    "regret_hi_percent",
    "working_set_mib",
    "verdict",
)
MIB = 2**20


def worker_rules_table(analysis: RunAnalysis, matrix: Matrix) -> pd.DataFrame:
    """One row per scenario, variant and worker rule that came to its worker count on this machine.

    `workers` is what the rule gives here; `regret_percent` is what is lost on the scenario's ranking
    metric against the best configuration found, with the ends of its 95 % interval (NaN where the cell is
    not ranked; slightly negative where a variant beat the best in the blocks they share). `verdict` is "in
    best set", "not in best set", or the word of a cell that was not ranked. Rows with equal figures are rules
    that agree here.
    """
    rows = [
        _row(finding, variant, rule)
        for finding in analysis.findings
        for variant in sorted(matrix.variants, key=lambda variant: (variant.workers, variant.id))
        for rule in variant.rules
    ]
    return pd.DataFrame(rows, columns=list(RULE_COLUMNS))


def _row(finding: ScenarioFinding, variant: Variant, rule: str) -> dict[str, object]:
    cell = next(cell for cell in finding.cells if cell.variant_id == variant.id)
    throughput: Summary | None = cell.metrics.get(THROUGHPUT)
    memory: Summary | None = cell.metrics.get(WORKING_SET)
    return {
        "scenario": finding.scenario,
        "rule": rule,
        "workers": variant.workers,
        "variant_id": variant.id,
        "throughput_per_s": throughput and throughput.center,
        "throughput_lo": throughput and throughput.lo,
        "throughput_hi": throughput and throughput.hi,
        **_regret_percent(finding, variant.id),
        "working_set_mib": memory and memory.center / MIB,
        "verdict": _word(finding, cell),
    }


def _regret_percent(finding: ScenarioFinding, variant_id: str) -> dict[str, float | None]:
    """The best variant loses nothing by definition, so it has no interval."""
    pair = next((pair for pair in finding.against_best if pair.variant_id == variant_id), None)
    direction = DIRECTIONS[finding.metric]
    ends: list[float | None] = [0.0 if variant_id == finding.best else None, None, None]
    if pair is not None and variant_id != finding.best:
        ends = [
            None if ratio is None else 100 * regret(ratio, direction)
            for ratio in (pair.ratio.center, pair.ratio.lo, pair.ratio.hi)
        ]
        ends[1:] = ends[:0:-1] if direction is Direction.HIGHER else ends[1:]
    return dict(zip(("regret_percent", "regret_lo_percent", "regret_hi_percent"), ends, strict=True))


def _word(finding: ScenarioFinding, cell: CellSummary) -> str:
    if not rankable(cell, finding.metric):
        return str(cell.word)
    return "in best set" if cell.variant_id in finding.best_set else "not in best set"
