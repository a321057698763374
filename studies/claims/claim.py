"""A claim, the questions it comes to, and the verdict that their answers allow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum

from harness.analysis.wording import spelt
from studies.claims.claim_evidence import ClaimEvidence, NotMeasured

NAMED = 4
"""Longer lists are cut here, and the rest counted."""
NOT_MEASURED = "not measured"


class Answer(StrEnum):
    YES = "yes"
    NO = "no"
    OPEN = "open"
    NOT_EXERCISED = "not exercised"
    """What was asked never came to the test: neither a yes nor something that more repeats would decide."""


class Word(StrEnum):
    """The verdict on a claim."""

    HOLDS = "holds"
    FAILS = "fails"
    DEPENDS = "depends"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerPart:
    """One thing that must be so if the claim is true, and what was seen."""

    asked: str
    """A statement that is true when the answer is yes, with its place: "faster on items"."""
    answer: Answer
    figure: str
    effect: float = 0.0
    """How far it is from "no difference", a fraction; 0 where that means nothing."""
    needed: str = ""
    """For an open part: what it would have taken to decide it."""


Question = Callable[[ClaimEvidence], Iterable[AnswerPart]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    id: str
    text: str
    said_by: str
    sources: tuple[str, ...]
    """The presets and experiments that it is judged by."""
    depends_on: str
    """What the answer would turn on if it were not the same everywhere: "the workload"."""
    questions: tuple[Question, ...]
    details: tuple[Callable[[ClaimEvidence], Iterable[str]], ...] = ()
    """Figures that belong to it and answer no question, as sentences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The verdict, the sentence that explains it, and everything it rests on."""

    word: Word
    why: str
    parts: tuple[AnswerPart, ...]
    details: tuple[str, ...] = ()

    @property
    def measured(self) -> bool:
        """Whether anything of it was."""
        return any(part.figure != NOT_MEASURED for part in self.parts)

    @property
    def effect(self) -> float:
        """The largest effect among the parts that were decided."""
        return max((part.effect for part in self.parts if part.answer is not Answer.OPEN), default=0.0)


def adjudicate(claim: Claim, evidence: ClaimEvidence) -> Finding:
    """Ask every question. What was not measured is an open part, and never an answer."""
    parts = tuple(part for question in claim.questions for part in _answers(question, evidence))
    finding = combined(parts, depends_on=claim.depends_on)
    return replace(finding, details=tuple(line for told in claim.details for line in _told(told, evidence)))


def combined(parts: Sequence[AnswerPart], *, depends_on: str) -> Finding:
    """The verdict that no open part could change.

    A yes and a no make it depend, whatever the open parts are; all yes or all no decide it; anything
    else is undecided, and says what is known and what is lacking. What was not exercised decides nothing,
    and is named.
    """
    yes, no, unknown, idle = ([part for part in parts if part.answer is answer] for answer in Answer)
    if yes and no:
        word, why = Word.DEPENDS, f"on {depends_on}: yes: {_named(yes)}; no: {_named(no)}"
    elif unknown or not (yes or no):
        known = f"yes: {_named(yes)}; " if yes else f"no: {_named(no)}; " if no else ""
        word, why = Word.UNDECIDED, known + _lacking(unknown)
    else:
        word, why = (Word.HOLDS, _named(yes)) if yes else (Word.FAILS, f"no: {_named(no)}")
    untested = f"; {Answer.NOT_EXERCISED}: {_cut([part.asked for part in idle])}" if idle else ""
    return Finding(word=word, why=why + untested, parts=tuple(parts))


def _answers(question: Question, evidence: ClaimEvidence) -> Iterator[AnswerPart]:
    try:
        yield from question(evidence)
    except NotMeasured as missing:
        yield AnswerPart(asked=str(missing), answer=Answer.OPEN, figure=NOT_MEASURED, needed=NOT_MEASURED)


def _told(detail: Callable[[ClaimEvidence], Iterable[str]], evidence: ClaimEvidence) -> Iterator[str]:
    with suppress(NotMeasured):
        yield from detail(evidence)


def _named(parts: Sequence[AnswerPart]) -> str:
    """The statements, those with the largest effects first."""
    ordered = sorted(parts, key=lambda part: -part.effect)
    return _cut([f"{part.asked} ({part.figure})" for part in ordered])


def _lacking(parts: Sequence[AnswerPart]) -> str:
    """What was measured and is open, then what was not measured at all."""
    near = [f"{part.asked} ({part.needed})" for part in parts if part.figure != NOT_MEASURED]
    missing = [part.asked for part in parts if part.figure == NOT_MEASURED]
    clauses = [f"open: {_cut(near)}"] if near else []
    clauses += [f"{NOT_MEASURED}: {_cut(missing)}"] if missing else []
    return "; ".join(clauses) or NOT_MEASURED


def _cut(names: Sequence[str]) -> str:
    names = list(dict.fromkeys(names))
    return spelt([*names[:NAMED], f"{len(names) - NAMED} more"] if len(names) > NAMED + 1 else names)
