"""What a report is made of: values only, gathered by the pipeline from a stored run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from harness.analysis.samples import last_attempts, twin_of_baseline
from harness.deployment import ResourceReading
from harness.findings import RunAnalysis, WrapperCost
from harness.model import Matrix, Scenario, TrialRecord, Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceSeries:
    """The readings of one trial and its measured window, all on CLOCK_MONOTONIC in seconds."""

    readings: tuple[ResourceReading, ...]
    window_start_s: float
    window_end_s: float
    slice_ends_s: NDArray[np.float64] | None = None
    """Of a trial in slices, shape (slices,): there are two readings for each, just before it begins and once
    it is drained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TailCurve:
    """Quantiles q of a cell's latencies, from the median on. Shapes (m,), empty where there are too few."""

    positions: NDArray[np.float64]
    """-log10(1 - q): p90 is 1, p99 is 2."""
    latencies_ms: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRow:
    """One worker rule under one scenario: what it comes to here, and what following it costs."""

    scenario: str
    rule: str
    workers: int
    variant_id: str
    regret: float | None
    """Share lost on the ranking metric by following the rule: 0 for the best variant, 0.1 when it is 10 %
    worse; None where the variant was not ranked."""
    regret_lo: float | None = None
    regret_hi: float | None = None
    """Ends of the 95 % interval of the regret; None where there is none, and of the best variant."""
    working_set_mib: float | None
    in_best_set: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """Everything the renderers may say about one run."""

    run_id: str
    matrix: Matrix
    analysis: RunAnalysis
    records: tuple[TrialRecord, ...]
    """Every attempt, in the order of the journal."""
    provenance: Mapping[str, str]
    """Facts of the machine and the run. `engine` ("docker" or "process") and `started_at` are expected,
    `command` (the command line that repeats the run) is offered for copying; all others are listed as
    they are, a dot in a key setting a group apart from its entry.
    """
    failed_builds: Mapping[str, str] = field(default_factory=dict)
    """The reason by recipe."""
    tails: Mapping[str, TailCurve] = field(default_factory=dict)
    """Of the latencies of right answers, pooled over the trials of a cell, by cell id."""
    p99_at_most_s: Mapping[str, float] = field(default_factory=dict)
    """By cell id, where there are too few requests for a p99: what it is at most, with 95 % confidence."""
    series: Mapping[str, ResourceSeries] = field(default_factory=dict)
    """By trial id."""
    rules: tuple[RuleRow, ...] = ()
    wrapper_cost: WrapperCost | str | None = None
    """Or why it was not measured; None of a run that says nothing of it."""

    @property
    def engine(self) -> str:
        return self.provenance.get("engine", "unknown")

    @property
    def twin(self) -> Variant:
        """The A/A twin of the baseline."""
        return twin_of_baseline(self.matrix)

    @property
    def variants(self) -> tuple[Variant, ...]:
        """In matrix order, the twin last."""
        return (*self.matrix.variants, self.twin)

    @property
    def outcomes(self) -> tuple[TrialRecord, ...]:
        """The last attempt at each trial: the one that counts."""
        return last_attempts(self.records)

    def scenario(self, name: str) -> Scenario:
        return next(scenario for scenario in self.matrix.scenarios if scenario.name == name)
