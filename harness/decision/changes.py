"""What differs between two versions of an app: the nouns of a comparison."""

from __future__ import annotations

from dataclasses import dataclass

from harness.decision.thresholds import Outcome, Threshold
from harness.findings import Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One metric of one scenario in both versions."""

    scenario: str
    metric: str
    variant_id: str
    """Of the new version."""
    before: Summary
    after: Summary
    ratio: Summary
    """After / before, geometric."""
    floor: float | None
    """Largest relative difference that equal deployments may show here."""
    threshold: Threshold | None = None
    outcome: Outcome | None = None
    """None of a metric without a threshold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionComparison:
    """What a comparison came to."""

    base: str
    new: str
    paired: bool
    """Whether both were measured in one run, side by side."""
    changes: tuple[Change, ...]
    problems: tuple[str, ...]
    """What could not be measured, and why."""
    warnings: tuple[str, ...]
    outcome: Outcome
    sentence: str

    @property
    def judged(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.outcome is not None)
