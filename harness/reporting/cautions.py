"""What to know of a recipe before deploying it, and what it was measured to cost."""

from __future__ import annotations

from harness.analysis.metrics import METRICS
from harness.recipes import RECIPES
from harness.reporting.data import ReportData
from harness.reporting.wording import ratio

COSTS = ("working_set_peak_bytes", "cpu_ms_per_request")


def cautions(data: ReportData) -> tuple[str, ...]:
    """A sentence for each variant of the run whose recipe has a caution, with its price next to it."""
    return tuple(
        f"{variant.id} is {caution}{_measured_cost(data, variant.id)}"
        for variant in data.matrix.variants
        if (caution := caution_of(data, variant.id))
    )


def caution_of(data: ReportData, variant_id: str) -> str:
    """The caution of a variant's recipe, or nothing."""
    recipe = next(variant.recipe for variant in data.variants if variant.id == variant_id)
    return (recipe in RECIPES and RECIPES[recipe].caution) or ""


def _measured_cost(data: ReportData, variant_id: str) -> str:
    """Memory and CPU against the baseline, in each scenario that has them."""
    costs = [
        f"{METRICS[pair.metric].label} {ratio(pair.ratio)} on {finding.scenario} ({pair.verdict})"
        for finding in data.analysis.findings
        for pair in finding.comparisons
        if pair.variant_id == variant_id and pair.metric in COSTS
    ]
    return f". Times {data.matrix.baseline_id}: {', '.join(costs)}" if costs else ""
