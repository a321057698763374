"""What the headline adds to its verdict: capacities, what more workers cost, how noisy it was. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.analysis.comparisons import rankable
from harness.analysis.metrics import CAPACITY, METRICS, WORKING_SET
from harness.analysis.samples import twin_of_baseline
from harness.analysis.warnings import NOISY_FLOOR, limit_sentence, limited_by_generator, usable_cpus
from harness.analysis.wording import joined, objective, percent
from harness.findings import CellSummary, ScenarioFinding, Verdict
from harness.model import Matrix, Variant

Findings = Sequence[ScenarioFinding]


def held_back(findings: Findings, matrix: Matrix) -> Iterator[str]:
    """The generator-limited variant that got furthest; the findings' warnings hold the others."""
    twin_id = twin_of_baseline(matrix).id
    limited = [
        (_reached(cell, finding.metric), cell, finding.metric)
        for finding in findings
        for cell in limited_by_generator(finding, twin_id)
    ]
    if limited:
        _, cell, metric = max(limited, key=lambda item: item[0])
        others = f" (so were {len(limited) - 1} more)" if len(limited) > 1 else ""
        yield f"{limit_sentence(cell, metric)}{others}"


def _reached(cell: CellSummary, metric: str) -> float:
    return cell.metrics[metric].center if METRICS[metric].rate and metric in cell.metrics else 0.0


def capacities(findings: Findings, matrix: Matrix, recommended: str | None) -> Iterator[str]:
    """What the recommended variant carries, or else the best one, under each objective."""
    scenarios = {scenario.name: scenario for scenario in matrix.scenarios}
    told = []
    for finding in findings:
        variant_id = recommended or finding.recommended or finding.best
        cell = next((cell for cell in finding.cells if cell.variant_id == variant_id), None)
        if cell and finding.metric == CAPACITY and rankable(cell, CAPACITY):
            found, goal = cell.metrics[CAPACITY], objective(scenarios[finding.scenario])
            bounds = "" if found.lo is None else f" (95 % interval {found.lo:,.0f}-{found.hi:,.0f})"
            carried = f"{found.center:,.0f} requests/s under {goal} on {finding.scenario}"
            told.append(f"{variant_id} carries {carried}{bounds}")
    if told:
        yield joined(told, "; ")


def more_workers(findings: Findings, matrix: Matrix, recommended: str | None) -> Iterator[str]:
    """What more workers of the recommended variant came to, where they are in every best set too."""
    chosen = next((variant for variant in matrix.variants if variant.id == recommended), None)
    judged = [pair for finding in findings for pair in finding.against_best]
    if chosen is None or all(pair.verdict is not Verdict.WORSE for pair in judged):
        return
    siblings = [
        variant
        for variant in sorted(matrix.variants, key=lambda variant: variant.workers)
        if variant.workers > chosen.workers
        and replace(variant, workers=chosen.workers) == chosen
        and all(variant.id in finding.best_set for finding in findings)
    ]
    if siblings:
        second = siblings[0]
        count = "a second worker" if second.workers == 2 else f"{second.workers} workers"
        cpus = usable_cpus(second, matrix)
        where = (" on the same core" if cpus == 1 else f" on {cpus:g} CPUs") if second.workers > cpus else ""
        yield f"; {count}{where} made no detectable difference{_cost(findings, second, chosen)}"


def _cost(findings: Findings, variant: Variant, chosen: Variant) -> str:
    """The extra working set, if it is more than the memory margin; the largest over the scenarios."""
    extras = []
    for finding in findings:
        cells = {cell.variant_id: cell.metrics.get(WORKING_SET) for cell in finding.cells}
        more, less = cells.get(variant.id), cells.get(chosen.id)
        margins = [pair.margin for pair in finding.comparisons if pair.metric == WORKING_SET]
        known = [margin for margin in margins if margin is not None]
        if more and less and known and more.center > less.center * (1 + max(known)):
            extras.append(more.center - less.center)
    return f" and takes {max(extras) / 2**20:.0f} MiB more" if extras else ""


def noise(findings: Findings) -> Iterator[str]:
    floors = {finding.scenario: finding.floor for finding in findings if (finding.floor or 0.0) > NOISY_FLOOR}
    if floors:
        worst = max(floor for floor in floors.values() if floor is not None)
        where = joined(list(floors), ", ")
        yield f"Smallest detectable difference on {where}: {percent(worst)}, because the machine was noisy"
