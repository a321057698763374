"""The one sentence of an answer. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from harness.decision.answer import Ending, Weighed, Why
from harness.decision.question import Candidate, cpus_of
from harness.decision.race import Race
from harness.findings import Summary


def answer_sentence(
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
        return f"Undecided: the budget ended before {asked} was settled.{best} Resume with --resume."
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
