"""The walk through tasks: what is finished is left alone, what does not fit is left for later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from harness.errors import BuildFailed, ConfigurationError
from studies.tasks import Walked, announced, chosen, walk
from tests.fakes import FakeClock


@dataclass(frozen=True)
class Named:
    name: str
    expected_s: float = 1.0
    raises: BaseException | None = None

    @property
    def words(self) -> tuple[str, ...]:
        return self.name, self.name[0].upper()


def walked(tasks: Sequence[Named], budget_s: float = 1000.0) -> tuple[Walked, list[str]]:
    """Each takes as long as it says."""
    clock, done = FakeClock(), list[str]()

    def measure(task: Named) -> None:
        clock.sleep(task.expected_s)
        done.append(task.name)
        if task.raises is not None:
            raise task.raises

    outcome = walk(tasks, measure, say=lambda _: None, budget_s=budget_s, monotonic=clock.monotonic)
    return outcome, done


def test_finished_tasks_are_passed_over_and_long_ones_left_for_later() -> None:
    outcome, done = walked(
        [Named("a", 30), Named("finished", 0), Named("long", 100), Named("b", 40)], budget_s=90
    )
    assert done == ["a", "b"]
    assert outcome == Walked(over_budget=("long",))


def test_a_task_that_cannot_be_measured_does_not_hold_up_the_others() -> None:
    outcome, done = walked([Named("a", raises=BuildFailed("granian", "no such package")), Named("b")])
    assert done == ["a", "b"]
    assert [reason.partition(":")[0] for reason in outcome.failed] == ["a"]


def test_an_interrupt_ends_the_walk() -> None:
    outcome, done = walked([Named("a", raises=KeyboardInterrupt()), Named("b")])
    assert (outcome.interrupted, done) == (True, ["a"])


def test_a_defect_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        walked([Named("a", raises=ZeroDivisionError())])


def test_the_times_are_announced_with_their_sum() -> None:
    assert list(announced([Named("first", 80), Named("b", 0)], budget_s=3600)) == [
        "first  about 80 s",
        "b      finished",
        "about 80 s in all, and the first builds; the budget is 1 h 00 min",
    ]
    assert list(announced([Named("a", 80)]))[-1] == "about 80 s in all, and the first builds"


def test_when_all_is_finished_no_time_is_announced() -> None:
    *_, last = announced([Named("a", 0)])
    assert last == "nothing is left to measure"


def test_tasks_are_chosen_by_any_of_their_words_and_an_unknown_word_is_refused_with_those_there_are() -> None:
    stop, kill = Named("stop"), Named("kill")
    assert chosen((stop, kill), ()) == [stop, kill]
    assert chosen((stop, kill), ["kill"]) == chosen((stop, kill), ["K"]) == [kill]
    with pytest.raises(ConfigurationError, match="no 'kil'; there are stop, S, kill, K"):
        chosen((stop, kill), ["kil"])
