"""The answer to a question: the cheapest configuration that meets it, or why there is none. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

from harness.analysis.intervals import summarise
from harness.analysis.metrics import METRICS
from harness.analysis.wording import spelt
from harness.decision.answer import Advice, Ending, RuleOfThumb, Weighed, Why
from harness.decision.answer_sentence import answer_sentence
from harness.decision.feasibility import State, standing_of
from harness.decision.question import (
    AT_THE_RATE,
    Candidate,
    cpus_of,
)
from harness.decision.race import Race, like
from harness.decision.rules_of_thumb import rules_of_thumb
from harness.findings import Summary
from harness.model import TrialRecord, Validity

SECONDS_AN_HOUR = 3600


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
        sentence=answer_sentence(race, ending, chosen, weighed, at_rate or headroom),
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
