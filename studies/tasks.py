"""The one way through a study: which tasks are wanted, how long they take, then one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Protocol, TypeVar

from harness.errors import ConfigurationError, TrialError, VariantError
from harness.progress import duration


class Task(Protocol):
    """Something to measure, as a whole or not at all."""

    @property
    def name(self) -> str: ...
    @property
    def words(self) -> tuple[str, ...]:
        """What `--only` may call it."""
        ...

    @property
    def expected_s(self) -> float:
        """What is left of it, in seconds; 0 when it is finished."""
        ...


T = TypeVar("T", bound=Task)


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """How a call went."""

    interrupted: bool = False
    over_budget: tuple[str, ...] = ()
    """Not begun; the next call measures them."""
    failed: tuple[str, ...] = ()
    """Each with the reason. The others went on."""


def chosen(tasks: Sequence[T], only: Sequence[str]) -> list[T]:
    """Those that some word of `only` names, all when it is empty. Raises ConfigurationError."""
    known = dict.fromkeys(word for task in tasks for word in task.words)
    if unknown := [word for word in only if word not in known]:
        raise ConfigurationError("--only", [f"no {word!r}; there are {', '.join(known)}" for word in unknown])
    return [task for task in tasks if not only or set(only) & set(task.words)]


def announced(tasks: Sequence[Task], *, budget_s: float = inf) -> Iterator[str]:
    """How long each task still takes, and all of them."""
    total_s = 0.0
    width = max((len(task.name) for task in tasks), default=0)
    for task in tasks:
        # Asked once: it may read all that is stored.
        seconds = task.expected_s
        total_s += seconds
        yield f"{task.name:<{width}}  {f'about {duration(seconds)}' if seconds else 'finished'}"
    if not total_s:
        yield "nothing is left to measure"
        return
    within = "" if budget_s == inf else f"; the budget is {duration(budget_s)}"
    yield f"about {duration(total_s)} in all, and the first builds{within}"


def walk(
    tasks: Sequence[T],
    measure: Callable[[T], None],
    *,
    say: Callable[[str], None],
    budget_s: float = inf,
    monotonic: Callable[[], float] = time.monotonic,
) -> Walked:
    """Measure one task after the other. None starts that is not expected to end within the budget."""
    started_s = monotonic()
    over_budget: list[str] = []
    failed: list[str] = []
    interrupted = False
    for number, task in enumerate(tasks, start=1):
        expected_s = task.expected_s
        if not expected_s:
            continue
        if monotonic() - started_s + expected_s > budget_s:
            over_budget.append(task.name)
            continue
        say(f"[{number}/{len(tasks)}] {task.name}: about {duration(expected_s)}")
        try:
            measure(task)
        except KeyboardInterrupt:
            interrupted = True
            break
        except (VariantError, TrialError) as error:
            say(f"{task.name} could not be measured: {error}")
            failed.append(f"{task.name}: {error}")
    return Walked(interrupted=interrupted, over_budget=tuple(over_budget), failed=tuple(failed))
