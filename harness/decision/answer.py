"""The nouns of an answer: what was chosen, and what became of every other candidate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from harness.decision.question import Candidate, Question
from harness.findings import Summary


class Ending(StrEnum):
    """How the search ended."""

    FOUND = "found"
    NONE_PASSES = "none passes"
    UNFINISHED = "unfinished"
    GENERATOR = "the generator is too weak"
    NOTHING_MEASURED = "nothing could be measured"


class Why(StrEnum):
    """Why a candidate is not the answer."""

    CHOSEN = "chosen"
    PASSES = "passes, and costs more"
    FAILS = "fails"
    EDGE = "at the edge"
    COSTS_MORE = "costs more than one that passes"
    UNMEASURABLE = "could not be measured"
    OPEN = "not settled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """A candidate and what became of it."""

    candidate: Candidate
    why: Why
    reason: str
    cpus: float
    """Of all replicas."""
    memory_mib: float | None
    """Of all replicas: the working set, measured or by its workers."""
    p95_s: float | None
    """Median over its trials at the rate with headroom."""
    trials: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOfThumb:
    """What rules of thumb give for the chosen kind of server, and what became of that."""

    rule: str
    """Those that agree, by their names."""
    workers: int
    why: Why
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """All that is said to whoever asked."""

    question: Question
    ending: Ending
    sentence: str
    chosen: Candidate | None
    """Under its memory limit."""
    cpus: float | None
    """Of each replica."""
    at_rate: Mapping[str, Summary]
    """The chosen one's figures at the rate, per replica, by the metric's name."""
    with_headroom: Mapping[str, Summary]
    weighed: tuple[Weighed, ...]
    """Every candidate, the cheapest first."""
    rules: tuple[RuleOfThumb, ...]
    pareto: tuple[Candidate, ...]
    """Of those that pass: none has both less CPU or memory, and a lower p95."""
    cost_per_million: float | None
    """Requests at the rate, by the price that was given."""
    notes: tuple[str, ...]
    trials: int
