"""The answer to a question: the cheapest configuration that meets it, or why there is none. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.analysis.intervals import summarise
from harness.analysis.metrics import METRICS
from harness.analysis.wording import spelt
from harness.decision.feasibility import State, standing_of
from harness.decision.question import (
    AT_THE_RATE,
    Candidate,
    Question,
    cpus_of,
)
from harness.decision.racing import Race, like
from harness.decision.rules_of_thumb import rules_of_thumb
from harness.findings import Summary
from harness.model import TrialRecord, Validity

SECONDS_AN_HOUR = 3600


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


def advise(race: Race, *, complete: bool) -> Advice:
    """From all records of a search. `complete` is false where its budget ended it."""
    best, winner = race.best(), race.winner()
    chosen = race.under_limit(winner) if winner is not None else best
    weighed = tuple(sorted(_weighed(race, winner or best), key=lambda one: race.cost(one.candidate)))
    ending = _ending(race, weighed, winner, complete=complete)
    cpus = None if chosen is None else cpus_of(chosen.variant, race.matrix)
    at_rate = {} if chosen is None else _figures(race.trials(chosen, AT_THE_RATE))
    headroom = {} if chosen is None else _figures(race.trials(chosen))
    return Advice(
        question=race.question,
        ending=ending,
        sentence=_sentence(race, ending, chosen, weighed, at_rate or headroom),
        chosen=chosen,
        cpus=cpus,
        at_rate=at_rate,
        with_headroom=headroom,
        weighed=weighed,
        rules=tuple(_rules(race, winner, weighed)),
        pareto=_pareto(weighed),
        cost_per_million=_cost_per_million(race, chosen),
        notes=tuple(_notes(race, chosen, winner)),
        trials=len(race.records),
    )


def _weighed(race: Race, best: Candidate | None) -> Iterator[Weighed]:
    bar = None if best is None else race.cost(best)
    for one in race.candidates:
        standing, records = race.standing(one), race.trials(one)
        why = {
            State.FAILS: Why.FAILS,
            State.EDGE: Why.EDGE,
            State.UNMEASURABLE: Why.UNMEASURABLE,
            State.PASSES: Why.CHOSEN if one == best else Why.PASSES,
            State.UNKNOWN: Why.OPEN,
        }[standing.state]
        if why is Why.OPEN and bar is not None and race.cost(one) > bar:
            why = Why.COSTS_MORE
        seen = [r.metrics.latency_p95_s for r in records if r.metrics is not None and r.metrics.latency_p95_s]
        memory = race.memory_mib(one)
        yield Weighed(
            candidate=one,
            why=why,
            reason=standing.reason,
            cpus=one.replicas * cpus_of(one.variant, race.matrix),
            memory_mib=None if memory is None else one.replicas * memory,
            p95_s=sorted(seen)[len(seen) // 2] if seen else None,
            trials=len(records),
        )


def _ending(race: Race, weighed: Sequence[Weighed], winner: Candidate | None, *, complete: bool) -> Ending:
    if winner is not None:
        return Ending.FOUND
    records = [record for record in race.records if record.metrics is not None or record.reasons]
    bound = [record for record in records if record.validity is Validity.GENERATOR_BOUND]
    if bound and len(bound) * 2 > len(records):
        return Ending.GENERATOR
    if all(one.why is Why.UNMEASURABLE for one in weighed):
        return Ending.NOTHING_MEASURED
    return Ending.NONE_PASSES if complete else Ending.UNFINISHED


def _figures(records: Sequence[TrialRecord]) -> dict[str, Summary]:
    """Over the VALID trials, with 95 % intervals."""
    measured = [r.metrics for r in records if r.metrics is not None and r.validity is Validity.VALID]
    found = {}
    for name, metric in METRICS.items():
        values = [float(value) for one in measured if (value := getattr(one, name)) is not None]
        if values:
            found[name] = summarise(values, log_scale=not metric.arithmetic)
    return found


def _sentence(
    race: Race,
    ending: Ending,
    chosen: Candidate | None,
    weighed: Sequence[Weighed],
    figures: Mapping[str, Summary],
) -> str:
    question = race.question
    asked = (
        f"{question.objective} at {question.rate_per_s:g} requests/s with {question.headroom:.0%} headroom"
    )
    if ending is Ending.FOUND and chosen is not None:
        return (
            f"Deploy {spoken(chosen, race)}: the cheapest of {len(weighed)} configurations that meets {asked}"
            f"{_p95(figures)}."
        )
    if ending is Ending.GENERATOR:
        return f"The load generator cannot offer this rate: nothing was decided about {asked}."
    if ending is Ending.NOTHING_MEASURED:
        reasons = {one.reason for one in weighed if one.reason}
        return f"Nothing could be measured: {next(iter(sorted(reasons)), 'read the reasons of the trials')}."
    if ending is Ending.UNFINISHED:
        best = f" So far {spoken(chosen, race)} passes, and something cheaper may." if chosen else ""
        return f"Undecided: the budget ended before {asked} was settled.{best} Go on with --resume."
    return f"None of {len(weighed)} configurations meets {asked}{_nearest(weighed, race)}."


def _p95(figures: Mapping[str, Summary]) -> str:
    p95 = figures.get("latency_p95_s")
    if p95 is None:
        return ""
    bounds = "" if p95.lo is None or p95.hi is None else f" ({p95.lo * 1000:.3g}-{p95.hi * 1000:.3g})"
    return f"; p95 {p95.center * 1000:.3g} ms{bounds} at the rate"


def _nearest(weighed: Sequence[Weighed], race: Race) -> str:
    """By how much the one that came nearest falls short."""
    edges = [one for one in weighed if one.why is Why.EDGE]
    if edges:
        return f"; {spoken(edges[0].candidate, race)} is at the edge: it {edges[0].reason}"
    measured = [one for one in weighed if one.p95_s is not None]
    if not measured:
        return ""
    near = min(measured, key=lambda one: one.p95_s or math.inf)
    return f"; the nearest is {spoken(near.candidate, race)}, which fails: {near.reason}"


def spoken(candidate: Candidate, race: Race) -> str:
    """ "2 replicas of uvicorn-standard with 2 workers, 1 CPU and 256 MiB each"."""
    variant = candidate.variant
    cpus = cpus_of(variant, race.matrix)
    workers = (
        f" with {variant.workers} worker{'' if variant.workers == 1 else 's'}" if variant.wrapped else ""
    )
    threads = "" if variant.threads is None else f", {variant.threads} threads"
    env = f", {variant.env_name}" if variant.env_name else ""
    memory = "" if variant.memory_mib is None else f" and {variant.memory_mib} MiB"
    many = candidate.replicas > 1
    start = f"{candidate.replicas} replicas of " if many else ""
    given = f"{cpus:g} CPU{'' if cpus == 1 else 's'}{memory}{' each' if many else ''}"
    return f"{start}{variant.recipe}{workers}{threads}{env} on {given}"


def _rules(race: Race, winner: Candidate | None, weighed: Sequence[Weighed]) -> Iterator[RuleOfThumb]:
    """Each rule for the winner's kind of server; nothing where there is no winner, or no worker to count."""
    if winner is None or not winner.variant.wrapped:
        return
    alike = {one.candidate.variant.workers: one for one in weighed if like(one.candidate, winner)}
    named: dict[int, list[str]] = defaultdict(list)
    for rule, workers in rules_of_thumb(cpus_of(winner.variant, race.matrix)).items():
        named[workers].append(rule)
    for workers, names in sorted(named.items()):
        rule = ", ".join(names)
        found = alike.get(workers)
        if found is None:
            yield RuleOfThumb(rule=rule, workers=workers, why=Why.OPEN, reason="not among the configurations")
            continue
        why = found.why
        reason = found.reason or _measured(found, race)
        yield RuleOfThumb(rule=rule, workers=workers, why=why, reason=reason)


def _measured(one: Weighed, race: Race) -> str:
    told = []
    if one.p95_s is not None:
        told.append(f"p95 {one.p95_s * 1000:.3g} ms with headroom")
    if one.memory_mib is not None:
        how = "" if one.trials else " by its workers"
        told.append(f"{one.memory_mib:.0f} MiB{how}")
    met = standing_of(race.trials(one.candidate), race.question)
    if met.judged:
        told.append(f"met the objective in {met.met} of {met.judged} trials")
    return spelt(told) if told else "not measured"


def _pareto(weighed: Sequence[Weighed]) -> tuple[Candidate, ...]:
    passing = [
        one
        for one in weighed
        if one.why in (Why.CHOSEN, Why.PASSES, Why.COSTS_MORE) and one.p95_s is not None and one.memory_mib
    ]

    def key(one: Weighed) -> tuple[float, float, float]:
        return (one.cpus, one.memory_mib or math.inf, one.p95_s or math.inf)

    return tuple(
        one.candidate
        for one in passing
        if not any(
            all(a <= b for a, b in zip(key(other), key(one), strict=True)) and key(other) != key(one)
            for other in passing
        )
    )


def _cost_per_million(race: Race, chosen: Candidate | None) -> float | None:
    price = race.question.price
    if price is None or chosen is None or chosen.variant.memory_mib is None:
        return None
    gib = chosen.variant.memory_mib / 1024
    an_hour = chosen.replicas * (cpus_of(chosen.variant, race.matrix) * price.cpu + gib * price.gib)
    return an_hour / (race.question.rate_per_s * SECONDS_AN_HOUR) * 1e6


def _notes(race: Race, chosen: Candidate | None, winner: Candidate | None) -> Iterator[str]:
    question = race.question
    if winner is not None:
        cheaper = [one for one in race.candidates if race.cost(one) < race.cost(winner)]
        if not cheaper:
            yield "It is the cheapest configuration that was allowed: less may do. Try fewer --cpus."
    if chosen is not None and chosen.replicas > 1:
        yield (
            f"One replica was measured, at its share of the rate: {chosen.replicas} of them carry all of it "
            "behind a load balancer that spreads evenly."
        )
    if winner is not None and chosen is not None and chosen.variant.memory_mib != winner.variant.memory_mib:
        yield f"It ran under its limit of {chosen.variant.memory_mib} MiB, and was not OOM-killed."
        tried = [
            variant.memory_mib
            for variant in race.matrix.variants
            if variant.memory_mib is not None
            and variant.memory_mib < (chosen.variant.memory_mib or 0)
            and any(r.oom_killed for r in race.trials(Candidate(variant=variant, replicas=chosen.replicas)))
        ]
        if tried:
            yield f"Under {max(tried)} MiB it was OOM-killed."
    if question.price is None:
        yield "Cheapest means CPU first, then memory, then simplicity; --price says otherwise."
