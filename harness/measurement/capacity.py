"""What a capacity search found, and how far it may be believed. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator

from harness.measurement.load import LoadRecord
from harness.measurement.metrics import lateness_p99_s
from harness.measurement.trial_evidence import Finding
from harness.measurement.validity import MAX_OPEN_GENERATOR_SHARE, NEAR_CEILING, allowed_lateness_s
from harness.model import CapacityLoad, Scenario, Validity
from harness.search import CapacitySearch, CapacityStep, StepOutcome

MAX_COST_SPREAD = 0.15
MIN_CPU_S, MIN_REQUESTS = 0.5, 200
"""With less, clock ticks and what an idle server does are too much of a step's cost."""


def generator_limits(
    load: LoadRecord, *, scenario: Scenario, rate_per_s: float, ceiling_per_s: float | None
) -> Iterator[str]:
    """How the generator, by rules I3 and I4, held an offered rate back."""
    lateness_s = lateness_p99_s(load) or 0.0
    if lateness_s > allowed_lateness_s(scenario):
        yield f"requests left {lateness_s * 1000:.1f} ms late at the 99th percentile"
    busiest = float(load.generator_cpu_share.max(initial=0.0))
    if busiest > MAX_OPEN_GENERATOR_SHARE:
        yield f"a generator process used {busiest:.0%} of its core"
    if ceiling_per_s is not None and rate_per_s >= NEAR_CEILING * ceiling_per_s:
        yield f"the generator reaches {ceiling_per_s:.0f} requests/s on a server that does nothing"


def cpu_ms_per_request(cpu_s: float, requests: int) -> float | None:
    """None where there is too little of either to tell."""
    return cpu_s * 1000 / requests if cpu_s >= MIN_CPU_S and requests >= MIN_REQUESTS else None


def standing_step(search: CapacitySearch) -> int:
    """The place of the step that stands for the search: the highest confirmed rate, or else the last step."""
    confirmed = [n for n, step in enumerate(search.steps) if step.confirmation and _passed(step)]
    return max(confirmed, key=lambda n: search.steps[n].rate_per_s, default=len(search.steps) - 1)


def capacity_of(search: CapacitySearch) -> float | None:
    """The highest confirmed rate, in requests/s; None where none was.

    Where the generator kept the confirmation from deciding, it is the highest rate that had passed, below
    all that a confirmation refuted.
    """
    standing = search.steps[standing_step(search)]
    if standing.outcome is not StepOutcome.GENERATOR_LIMITED:
        return standing.rate_per_s if _passed(standing) else None
    refuted = [step for step in search.steps if step.confirmation and step.outcome is StepOutcome.FAILED]
    bound_per_s = min((step.rate_per_s for step in refuted), default=math.inf)
    passed = [step.rate_per_s for step in search.steps if _passed(step)]
    return max((rate_per_s for rate_per_s in passed if rate_per_s < bound_per_s), default=None)


def _passed(step: CapacityStep) -> bool:
    return step.outcome is StepOutcome.PASSED


def search_findings(search: CapacitySearch, scenario: Scenario) -> Iterator[Finding]:
    """What a search says of its own result: a bound instead of a figure, or unequal costs (I8)."""
    assert isinstance(scenario.load, CapacityLoad)
    capacity_per_s, last = capacity_of(search), search.steps[-1]
    if capacity_per_s is None and last.outcome is StepOutcome.GENERATOR_LIMITED:
        why = last.reasons[0]
        yield Validity.GENERATOR_BOUND, f"capacity: not known: at {last.rate_per_s:.0f} requests/s {why}"
        return
    if capacity_per_s is None:
        passed_once = any(map(_passed, search.steps))
        what = "not confirmed at" if passed_once else "below"
        yield (
            Validity.INVALID,
            f"capacity: {what} {last.rate_per_s:.0f} requests/s: {'; '.join(last.reasons)}",
        )
        return
    at_least = f"capacity: at least {capacity_per_s:.0f} requests/s"
    above = [step for step in search.steps if step.rate_per_s > capacity_per_s]
    nearest = min(above, key=lambda step: step.rate_per_s, default=None)
    if nearest is None and any(step.outcome is StepOutcome.FAILED for step in search.steps):
        yield Validity.NOISY, f"{at_least}: every rate that failed passed when it was offered again"
    elif nearest is None:
        yield (
            Validity.GENERATOR_BOUND,
            f"{at_least}: no rate failed; the pilot's {scenario.load.clients} clients reached only "
            f"{search.peak_per_s:.0f}: raise clients",
        )
    elif nearest.outcome is StepOutcome.GENERATOR_LIMITED:
        yield (
            Validity.GENERATOR_BOUND,
            f"{at_least}, generator-limited: at {nearest.rate_per_s:.0f} requests/s {nearest.reasons[0]}",
        )
    yield from _unequal_costs(search)


def _unequal_costs(search: CapacitySearch) -> Iterator[Finding]:
    """I8: a server on a steady machine spends the same CPU time on a request at every rate it can carry."""
    costs = [
        step.cpu_ms_per_request
        for step in search.steps
        if _passed(step) and step.cpu_ms_per_request is not None
    ]
    if len(costs) > 1 and max(costs) > (1 + MAX_COST_SPREAD) * min(costs):
        yield (
            Validity.NOISY,
            f"I8: CPU per request went from {min(costs):.2f} to {max(costs):.2f} ms over the rates "
            f"that passed ({MAX_COST_SPREAD:.0%} allowed): the machine's speed changed during the search",
        )
