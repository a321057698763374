"""Which candidates to measure next: the cheapest that may still meet the objective. Pure.

A candidate fails or passes by its own trials only, by those of one that has more of everything (more CPU for
the same workers and rate), or because the CPU time that its requests were measured to take is more than it
has. What costs more than one that passes is not measured.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from harness.analysis.best_set import Simplicity
from harness.decision.feasibility import ATTEMPTS, CONFIRMED, State, standing_of
from harness.decision.question import (
    AT_THE_RATE,
    Candidate,
    Question,
    cell_of,
    cpus_of,
)
from harness.decision.race import Race, like
from harness.decision.rules_of_thumb import rules_of_thumb
from harness.model import Cell, Matrix, Trial, TrialRecord, Validity
from harness.planning.remaining import Block

SIDE_BY_SIDE = 3
"""Candidates in a block."""


def next_block(
    records: Sequence[TrialRecord],
    matrix: Matrix,
    question: Question,
    *,
    simplicity: Simplicity,
    left_out: Collection[str] = (),
) -> Block:
    """The trials to run next, in a block of their own; none where the question is answered.

    Last are those that the rules of thumb give for the winner's kind of server: each is measured once.
    """
    race = Race(matrix, question, records, simplicity, frozenset(left_out))
    number = 1 + max((record.block for record in records), default=0)
    cells = _pilots(race) or _contenders(race) or _confirmation(race) or _by_rule(race)
    return tuple(Trial(cell=cell, block=number) for cell in cells)


def remaining_of(
    question: Question, simplicity: Simplicity
) -> Callable[[Sequence[TrialRecord], Matrix, Collection[str]], tuple[Block, ...]]:
    """What a run that is to answer a question has yet to measure, as far as can be told: the next block."""

    def remaining(
        records: Sequence[TrialRecord], matrix: Matrix, left_out: Collection[str]
    ) -> tuple[Block, ...]:
        block = next_block(records, matrix, question, simplicity=simplicity, left_out=left_out)
        return (block,) if block else ()

    return remaining


def _pilots(race: Race) -> list[Cell]:
    return [cell_of(race.matrix, one) for one in race.pilots()]


def _contenders(race: Race) -> list[Cell]:
    """The cheapest, up to the first that did well so far: what costs more than that can wait."""
    chosen: list[Candidate] = []
    for one in race.contenders():
        chosen.append(one)
        if len(chosen) == SIDE_BY_SIDE or race.standing(one).promising:
            break
    return [cell_of(race.matrix, one) for one in chosen]


def _confirmation(race: Race) -> list[Cell]:
    """The winner under its memory limit, with headroom and at the rate itself."""
    winner = race.winner()
    if winner is None:
        return []
    chosen = race.under_limit(winner)
    cells = []
    if standing_of(race.trials(chosen), race.question).state is State.UNKNOWN:
        cells.append(cell_of(race.matrix, chosen))
    at_rate = [record for record in race.trials(chosen, AT_THE_RATE) if record.validity is Validity.VALID]
    if len(at_rate) < CONFIRMED and len(race.trials(chosen, AT_THE_RATE)) < CONFIRMED + ATTEMPTS:
        cells.append(cell_of(race.matrix, chosen, AT_THE_RATE))
    return cells


def _by_rule(race: Race) -> list[Cell]:
    winner = race.winner()
    if winner is None:
        return []
    counts = set(rules_of_thumb(cpus_of(winner.variant, race.matrix)).values())
    return [
        cell_of(race.matrix, one)
        for one in race.candidates
        if like(one, winner)
        and one.variant.workers in counts
        and race.standing(one).state is State.UNKNOWN
        and not race.trials(one)
    ]
