"""Whether a server met its objective at an offered rate (METHOD, protocol 8). Pure."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from harness.measurement.accounting import RIGHT
from harness.measurement.in_flight import in_flight_growth
from harness.measurement.load import LoadRecord
from harness.measurement.metrics import intended_inside, latencies
from harness.model import Scenario
from harness.search import CapacityStep, StepOutcome
from wire.messages import DROPPED, UNDRAINED

CONFIDENCE = 0.95
MAX_ERROR_SHARE = 0.001
MIN_COMPLETED_SHARE = 0.99


def judge_step(
    load: LoadRecord,
    *,
    scenario: Scenario,
    rate_per_s: float,
    confirmation: bool,
    limits: tuple[str, ...],
    cpu_ms_per_request: float | None = None,
) -> CapacityStep:
    """The pass rule on the requests meant to go in the window.

    `limits` says how the generator held the load back; then the step decides nothing about the server.
    """
    status = load.status[intended_inside(load)]
    offered = status.size
    violations = offered - int(np.count_nonzero(latencies(load) <= scenario.slo_ms / 1000))
    bound = binomial_upper_bound(violations, offered)
    growth, significant = in_flight_growth(load)
    reasons = list(_misses(status, violations, bound, scenario))
    if significant:
        reasons.append(f"requests in flight grew by {growth:.0f} over the window: a queue builds up")
    outcome = StepOutcome.FAILED if reasons else StepOutcome.PASSED
    return CapacityStep(
        rate_per_s=rate_per_s,
        confirmation=confirmation,
        offered=offered,
        violations=violations,
        slow_share_bound=bound,
        in_flight_growth=growth,
        outcome=StepOutcome.GENERATOR_LIMITED if limits else outcome,
        reasons=(*limits, *reasons),
        cpu_ms_per_request=cpu_ms_per_request,
    )


def _misses(status: NDArray[np.int16], violations: int, bound: float, scenario: Scenario) -> Iterator[str]:
    """What the counts alone forbid. `status` is of every request offered, shape (n,)."""
    offered = status.size
    if offered == 0:
        yield "nothing was offered"
        return
    if bound > scenario.slo_share:
        yield (
            f"{violations} of {offered} requests took longer than {scenario.slo_ms:g} ms: up to {bound:.1%} "
            f"may ({scenario.slo_share:.1%} allowed)"
        )
    unfinished = int(np.count_nonzero((status == DROPPED) | (status == UNDRAINED)))
    wrong = int(np.count_nonzero(status != RIGHT)) - unfinished
    if wrong > MAX_ERROR_SHARE * offered:
        yield f"{wrong} of {offered} requests failed ({MAX_ERROR_SHARE:.1%} allowed)"
    if offered - unfinished < MIN_COMPLETED_SHARE * offered:
        yield f"{unfinished} of {offered} requests never completed ({1 - MIN_COMPLETED_SHARE:.0%} allowed)"


def binomial_upper_bound(successes: int, n: int, *, confidence: float = CONFIDENCE) -> float:
    """The largest probability that `successes` or fewer of `n` do not refute, one-sided.

    C. J. Clopper and E. S. Pearson (1934, "The use of confidence or fiducial limits illustrated in the
    case of the binomial").
    """
    return 1.0 if successes >= n else float(betaincinv(successes + 1, n - successes, confidence))
