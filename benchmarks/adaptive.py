"""Do runs that stop on precision reach the verdicts of a fixed number of blocks, and in what share of time?

`python benchmarks/adaptive.py` draws runs from known truths on a drifting machine: log-normal noise per
trial, and a random walk from trial to trial. `python benchmarks/adaptive.py RUN...` replays stored runs.
Either way the adaptive run sees the very figures of the fixed one, less the trials that its rules would
not have made: those rules read earlier blocks only, so leaving trials out afterwards is the same as never
making them. Exits 1 when fewer than 95 % of the clear-cut verdicts agree.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.random import Generator

from harness.adapters.result_store import RunStore
from harness.analysis.analyse import analyse
from harness.analysis.stopping import last_blocks
from harness.findings import Comparison, RunAnalysis, Verdict
from harness.model import (
    ClosedLoad,
    Matrix,
    Scenario,
    TrialMetrics,
    TrialRecord,
    Validity,
    Variant,
)
from harness.planning.plan import cells_of, plan_blocks

RUNS, PRECISION, MARGIN = 100, 0.05, 0.03
NOISE, DRIFT = 0.015, 0.01
"""Standard deviations of a trial's log throughput, and of the machine's from one trial to the next."""
MIN_AGREEMENT = 0.95
CLEAR, CLOSE = "clear-cut", "close"
TRUTHS: Mapping[str, tuple[tuple[float, ...], ...]] = {
    CLEAR: ((1.0, 1.3, 0.8, 0.6), (1.0, 1.2, 1.6, 2.0)),
    CLOSE: ((1.0, 1.0, 1.04, 0.95), (1.0, 1.1, 1.08, 1.0)),
}
"""True ratios to the baseline of four variants, in two scenarios."""
METRICS = TrialMetrics(**{field.name: 1 for field in fields(TrialMetrics)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What one fixed run and its adaptive shadow have in common."""

    verdicts: int
    agreeing: int
    contradicting: int
    """Better in one, worse in the other."""
    same_best: int
    """Scenarios with the same best variant."""
    scenarios: int
    share: float
    """Of the fixed run's time, load and overhead; simulated trials are all equally long."""


def adaptive(records: Sequence[TrialRecord], matrix: Matrix) -> list[TrialRecord]:
    """The records that a run with the matrix's precision would have made."""
    ends = last_blocks(records, matrix)
    return [r for r in records if r.block <= ends.get(f"{r.variant_id}.{r.scenario}", matrix.blocks)]


def compared(records: Sequence[TrialRecord], matrix: Matrix, precision: float) -> Tally:
    shorter = replace(matrix, precision=precision)
    kept = adaptive(records, shorter)
    fixed, early = analyse(records, matrix), analyse(kept, shorter)
    seen = {key: pair.verdict for key, pair in ranked(early).items()}
    pairs = [(pair.verdict, seen.get(key)) for key, pair in ranked(fixed).items()]
    best = [a.best == b.best for a, b in zip(fixed.findings, early.findings, strict=True)]
    return Tally(
        verdicts=len(pairs),
        agreeing=sum(a == b for a, b in pairs),
        contradicting=sum({a, b} == {Verdict.BETTER, Verdict.WORSE} for a, b in pairs),
        same_best=sum(best),
        scenarios=len(best),
        share=_spent_s(kept) / _spent_s(records),
    )


def _spent_s(records: Sequence[TrialRecord]) -> float:
    return sum(sum(record.phases_s.values()) or 1.0 for record in records)


def ranked(analysis: RunAnalysis) -> dict[tuple[str, str], Comparison]:
    """By scenario and variant, on the ranking metrics. The twin is left out: a check, not a question."""
    return {
        (finding.scenario, pair.variant_id): pair
        for finding in analysis.findings
        for pair in finding.comparisons
        if pair.metric == finding.metric and not pair.variant_id.endswith(".twin")
    }


def drawn(matrix: Matrix, truth: Sequence[Sequence[float]], rng: Generator) -> list[TrialRecord]:
    true = {
        (variant.id, scenario.name): 1000 * ratio
        for scenario, ratios in zip(matrix.scenarios, truth, strict=True)
        for variant, ratio in zip((*matrix.variants, matrix.baseline), (*ratios, ratios[0]), strict=True)
    }
    trials = plan_blocks(cells_of(matrix), blocks=matrix.blocks, seed=int(rng.integers(2**31))).trials
    wander = np.cumsum(rng.normal(0, DRIFT, len(trials))) + rng.normal(0, NOISE, len(trials))
    return [
        TrialRecord(
            trial_id=trial.id,
            variant_id=trial.cell.variant.id,
            scenario=trial.cell.scenario.name,
            block=trial.block,
            validity=Validity.VALID,
            reasons=(),
            metrics=replace(
                METRICS,
                throughput_per_s=float(
                    true[replace(trial.cell.variant, twin=False).id, trial.cell.scenario.name]
                    * np.exp(offset)
                ),
            ),
            facts=None,
            phases_s={},
            started_at="",
        )
        for trial, offset in zip(trials, wander, strict=True)
    ]


def simulated_matrix(blocks: int) -> Matrix:
    variants = tuple(Variant(recipe="uvicorn-plain", workers=workers) for workers in range(1, 5))
    scenarios = tuple(
        Scenario(name=name, locustfile=name, load=ClosedLoad(clients=16), warmup_s=1, measure_s=4, slo_ms=100)
        for name in ("items", "mixed")
    )
    return Matrix(
        name="simulated",
        description="",
        variants=variants,
        scenarios=scenarios,
        baseline_id=variants[0].id,
        blocks=blocks,
        seed=1,
        margin=MARGIN,
        budget_s=1,
        ready_timeout_s=1,
        server_cpus=(1,),
        generator_cpus=(0,),
    )


def head(first: str) -> str:
    """The beginning of the table that `told` goes on with."""
    others = "fixed blocks | precision | same verdict | opposite verdicts | same best | share of time"
    return f"| {first} | {others} |\n|{'---|' * 7}"


def told(name: str, blocks: int, precision: float, tallies: Sequence[Tally]) -> float:
    """Prints a row of the table; returns the share of verdicts that agree."""
    verdicts, scenarios = sum(t.verdicts for t in tallies), sum(t.scenarios for t in tallies)
    agreement = sum(t.agreeing for t in tallies) / verdicts
    print(
        f"| {name} | {blocks} | {precision:.0%} | {agreement:.1%} of {verdicts} "
        f"| {sum(t.contradicting for t in tallies)} | {sum(t.same_best for t in tallies) / scenarios:.1%} "
        f"| {sum(t.share for t in tallies) / len(tallies):.0%} |"
    )
    return agreement


def main() -> int:
    print(head("truth"))
    if len(sys.argv) > 1:
        for path in sys.argv[1:]:
            store = RunStore(Path(path))
            records, matrix = store.records(), store.matrix()
            for precision in (0.03, 0.05, 0.10):
                told(store.path.name, matrix.blocks, precision, [compared(records, matrix, precision)])
        return 0
    agreement = {}
    for name, truth in TRUTHS.items():
        for blocks in (12, 20):
            rng, matrix = np.random.default_rng(blocks), simulated_matrix(blocks)
            runs = [compared(drawn(matrix, truth, rng), matrix, PRECISION) for _ in range(RUNS)]
            agreement[name, blocks] = told(name, blocks, PRECISION, runs)
    return int(min(share for (name, _), share in agreement.items() if name == CLEAR) < MIN_AGREEMENT)


if __name__ == "__main__":
    sys.exit(main())
