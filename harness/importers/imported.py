"""What an import gives, and how requests that were seen many times become weights."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from math import gcd

from harness.workload import RequestSpec

DEFAULT_LIMIT = 20
MAX_WEIGHT = 1000
MAX_WRITTEN = 70_000
"""Characters of all requests together: a matrix file of more than 100,000 bytes is refused."""
SAFE_METHODS = ("GET", "HEAD")
WRITE_METHODS = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """Requests to be verified against the running app. Nothing was left out that no warning names."""

    requests: tuple[RequestSpec, ...]
    before: tuple[RequestSpec, ...] = ()
    """Steps that fetch what the requests' variables need, such as an id that is there."""
    warnings: tuple[str, ...] = ()


def weighted(seen: Iterable[RequestSpec], *, limit: int) -> tuple[tuple[RequestSpec, ...], tuple[str, ...]]:
    """The most frequent requests with the observed mix as weights, and what to know about it."""
    groups: dict[str, tuple[RequestSpec, Counter[int]]] = {}
    for spec in seen:
        key = repr(replace(spec, expect=type(spec.expect)()))
        _, statuses = groups.setdefault(key, (spec, Counter()))
        statuses[spec.expect.status] += 1
    ranked = sorted(groups.values(), key=lambda group: -group[1].total())
    kept = ranked[: min(limit, fitting([spec for spec, _ in ranked]))]
    warnings = [_mixed(spec, statuses) for spec, statuses in kept if len(statuses) > 1]
    total = sum(statuses.total() for _, statuses in ranked)
    covered = sum(statuses.total() for _, statuses in kept)
    if len(kept) < len(ranked):
        warnings.append(
            f"The {len(kept)} most frequent of {len(ranked)} distinct requests are kept: {covered} of "
            f"{total}, {covered / total:.0%} of those seen."
        )
    weights = _scaled([statuses.total() for _, statuses in kept])
    requests = tuple(
        replace(spec, weight=weight, expect=replace(spec.expect, status=_usual(statuses)))
        for (spec, statuses), weight in zip(kept, weights, strict=True)
    )
    return requests, tuple(warnings)


def fitting(specs: Sequence[RequestSpec]) -> int:
    """How many of them, from the first on, a matrix file can hold."""
    left, number = MAX_WRITTEN, 0
    for number, spec in enumerate(specs, start=1):
        left -= len(json.dumps(asdict(spec), default=str))
        if left < 0:
            return number - 1
    return number


def counted(number: int, what: str, why: str) -> str:
    """One warning about requests that were left out."""
    return f"{number} {what}{'' if number == 1 else 's'} left out: {why}"


def _usual(statuses: Counter[int]) -> int:
    return min(statuses, key=lambda status: (-statuses[status], status))


def _mixed(spec: RequestSpec, statuses: Counter[int]) -> str:
    answers = ", ".join(f"{status} ({times}x)" for status, times in sorted(statuses.items()))
    return f"{spec.method} {spec.path}: answered {answers}; {_usual(statuses)} is expected."


def _scaled(counts: list[int]) -> list[int]:
    """Counts as the smallest weights of the same mix; at most MAX_WEIGHT, at least 1."""
    divisor = gcd(*counts)
    largest = max(counts, default=0) // (divisor or 1)
    if largest <= MAX_WEIGHT:
        return [count // divisor for count in counts]
    return [max(1, round(count / divisor / largest * MAX_WEIGHT)) for count in counts]
