"""What single trials say of a candidate, and what they come to."""

from __future__ import annotations

from typing import Any

import pytest

from harness.decision.feasibility import Met, State, judge_trial, standing_of
from harness.decision.question import (
    Price,
    Question,
    parse_memory,
    parse_numbers,
    parse_price,
    parse_slo,
)
from harness.model import TrialRecord, Validity
from tests.samples import a_record, some_metrics

QUESTION = Question(rate_per_s=300.0, slo_ms=100.0, cpus=(1.0,))


def a_trial(slow: float = 0.0, word: Validity = Validity.VALID, **changes: Any) -> TrialRecord:
    metrics = some_metrics(requests=1500, slow_share=slow, **changes)
    return a_record(validity=word, metrics=metrics)


MET, MISSED, OPEN = a_trial(0.01), a_trial(0.2), a_trial(0.05)
NOISY = a_record(validity=Validity.NOISY, metrics=some_metrics(slow_share=0.0), reasons=("I5: steal",))
OOM = a_record(validity=Validity.INVALID, metrics=None, oom_killed=True, reasons=("I7: OOM",))
OVERLOADED = a_record(validity=Validity.INVALID, metrics=None, reasons=("I3: 9 of 10 were never sent",))
NEVER_UP = a_record(validity=Validity.INVALID, metrics=None, before_load=True, reasons=("I7: it ended",))


@pytest.mark.parametrize(
    ("record", "met"),
    [
        (MET, Met.MET),
        (MISSED, Met.MISSED),
        (OPEN, Met.OPEN),
        (NOISY, Met.NOT_JUDGED),
        (OOM, Met.MISSED),
        (OVERLOADED, Met.MISSED),
        (NEVER_UP, Met.NOT_JUDGED),
        (a_trial(0.0, in_flight_growth=40.0), Met.MISSED),
        (a_trial(0.0, errors=3), Met.MISSED),
        (a_trial(0.0, errors=1), Met.MET),
        (a_record(validity=Validity.GENERATOR_BOUND, metrics=some_metrics(slow_share=0.0)), Met.NOT_JUDGED),
    ],
)
def test_what_one_trial_says(record: TrialRecord, met: Met) -> None:
    assert judge_trial(record, QUESTION)[0] is met


@pytest.mark.parametrize(
    ("trials", "state"),
    [
        ([], State.UNKNOWN),
        ([MET, MET], State.UNKNOWN),
        ([MET, MET, MET], State.PASSES),
        ([MET, NOISY, MET, NOISY, MET], State.PASSES),
        ([MISSED], State.UNKNOWN),
        ([MISSED, MISSED], State.FAILS),
        ([OVERLOADED, MISSED], State.FAILS),
        ([OOM], State.FAILS),
        # One disturbance of the machine in five is no property of the candidate, two are.
        ([MET, MET, MISSED, MET, MET], State.PASSES),
        ([MISSED, MET, MET, MET, MET], State.PASSES),
        ([MET, OPEN, MET, MISSED, MET], State.EDGE),
        ([MET, MISSED, MISSED, MISSED, MET], State.FAILS),
        ([OPEN, OPEN, OPEN, OPEN, OPEN], State.EDGE),
        ([NOISY, NOISY, NOISY], State.UNKNOWN),
        ([NOISY, NOISY, NOISY, NOISY], State.UNMEASURABLE),
        ([NEVER_UP, NEVER_UP, NEVER_UP, NEVER_UP], State.UNMEASURABLE),
    ],
)
def test_what_trials_come_to(trials: list[TrialRecord], state: State) -> None:
    assert standing_of(trials, QUESTION).state is state


def test_questions_as_people_write_them() -> None:
    assert parse_slo("p95<100ms,errors<0.1%") == (100.0, 0.05, 0.001)
    assert parse_slo("p99 <= 1.5 s") == (1500.0, 0.01, 0.001)
    assert parse_numbers("0.5,1,2") == (0.5, 1.0, 2.0)
    assert parse_numbers("1-4") == (1.0, 2.0, 3.0, 4.0)
    assert (parse_memory("512m"), parse_memory("1g"), parse_memory("768")) == (512, 1024, 768)
    assert parse_price("cpu=0.04, gib=0.005") == Price(cpu=0.04, gib=0.005)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_slo, "errors<1%"),
        (parse_slo, "p5<1ms"),
        (parse_slo, "p95<0ms"),
        (parse_numbers, "0"),
        (parse_numbers, "4-1"),
        (parse_numbers, "a"),
        (parse_memory, "lots"),
        (parse_price, "cpu=1"),
    ],
)
def test_what_cannot_be_read_says_how_to_write_it(parse: Any, text: str) -> None:
    with pytest.raises(ValueError, match=r"such as|numbers above 0"):
        parse(text)
