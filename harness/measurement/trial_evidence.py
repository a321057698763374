"""All that a trial's validity is judged by: the values, not the rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.deployment import DeploymentState, ResourceReading, ServerFacts
from harness.measurement.load import LoadRecord
from harness.model import Scenario, TrialMetrics, Validity, Variant
from harness.recipes.recipe import ExpectedStack
from harness.signals import TrialSignals

Finding = tuple[Validity, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that a trial's validity is judged by."""

    variant: Variant
    scenario: Scenario
    load: LoadRecord
    readings: Sequence[ResourceReading]
    busy_s: float | None
    """Busy time of the server's cores, with anything, over `busy_over`; None if unknown."""
    metrics: TrialMetrics
    facts_before: ServerFacts | None
    """Probed right before the load, after all other requests; None of a black box."""
    facts_after: ServerFacts | None
    """Probed right after the load, before any other request; None of a black box."""
    state: DeploymentState
    server_cpus: int
    """How many cores the server is pinned to."""
    ceiling_per_s: float | None
    """What the generator reached on a static server; None when it was not calibrated."""
    expected_stack: ExpectedStack | None
    """What serves the app, or how its name must begin; None when anything will do."""
    log: str = ""
    """The last lines that the server wrote."""
    signals: TrialSignals | None = None
    suspended_s: float = 0.0
    """For how long the machine was suspended during the trial."""
    busy_over: tuple[ResourceReading, ResourceReading] | None = None
    """The first and the last reading, where some between them do not count; None: those of `readings`."""
    rounds: int = 0
    rounds_left_out: Mapping[str, int] = field(default_factory=dict)
    """Of a trial in slices: how many, and how many of them do not count, by what disturbed them."""
    of_search: Sequence[Finding] = ()
    """What the capacity search that found this load's rate says of itself."""
