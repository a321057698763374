"""The frozen nouns of a search for capacity, as they stand in a trial's record."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class StepOutcome(StrEnum):
    """What a rate that was offered in a capacity search says of the server."""

    PASSED = "passed"
    FAILED = "failed"
    GENERATOR_LIMITED = "generator-limited"
    """Nothing: the load generator could not offer that rate as it was meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityStep:
    """One rate offered in a capacity search, and how the pass rule judged it (METHOD, protocol 8)."""

    rate_per_s: float
    confirmation: bool
    """Offered again, to arrivals that the search had not seen."""
    offered: int
    violations: int
    """Requests slower than the objective, failed ones and undrained ones included."""
    slow_share_bound: float
    """One-sided 95 % upper bound on the probability of a violation."""
    in_flight_growth: float
    """Rise of the number of requests in flight over the window, by least squares."""
    outcome: StepOutcome
    reasons: tuple[str, ...]
    """Why it did not pass."""
    cpu_ms_per_request: float | None
    """None where there was too little of either to tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacitySearch:
    """How a capacity was found: the closed loop's peak, then every rate offered, in order."""

    peak_per_s: float
    steps: tuple[CapacityStep, ...]
