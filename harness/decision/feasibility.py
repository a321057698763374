"""Whether a candidate meets the objective, from its trials. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.analysis.binomial import binomial_interval
from harness.decision.question import Question
from harness.model import TrialRecord, Validity

CONFIRMED = 3
"""Trials, in blocks of their own, that must meet the objective."""
MOST = 5
"""Trials after which what is not clear is called the edge."""
MISSES = 2
"""Trials that missed the objective make a candidate fail that never met it: one may be an accident."""
ATTEMPTS = 4
"""Trials that could not be judged, after which a candidate is given up."""
_OVERLOADED = ("I3:", "I6:", "I7:")
"""Rules that an INVALID trial breaks where the server did not keep up, answered wrongly, or ended."""


class Met(StrEnum):
    """Of one trial."""

    MET = "met"
    MISSED = "missed"
    OPEN = "open"
    """The interval of the slow share holds what is allowed: the edge."""
    NOT_JUDGED = "not judged"
    """The machine or the generator spoilt it."""


class State(StrEnum):
    """Of a candidate."""

    UNKNOWN = "not measured"
    PASSES = "passes"
    FAILS = "fails"
    EDGE = "at the edge"
    UNMEASURABLE = "could not be measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the trials of a candidate say."""

    state: State
    reason: str = ""
    met: int = 0
    judged: int = 0

    @property
    def promising(self) -> bool:
        """So far every trial met the objective, and there was one."""
        return self.state is State.UNKNOWN and self.judged > 0 and self.met == self.judged


def judge_trial(record: TrialRecord, question: Question) -> tuple[Met, str]:
    """Whether one trial at the rate with headroom met the objective, and why not."""
    if record.oom_killed:
        return Met.MISSED, "OOM-killed"
    if record.validity is Validity.INVALID:
        reason = record.reasons[0] if record.reasons else "INVALID"
        overloaded = record.before_load is False and reason.startswith(_OVERLOADED)
        return (Met.MISSED if overloaded else Met.NOT_JUDGED), reason
    metrics = record.metrics
    if metrics is None or metrics.slow_share is None or record.validity is not Validity.VALID:
        return Met.NOT_JUDGED, record.reasons[0] if record.reasons else str(record.validity)
    offered = max(1, metrics.requests + metrics.errors)
    slow = min(offered, round(metrics.slow_share * offered))
    low, high = binomial_interval(slow, offered)
    if metrics.in_flight_growth:
        return (
            Met.MISSED,
            f"a queue builds up ({metrics.in_flight_growth:.0f} requests in the window)",
        )
    if metrics.errors > question.error_share * offered:
        return Met.MISSED, f"{metrics.errors} of {offered} requests failed"
    p95 = metrics.latency_p95_s
    said = f"{slow / offered:.1%} of requests took longer than {question.slo_ms:g} ms"
    said += "" if p95 is None else f" (p95 {p95 * 1000:.0f} ms)"
    if high <= question.slo_share:
        return Met.MET, ""
    if low <= question.slo_share:
        return Met.OPEN, said
    return Met.MISSED, said


def standing_of(records: Sequence[TrialRecord], question: Question) -> Standing:
    """From all trials of a candidate at its rate with headroom, in the order of the journal."""
    judged = [judge_trial(record, question) for record in records]
    counted = [(met, why) for met, why in judged if met is not Met.NOT_JUDGED]
    spoilt = [why for met, why in judged if met is Met.NOT_JUDGED]
    met = sum(one is Met.MET for one, _ in counted)
    missed = [(one, why) for one, why in counted if one is Met.MISSED]
    last = next((why for _, why in reversed(counted) if why), "")
    state = State.UNKNOWN
    if any(record.oom_killed for record in records):
        state, last = State.FAILS, "OOM-killed"
    elif len(missed) >= MISSES and met == 0:
        state, last = State.FAILS, missed[-1][1]
    elif met >= CONFIRMED and met == len(counted):
        state = State.PASSES
    elif len(counted) >= MOST:
        # One disturbance of the machine in five is no property of the candidate.
        state = State.PASSES if met >= MOST - 1 else State.FAILS if len(missed) > met else State.EDGE
        last = f"met the objective in {met} of {len(counted)} trials: {last}"
    elif len(spoilt) >= (2 if counted else 1) * ATTEMPTS:
        state, last = State.UNMEASURABLE, spoilt[-1]
    return Standing(state=state, reason=last, met=met, judged=len(counted))
