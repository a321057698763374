"""What is known of every candidate so far, and what each would cost. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from harness.analysis.best_set import Simplicity
from harness.decision.feasibility import ATTEMPTS, Standing, State, standing_of
from harness.decision.question import (
    AT_THE_RATE,
    WITH_HEADROOM,
    Candidate,
    Question,
    candidates,
    cell_of,
    cpus_of,
    limited,
    memory_levels,
    rate_of,
)
from harness.model import Matrix, TrialRecord, Validity

CLEARLY_MORE = 1.25
"""CPU that is needed over CPU that is there, from which a candidate cannot keep up."""
MEMORY_SPARE = 1.1
"""A limit over the highest working set that was seen without it."""
DEAR = float("inf")
Cost = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Race:
    """All that the records say of the candidates of a question."""

    matrix: Matrix
    question: Question
    records: Sequence[TrialRecord]
    simplicity: Simplicity
    left_out: frozenset[str] = frozenset()
    """Builds that failed."""
    candidates: tuple[Candidate, ...] = field(init=False)
    """That could be built."""
    _by_cell: dict[str, list[TrialRecord]] = field(default_factory=lambda: defaultdict(list))
    _standings: dict[Candidate, Standing] = field(default_factory=dict)
    _values: dict[tuple[object, ...], list[tuple[int, float]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for record in self.records:
            self._by_cell[record.cell_id].append(record)
        found = candidates(self.matrix, self.question)
        able = tuple(one for one in found if one.variant.build not in self.left_out)
        object.__setattr__(self, "candidates", able)

    def trials(self, candidate: Candidate, kind: str = WITH_HEADROOM) -> list[TrialRecord]:
        return self._by_cell.get(cell_of(self.matrix, candidate, kind).id, [])

    def standing(self, candidate: Candidate) -> Standing:
        if candidate not in self._standings:
            self._standings[candidate] = self._standing(candidate)
        return self._standings[candidate]

    def _standing(self, candidate: Candidate) -> Standing:
        own = standing_of(self.trials(candidate), self.question)
        if own.state is not State.UNKNOWN or own.judged:
            return own
        if (better := self._failed_with_more(candidate)) is not None:
            return Standing(state=State.FAILS, reason=f"{better.id} has more, and fails")
        needed, has = self.cpus_needed(candidate), self.usable_cpus(candidate)
        if needed is not None and needed > CLEARLY_MORE * has:
            return Standing(
                state=State.FAILS,
                reason=f"its requests need {needed:.2g} CPUs with headroom, and it can use {has:.2g}",
            )
        return own

    def _failed_with_more(self, candidate: Candidate) -> Candidate | None:
        """The same processes with at least its CPU at no higher a rate, seen to fail."""
        for other in self.candidates:
            if other == candidate or other.replicas < candidate.replicas:
                continue
            same = _processes(other) == _processes(candidate)
            if same and cpus_of(other.variant, self.matrix) >= cpus_of(candidate.variant, self.matrix):
                found = standing_of(self.trials(other), self.question)
                if found.state is State.FAILS:
                    return other
        return None

    def usable_cpus(self, candidate: Candidate) -> float:
        """A worker is one Python process, and uses one core at most."""
        variant = candidate.variant
        return min(cpus_of(variant, self.matrix), variant.workers if variant.wrapped else DEAR)

    def cpus_needed(self, candidate: Candidate) -> float | None:
        """At the rate with headroom, from the CPU per request of the recipe; None before that is known.

        Of the trials the one with the least counts: at little load a request takes more CPU than at much.
        """
        seen = self._seen(candidate, "cpu_ms_per_request")
        rate_per_s = rate_of(cell_of(self.matrix, candidate).scenario)
        return rate_per_s * min(value for _, value in seen) / 1000 if seen else None

    def memory_mib(self, candidate: Candidate) -> float | None:
        """Of a replica: as measured, else by its workers from what the recipe takes with the fewest."""
        own = [
            record.metrics.working_set_peak_bytes
            for kind in (WITH_HEADROOM, AT_THE_RATE)
            for record in self.trials(candidate, kind)
            if record.metrics is not None and record.validity is Validity.VALID
        ]
        if own:
            return max(own) / 2**20
        seen = self._seen(candidate, "working_set_peak_bytes")
        if not seen:
            return None
        fewest = min(workers for workers, _ in seen)
        per_worker = median(value for workers, value in seen if workers == fewest) / fewest
        return per_worker * candidate.variant.workers / 2**20

    def _seen(self, candidate: Candidate, metric: str) -> list[tuple[int, float]]:
        """Workers and value of every VALID trial of the recipe, in the same environment."""
        variant = candidate.variant
        key = (variant.recipe, variant.env, metric)
        if key not in self._values:
            self._values[key] = [
                (other.variant.workers, float(value))
                for other in self.candidates
                if (other.variant.recipe, other.variant.env) == (variant.recipe, variant.env)
                for record in self.trials(other)
                if record.validity is Validity.VALID
                and (value := getattr(record.metrics, metric, None)) is not None
            ]
        return self._values[key]

    def cost(self, candidate: Candidate) -> Cost:
        """What is least is cheapest: a price where there is one, else CPU, then memory, then simplicity."""
        cpus = candidate.replicas * cpus_of(candidate.variant, self.matrix)
        memory_mib = self.memory_mib(candidate)
        level_mib = DEAR if memory_mib is None else self.limit_mib(memory_mib)
        gib = candidate.replicas * level_mib / 1024
        simple: Cost = (candidate.replicas, *_numbers(self.simplicity(candidate.variant)))
        if self.question.price is not None:
            price = self.question.price
            return (cpus * price.cpu + gib * price.gib, cpus, gib, *simple)
        return (cpus, gib, *simple)

    def limit_mib(self, memory_mib: float) -> int:
        """The smallest limit with room above a working set; the most there may be where none has."""
        levels = memory_levels(self.question)
        roomy = (level for level in levels if level >= MEMORY_SPARE * memory_mib)
        return next(roomy, self.question.memory_mib or round(MEMORY_SPARE * memory_mib) + 1)

    def winner(self) -> Candidate | None:
        """The cheapest that passes, once nothing cheaper may."""
        best = self.best()
        return best if best is not None and not any(True for _ in self.contenders()) else None

    def best(self) -> Candidate | None:
        passing = [one for one in self.candidates if self.standing(one).state is State.PASSES]
        return min(passing, key=self.cost, default=None)

    def contenders(self) -> Iterator[Candidate]:
        """Those that may still be the answer, the cheapest first."""
        best = self.best()
        bar = None if best is None else self.cost(best)
        open_ = [one for one in self.candidates if self.standing(one).state is State.UNKNOWN]
        for one in sorted(open_, key=self.cost):
            if bar is None or self.cost(one) < bar:
                yield one

    def pilots(self) -> Iterator[Candidate]:
        """One of each recipe that nothing is known of: few workers, much CPU, little load."""
        recipes = dict.fromkeys((one.variant.recipe, one.variant.env) for one in self.candidates)
        for recipe, env in recipes:
            own = [one for one in self.candidates if (one.variant.recipe, one.variant.env) == (recipe, env)]
            pilot = min(own, key=self._pilot_first)
            if self.cpus_needed(pilot) is None and len(self.trials(pilot)) < ATTEMPTS:
                yield pilot

    def _pilot_first(self, candidate: Candidate) -> tuple[float, ...]:
        variant = candidate.variant
        threads = variant.threads or 0
        return (-candidate.replicas, variant.workers, -cpus_of(variant, self.matrix), threads)

    def under_limit(self, candidate: Candidate) -> Candidate:
        """The winner under the smallest limit that it has not failed under; itself where there is none."""
        measured = self.memory_mib(candidate)
        if measured is None:
            return candidate
        for level in memory_levels(self.question):
            if level >= MEMORY_SPARE * measured:
                one = Candidate(variant=limited(candidate.variant, level), replicas=candidate.replicas)
                if standing_of(self.trials(one), self.question).state in (State.UNKNOWN, State.PASSES):
                    return one
        return candidate


def _processes(candidate: Candidate) -> tuple[object, ...]:
    variant = candidate.variant
    return (variant.recipe, variant.workers, variant.threads, variant.env, variant.memory_mib)


def _numbers(key: Sequence[object]) -> Cost:
    """The part of a sort key that is numbers: ids decide nothing about cost."""
    return tuple(float(part) for part in key if isinstance(part, int | float))


def like(candidate: Candidate, winner: Candidate) -> bool:
    """The same but for the number of workers."""
    one, other = candidate.variant, winner.variant
    same = (one.recipe, one.cpu_quota, one.threads, one.env) == (
        other.recipe,
        other.cpu_quota,
        other.threads,
        other.env,
    )
    return same and candidate.replicas == winner.replicas
