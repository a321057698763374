"""Memory by worker: whether it adds up, and whether that predicts when the killer comes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from statistics import linear_regression, median

from studies.claims.claim import Answer, AnswerPart
from studies.claims.claim_evidence import ClaimEvidence, NotMeasured

STRAIGHT = 0.1
"""How far from the straight line, as a fraction, the memory of any count may lie to count as additive."""
FEWEST_COUNTS = 3
"""Two points always lie on a straight line."""


def additive(evidence: ClaimEvidence) -> Iterator[AnswerPart]:
    """PSS = base + slope x workers, for every server that was seen with enough worker counts."""
    for recipe, sizes in sorted(_pss_by_workers(evidence).items()):
        slope, base = linear_regression(list(sizes), list(sizes.values()))
        worst = max(abs(base + slope * count - size) / size for count, size in sizes.items())
        yield AnswerPart(
            asked=f"memory adds up worker by worker ({recipe})",
            answer=Answer.YES if worst <= STRAIGHT else Answer.NO,
            figure=f"{base / 2**20:.0f} MiB + {slope / 2**20:.0f} MiB a worker, "
            f"at most {worst:.1%} off at {min(sizes)} to {max(sizes)} workers",
        )


def predicted_kill(evidence: ClaimEvidence) -> Iterator[AnswerPart]:
    """The first worker too many, by the straight line, against the one that brought the killer."""
    for seen in evidence.about("lifecycle", "memory-limit", "killed_at_workers"):
        foretold = evidence.observed("lifecycle", "memory-limit", seen.target, "predicted_workers")
        pairs = [(k, f) for k, f in zip(seen.values, foretold.values, strict=False) if f is not None]
        hits = [killed is not None and abs(killed - wanted) <= 1 for killed, wanted in pairs]
        told = ", ".join(
            f"{'not found' if killed is None else f'at {killed:g}'}, foretold {wanted:g}"
            for killed, wanted in pairs
        )
        yield AnswerPart(
            asked=f"killed at the foretold count of workers, give or take one ({seen.target})",
            answer=Answer.YES if hits and all(hits) else Answer.NO if hits else Answer.OPEN,
            figure=f"{told}{f' ({seen.note})' if seen.note else ''}",
            needed="no prediction",
        )


def _pss_by_workers(evidence: ClaimEvidence) -> dict[str, dict[int, float]]:
    """Median PSS in bytes by worker count, by recipe. Raises NotMeasured."""
    found: dict[str, dict[int, float]] = defaultdict(dict)
    for seen in evidence.about("lifecycle", "memory-per-worker", "pss_bytes"):
        recipe, _, workers = seen.target.partition(".w")
        values = [value for value in seen.values if value is not None]
        if values and workers.isdigit():
            found[recipe][int(workers)] = median(values)
    enough = {
        recipe: dict(sorted(sizes.items())) for recipe, sizes in found.items() if len(sizes) >= FEWEST_COUNTS
    }
    if not enough:
        raise NotMeasured(f"memory at {FEWEST_COUNTS} worker counts of any server")
    return enough
