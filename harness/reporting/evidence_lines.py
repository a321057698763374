"""How far a run could look: the level of evidence of each variant, and what the wrapper cost."""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.wording import percent
from harness.findings import WrapperCost
from harness.model import Variant
from harness.reporting.data import ReportData

WRAPPED, BLACK_BOX = "wrapped", "black box"
MEANING = {
    WRAPPED: "Requests, workers and settings were checked from inside the app, and every rule was applied.",
    BLACK_BOX: "The server was seen only from outside, by its client and its container's counters: rules "
    "that need a look inside were not checked.",
}


def level(variant: Variant) -> str:
    return WRAPPED if variant.wrapped else BLACK_BOX


def levels(data: ReportData) -> tuple[str, ...]:
    """Those of the run's variants, each once."""
    return tuple(dict.fromkeys(level(variant) for variant in data.variants))


def evidence_lines(data: ReportData) -> Iterator[str]:
    """A sentence for each level of evidence in the run, with the variants where there are two levels.

    None where nothing was measured.
    """
    if not any(record.metrics for record in data.outcomes):
        return
    several = len(levels(data)) > 1
    for name in levels(data):
        ids = [variant.id for variant in data.variants if level(variant) == name]
        whose = f" ({', '.join(ids)})" if several else ""
        yield f"Evidence: {name}{whose}. {MEANING[name]}"
    if data.wrapper_cost is not None and WRAPPED in levels(data):
        line = wrapper_cost_line(data.wrapper_cost)
        yield f"{line[0].upper()}{line[1:]}."


def not_checked(data: ReportData, variant_id: str) -> str:
    """For example "black box: I2, I8, I9 not checked"; empty where every rule was applied."""
    rules = dict.fromkeys(
        rule for record in data.outcomes if record.variant_id == variant_id for rule in record.not_checked
    )
    return f"{BLACK_BOX}: {', '.join(rules)} not checked" if rules else ""


def worker_changes(data: ReportData, variant_id: str) -> str:
    """How many workers were replaced on purpose, over the trials; empty where that is no level."""
    counts = [
        record.worker_changes
        for record in data.outcomes
        if record.variant_id == variant_id and record.worker_changes is not None
    ]
    return f"at least {sum(counts)} workers replaced as planned in {len(counts)} trials" if counts else ""


def wrapper_cost_line(cost: WrapperCost | str) -> str:
    """For example "the wrapper costs 0.8 % of throughput (95 % interval 0.1 % to 1.5 %) on items"."""
    if isinstance(cost, str):
        return f"the wrapper's cost was not measured: {cost}"
    measured, lo, hi = percent(1 - cost.ratio), percent(1 - cost.hi), percent(1 - cost.lo)
    where = f"on {cost.scenario}, over {cost.rounds} rounds"
    if cost.lo <= 1 <= cost.hi:
        # "costs -2 %" is no sentence, and a wide interval around 0 promises nothing but its end.
        return (
            f"the wrapper costs at most {hi} of throughput "
            f"({measured} measured, 95 % interval {lo} to {hi}) {where}"
        )
    return f"the wrapper costs {measured} of throughput (95 % interval {lo} to {hi}) {where}"
