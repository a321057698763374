"""What a trial left next to its requests and readings: what was seen, and no judgement of it."""

from __future__ import annotations

from dataclasses import dataclass

from harness.deployment import DeploymentState, MemorySnapshot, ServerFacts
from harness.model import Scenario
from harness.search import CapacitySearch


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchEvidence:
    """A capacity search, and the one of its loads that stands for it."""

    search: CapacitySearch
    scenario: Scenario
    """What that load was, as a scenario of its own."""
    facts_before: ServerFacts | None
    facts_after: ServerFacts | None
    """Probed right before and after it; None of a black box."""
    in_flight_s: float | None
    """Its own; the totals of the trial's load are those of the whole search. None when not reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialEvidence:
    """Of a trial that went through all of its load."""

    started_at: str
    """As in the trial's record: a trial may have been measured more than once."""
    facts_before: ServerFacts | None
    """Probed right before the load, after all other requests; None of a black box."""
    facts_after: ServerFacts | None
    """Probed right after the load, before any other request; None of a black box."""
    memory_before: MemorySnapshot | None
    memory_after: MemorySnapshot | None
    listen_overflows: int | None = None
    """Connections that found the listen queue full, between the two probes; None where that is not known."""
    state: DeploymentState
    """After the load."""
    busy_s: float | None
    """Of the server's cores, with anything, from the first reading to the last; None if unknown."""
    under_load_s: float | None
    """For how long there was load between the two probes; None: all the time."""
    rounds: tuple[int, ...]
    """Of a load in slices, the number of the round that each belonged to."""
    server_cpus: int
    """How many cores the server is pinned to."""
    ceiling_per_s: float | None
    """What the generator reached on a static server; None when it was not calibrated."""
    suspended_s: float = 0.0
    """For how long the machine was suspended meanwhile."""
    search: SearchEvidence | None = None
