"""A plan as text: what would run, in which order, how long, how much."""

from __future__ import annotations

from collections.abc import Iterator

from harness.model import Matrix, Plan
from harness.planning.commands import server_argv
from harness.planning.plan import cells_of, estimate


def plan_text(matrix: Matrix, plan: Plan) -> str:
    """Everything `harness run` would do, one fact a line."""
    return "\n".join([*_variants(matrix), "", *_cells(matrix), "", *_order(plan), "", *_cost(matrix, plan)])


def _variants(matrix: Matrix) -> Iterator[str]:
    yield f"{matrix.name}: {len(matrix.variants)} variants, baseline {matrix.baseline_id}"
    for variant in matrix.variants:
        rules = ", ".join(variant.rules)
        yield f"  {variant.id}  (workers: {rules})"
        yield f"    {' '.join(server_argv(variant))}"


def _cells(matrix: Matrix) -> Iterator[str]:
    cells = cells_of(matrix)
    yield f"{len(cells)} cells a block, the baseline's A/A twin included:"
    for cell in cells:
        scenario = cell.scenario
        yield f"  {cell.id}  (warm-up {scenario.warmup_s:g} s, measured {scenario.measure_s:g} s)"


def _order(plan: Plan) -> Iterator[str]:
    yield f"order of trials (seed {plan.seed}):"
    for number, block in enumerate(plan.blocks, start=1):
        yield f"  block {number}: {', '.join(trial.cell.id for trial in block)}"


def _cost(matrix: Matrix, plan: Plan) -> Iterator[str]:
    cost = estimate(plan, matrix)
    server, generator = (",".join(map(str, cpus)) for cpus in (matrix.server_cpus, matrix.generator_cpus))
    yield f"server on CPU {server}, load generator on CPU {generator}"
    yield f"about {_minutes(cost.seconds)} for {len(plan.blocks)} blocks; budget {_minutes(matrix.budget_s)}"
    if cost.blocks_within_budget < len(plan.blocks):
        yield f"the budget is expected to end the run after {cost.blocks_within_budget} blocks"
    yield f"about {cost.disk_bytes / 1e6:.0f} MB of results"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} min"
