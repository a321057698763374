"""From factors to variants: every combination of levels, less those excluded, resolved for this machine."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from harness.deployment import CpuCounts
from harness.model import KEEP_ALIVE_S, OWN_COMMAND, Variant
from harness.planning.expressions import ExpressionError, worker_count
from harness.planning.schema import MatrixFile
from harness.planning.schema_factors import EnvSet, Factors, Pattern, Point, WorkerRule
from harness.planning.target_checks import (
    Surroundings,
    recipes_of,
    version_of,
)

MAX_VARIANTS = 256
NAMED = ("env", "version")
"""Factors whose levels are tables with a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """What a worker rule is resolved with."""

    host_cpus: int
    affinity: int
    cpus: str
    """The count that the bare name `cpus` stands for."""

    def workers(self, point: Point) -> int:
        """Raises ExpressionError."""
        quota = min(quota_of(point) or math.inf, self.affinity)
        counts = CpuCounts(host=self.host_cpus, affinity=self.affinity, quota=quota)
        return worker_count(_rule(point).count, counts, cpus=self.cpus)


def points(file: MatrixFile, machine: Levels, problems: list[str]) -> Iterator[Point]:
    names = tuple(Factors.model_fields)
    if not recipes_of(file):
        return
    levels = [getattr(file.factors, name) or list(recipes_of(file)[:1]) for name in names]
    size = math.prod(map(len, levels)) + len(file.include)
    if size > MAX_VARIANTS:
        problems.append(f"factors: {size} variants are more than {MAX_VARIANTS}; drop levels or use include")
        return
    idle = set(range(len(file.exclude)))
    for values in product(*levels):
        # Levels were validated one by one; building the point again would only cost time.
        point = Point.model_construct(**dict(zip(names, values, strict=True)))
        matching = {i for i, pattern in enumerate(file.exclude) if _matches(point, pattern, machine)}
        idle -= matching
        if not matching:
            yield point
    problems.extend(f"exclude.{i}: no combination of the factors has these levels" for i in sorted(idle))
    defaults = {name: level[0] for name, level in zip(names, levels, strict=True)}
    for extra in file.include:
        stated = {name: getattr(extra, name) for name in extra.model_fields_set}
        yield Point.model_construct(**{**defaults, **stated})


def _matches(point: Point, pattern: Pattern, machine: Levels) -> bool:
    return all(
        getattr(point, name) == getattr(pattern, name)
        or (name == "workers" and pattern.workers in _other_names(point, machine))
        or (
            name in NAMED
            and getattr(point, name) != "none"
            and getattr(point, name).name == getattr(pattern, name)
        )
        for name in pattern.model_fields_set
    )


def _other_names(point: Point, machine: Levels) -> tuple[int | str, ...]:
    """What the workers of a point may be called besides the level as it stands in the file."""
    rule = _rule(point)
    try:
        return (rule.name, rule.count, machine.workers(point))
    except ExpressionError:
        # Reported when the point is resolved, unless it is excluded: then it need not come to anything.
        return (rule.name, rule.count)


def _rule(point: Point) -> WorkerRule:
    """The level of `workers`, named by itself where it has no name of its own."""
    level = point.workers if point.workers is not None else 1
    if isinstance(level, WorkerRule):
        return level
    return WorkerRule.model_construct(name=str(level), count=level)


def variant_of(point: Point, machine: Levels, around: Surroundings | None) -> Variant:
    """Raises ExpressionError."""
    assert point.recipe is not None
    env = point.env if isinstance(point.env, EnvSet) else None
    own = point.recipe == OWN_COMMAND
    variant = Variant(
        recipe=point.recipe,
        workers=1 if own else machine.workers(point),
        cpu_quota=quota_of(point),
        memory_mib=_number(point.memory_mib),
        network=point.network or "shared",
        env_name=env.name if env else "",
        env=tuple(sorted(env.set.items())) if env else (),
        version=version_of(point.version, around),
    )
    if own:
        # Its server is not ours to configure: all levels but those of its container are one and the same.
        return variant
    return replace(
        variant,
        access_log=bool(point.access_log),
        keep_alive_s=point.keep_alive_s or KEEP_ALIVE_S,
        threads=_number(point.threads),
        preload=bool(point.preload),
        max_requests=_number(point.max_requests),
        backlog=_number(point.backlog),
        limit_concurrency=_number(point.limit_concurrency),
        rules=(_rule(point).name,),
    )


def _number(level: int | str | None) -> int | None:
    return level if isinstance(level, int) else None


def quota_of(point: Point) -> float | None:
    return point.cpu_quota if isinstance(point.cpu_quota, float) else None
