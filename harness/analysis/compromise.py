"""One variant for scenarios that disagree: the one that is least behind the best in its worst scenario."""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis.metrics import DIRECTIONS
from harness.analysis.verdicts import most_lost
from harness.findings import Compromise, ScenarioFinding
from harness.model import Variant


def compromise(findings: Sequence[ScenarioFinding], variants: Sequence[Variant]) -> Compromise | None:
    """The variant whose loss to the best of a scenario is smallest where it is largest.

    A loss counts with the far end of its 95 % interval: what it may be at most. None where no variant is
    ranked, with an interval, in every scenario, where one of them recommends nothing, and where there is one.
    """
    if len(findings) < 2 or any(finding.recommended is None for finding in findings):
        return None
    found = [one for variant in variants if (one := _worst(findings, variant.id)) is not None]
    return min(found, key=lambda one: (one.most, one.variant_id), default=None)


def _worst(findings: Sequence[ScenarioFinding], variant_id: str) -> Compromise | None:
    losses = []
    for finding in findings:
        most = most_behind(finding, variant_id)
        if most is None:
            return None
        losses.append((most, finding.scenario))
    most, scenario = max(losses)
    return Compromise(variant_id=variant_id, most=most, scenario=scenario)


def most_behind(finding: ScenarioFinding, variant_id: str) -> float | None:
    """What a variant may lose to the best at most, a fraction; 0 for the best; None where it is not known."""
    if variant_id == finding.best:
        return 0.0
    pair = next((pair for pair in finding.against_best if pair.variant_id == variant_id), None)
    most = None if pair is None else most_lost(pair.ratio, DIRECTIONS[finding.metric])
    return None if most is None else max(0.0, most)
