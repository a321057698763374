"""What each rule of thumb for the number of workers came to."""

from __future__ import annotations

import pandas as pd

from harness.analysis.comparisons import rankable
from harness.analysis.metrics import DIRECTIONS, THROUGHPUT, WORKING_SET
from harness.analysis.verdicts import regret
from harness.findings import (
    CellSummary,
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
    "working_set_mib",
    "verdict",
)
MIB = 2**20


def worker_rules_table(analysis: RunAnalysis, matrix: Matrix) -> pd.DataFrame:
    """One row per scenario, variant and worker rule that came to its worker count on this machine.

    `workers` is what the rule gives here; `regret_percent` is what is lost on the scenario's ranking
    metric against the best configuration found (NaN where the cell is not ranked; slightly negative
    where a variant beat the best in the blocks they share). `verdict` is "in best set", "not in best
    set", or the word of a cell that was not ranked. Rows with equal figures are rules that agree here.
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
        "regret_percent": _regret_percent(finding, variant.id),
        "working_set_mib": memory and memory.center / MIB,
        "verdict": _word(finding, cell),
    }


def _regret_percent(finding: ScenarioFinding, variant_id: str) -> float | None:
    if variant_id == finding.best:
        return 0.0
    pair = next((pair for pair in finding.against_best if pair.variant_id == variant_id), None)
    return None if pair is None else 100 * regret(pair.ratio.center, DIRECTIONS[finding.metric])


def _word(finding: ScenarioFinding, cell: CellSummary) -> str:
    if not rankable(cell, finding.metric):
        return str(cell.word)
    return "in best set" if cell.variant_id in finding.best_set else "not in best set"
