"""What a machine can show, from a run of one deployment against itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from harness.analysis.wording import percent
from harness.model import Validity
from harness.reporting.data import ReportData

SMALL = 0.03
"""A floor up to which a machine is fit for the usual margin."""


def noise_lines(data: ReportData) -> Iterator[str]:
    """The smallest difference that it can show, and what disturbs it."""
    (finding,) = data.analysis.findings
    blocks = max((record.block for record in data.outcomes), default=0)
    if finding.floor is None:
        yield "No difference can be shown here: fewer than 3 blocks were VALID on both sides."
    else:
        yield (
            f"Smallest detectable difference: {percent(finding.floor)}, between two equal deployments in "
            f"{blocks} blocks on {finding.scenario}."
        )
        if finding.floor > SMALL:
            factor = (finding.floor / SMALL) ** 2
            yield f"For {percent(SMALL)} it takes about {factor:.0f} times the blocks, or a quieter machine."
    yield from _disturbances(data)


def _disturbances(data: ReportData) -> Iterator[str]:
    left_out: Counter[str] = Counter()
    for record in data.outcomes:
        left_out.update(record.rounds_left_out)
    rounds = sum(record.rounds or 0 for record in data.outcomes)
    for cause, count in left_out.most_common():
        yield f"disturbed: {count} of {rounds} slices by {cause}"
    steal = max((r.metrics.steal_share for r in data.outcomes if r.metrics is not None), default=0.0)
    yield f"steal: {percent(steal)} of a core at most (other guests of the host)"
    for key, name in (
        ("host.governor", "frequency governor"),
        ("host.smt", "SMT"),
        ("host.load_average_1min", "load average before the run"),
    ):
        if key in data.provenance:
            yield f"{name}: {data.provenance[key]}"
    noisy = [record for record in data.outcomes if record.validity is not Validity.VALID]
    for record in noisy[:3]:
        yield f"{record.trial_id} is {record.validity}: {'; '.join(record.reasons)}"
