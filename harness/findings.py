"""The frozen nouns of the analysis: what a run turned out to say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from harness.model import TrialRecord, Validity


class Direction(StrEnum):
    """Which way a metric is better."""

    HIGHER = "higher"
    LOWER = "lower"


class Verdict(StrEnum):
    """A comparison's outcome against the margin."""

    BETTER = "better"
    WORSE = "worse"
    EQUIVALENT = "equivalent"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A centre with its 95 % interval; doubt travels with the number. Below 3 values lo and hi are None."""

    center: float
    lo: float | None
    hi: float | None
    n: int
    warnings: tuple[str, ...] = ()


class Bottleneck(StrEnum):
    """What kept a server from doing more."""

    GENERATOR = "generator"
    MEMORY = "memory"
    CPU_QUOTA = "CPU quota"
    SERVER_CPU = "server CPU"
    SHARED_CORES = "shared cores"
    ACCEPT_SKEW = "accept skew"
    THREAD_POOL = "thread pool full"
    EVENT_LOOP = "event loop blocked"
    DELAYED_ACK = "delayed ACK"
    DOWNSTREAM = "downstream wait"
    NONE = "none reached"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A bottleneck and the signals that it was told from, by name and in words."""

    bottleneck: Bottleneck
    signals: Mapping[str, str]
    """Empty where nothing was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSummary:
    """All a run knows of one cell. Metrics are keyed by TrialMetrics field name."""

    variant_id: str
    scenario: str
    metrics: Mapping[str, Summary]
    valid: int
    trials: int
    word: Validity
    """VALID when it can be ranked; otherwise the word that stands on its numbers."""
    cannot_serve: bool = False
    """The server breaks on every request of this app."""
    wrong_bodies: int = 0
    """In any trial of it: a variant that was seen to answer wrongly is never ranked."""
    stopped_early: bool = False
    """Clearly worse than the best by then, so it was measured no further."""
    limited_by: Limit | None = None
    """None before the signals were looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A variant against the baseline (or the best) on one metric and scenario, paired by block."""

    scenario: str
    metric: str
    variant_id: str
    baseline_id: str
    ratio: Summary
    """Variant / baseline, geometric."""
    p_value: float | None
    """Of "there is no difference at all"."""
    p_holm: float | None
    """Of "the difference is at most the matrix's margin", adjusted for its family; this decides."""
    verdict: Verdict
    margin: float | None = None
    """What the verdict was given against, a fraction; None where the run has no A/A floor for the metric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioFinding:
    """What one scenario says."""

    scenario: str
    metric: str
    """The metric that ranks: throughput_per_s for closed load, latency_p95_s for open load, capacity_per_s
    for a capacity search."""
    floor: float | None
    """The largest relative difference between the baseline and its twin that the run cannot rule out."""
    margin: float
    """max(the matrix's margin, the A/A floor)."""
    cells: tuple[CellSummary, ...]
    comparisons: tuple[Comparison, ...]
    """Every variant against the baseline, for every compared metric, the twin included."""
    best_set: tuple[str, ...]
    """Variant ids not distinguishable from the best on `metric`, simplest first."""
    recommended: str | None
    best: str | None = None
    """The ranked variant with the best centre on `metric`."""
    against_best: tuple[Comparison, ...] = ()
    """Every other ranked variant against `best` on `metric`, the twin left out."""
    idle_cores: float = 0.0
    """Used by all variants and the twin together without any load; 0 where none stood next to another."""
    warnings: tuple[str, ...] = ()

    @property
    def measured(self) -> bool:
        """Whether there is a figure of any variant, ranked or not."""
        return any(cell.metrics for cell in self.cells)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compromise:
    """One variant for all scenarios, and what it costs where it costs most."""

    variant_id: str
    most: float
    """What it may lose to the best at most, a fraction, in the scenario where that is largest."""
    scenario: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAnalysis:
    """Everything the report says, as values."""

    findings: tuple[ScenarioFinding, ...]
    recommended: str | None
    """The simplest variant in the best set of every scenario, where there is one."""
    headline: str
    """The verdict in a sentence a team lead can act on."""
    invalid: tuple[TrialRecord, ...]
    """Every trial that was not ranked (any word but VALID), as its last attempt left it."""
    warnings: tuple[str, ...] = ()
    """What touches every scenario; a scenario's own warnings stand in its finding."""
    compromise: Compromise | None = None
    """Where no variant is among the best of every scenario: the one that loses least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrapperCost:
    """Throughput of the wrapped baseline over that of the bare one, with its 95 % interval over rounds."""

    ratio: float
    lo: float
    hi: float
    rounds: int
    scenario: str
