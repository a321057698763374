"""A matrix file on a given machine: levels multiplied, rules resolved, equal deployments merged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product

from harness.deployment import CpuCounts
from harness.errors import ConfigurationError
from harness.model import KEEP_ALIVE_S, Matrix, Scenario, Variant
from harness.planning.commands import impossible
from harness.planning.expressions import ExpressionError, worker_count
from harness.planning.schema import Factors, MatrixFile, Open, Pattern, Point, ScenarioTable, WorkerRule
from harness.planning.suggestions import unknown

MAX_VARIANTS = 256

MAX_CLIENTS = 900
"""Of one generator process; this and the next two are the load agent's own bounds."""
MIN_RATE_PER_S = 0.01
"""Of one generator process."""
MAX_ARRIVALS = 5_000_000
"""Of one trial, so that its record fits into memory."""


def resolve(
    file: MatrixFile,
    *,
    where: str,
    host_cpus: int,
    server_cpus: tuple[int, ...],
    generator_cpus: tuple[int, ...],
) -> Matrix:
    """The matrix for this machine.

    Raises ConfigurationError with every impossible point, not only the first.
    """
    if file.design.share_cores:
        server_cpus = tuple(sorted({*server_cpus, *generator_cpus}))
    generator_cpus = generator_cpus * file.design.generators_per_cpu
    machine = _Machine(host_cpus=host_cpus, affinity=len(server_cpus), cpus=file.design.cpus)
    problems = [*_impossible_loads(file.scenarios, generators=len(generator_cpus))]
    merged: dict[str, Variant] = {}
    for point in _points(file, machine, problems):
        try:
            variant = _variant(point, machine)
        except ExpressionError as error:
            problems.append(f"factors.workers: {error}")
            continue
        if problem := impossible(variant):
            problems.append(f"{variant.id}: {problem}")
            continue
        known = merged.setdefault(variant.id, variant)
        # Rules that come to the same count are the same deployment: measured once, named by all of them.
        rules = tuple(dict.fromkeys((*known.rules, *variant.rules)))
        merged[variant.id] = replace(known, rules=rules)
    if not merged and not problems:
        problems.append("exclude: every variant is excluded; nothing is left to measure")
    baseline_id = file.design.baseline or next(iter(merged), "")
    if merged and baseline_id not in merged:
        problems.append(f"design.baseline: {unknown('variant', baseline_id, merged)}")
    if problems:
        raise ConfigurationError(where, list(dict.fromkeys(problems)))
    return Matrix(
        name=file.name,
        description=file.description,
        variants=tuple(merged.values()),
        scenarios=tuple(_scenario(table) for table in file.scenarios),
        baseline_id=baseline_id,
        blocks=file.design.blocks,
        seed=file.design.seed,
        margin=file.design.margin,
        budget_s=file.design.budget_s,
        ready_timeout_s=file.design.ready_timeout_s,
        server_cpus=server_cpus,
        generator_cpus=generator_cpus,
        precision=file.design.precision,
        wrapper_cost=file.design.wrapper_cost,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Machine:
    """What a worker rule is resolved with."""

    host_cpus: int
    affinity: int
    cpus: str
    """The count that the bare name `cpus` stands for."""

    def workers(self, point: Point) -> int:
        """Raises ExpressionError."""
        quota = min(_quota(point) or math.inf, self.affinity)
        counts = CpuCounts(host=self.host_cpus, affinity=self.affinity, quota=quota)
        return worker_count(_rule(point).count, counts, cpus=self.cpus)


def _points(file: MatrixFile, machine: _Machine, problems: list[str]) -> Iterator[Point]:
    names = tuple(Factors.model_fields)
    levels = [getattr(file.factors, name) for name in names]
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


def _matches(point: Point, pattern: Pattern, machine: _Machine) -> bool:
    return all(
        getattr(point, name) == getattr(pattern, name)
        or (name == "workers" and pattern.workers in _other_names(point, machine))
        for name in pattern.model_fields_set
    )


def _other_names(point: Point, machine: _Machine) -> tuple[int | str, ...]:
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


def _variant(point: Point, machine: _Machine) -> Variant:
    """Raises ExpressionError."""
    assert point.recipe is not None
    return Variant(
        recipe=point.recipe,
        workers=machine.workers(point),
        access_log=bool(point.access_log),
        keep_alive_s=point.keep_alive_s or KEEP_ALIVE_S,
        cpu_quota=_quota(point),
        memory_mib=None if isinstance(point.memory_mib, str) else point.memory_mib,
        network=point.network or "shared",
        rules=(_rule(point).name,),
    )


def _quota(point: Point) -> float | None:
    return point.cpu_quota if isinstance(point.cpu_quota, float) else None


def _impossible_loads(tables: Iterable[ScenarioTable], *, generators: int) -> Iterator[str]:
    """What the load generator, one process for each of its CPUs, would refuse in mid-run."""
    most_clients, least_rate = MAX_CLIENTS * generators, MIN_RATE_PER_S * generators
    for index, table in enumerate(tables):
        key, load = f"scenarios.{index}.load", table.load
        if not isinstance(load, Open):
            if load.clients > most_clients:
                yield (
                    f"{key}.clients: {load.clients} are more than {most_clients}, the most that the load "
                    f"generator can be here ({MAX_CLIENTS} in each of its {generators} processes); raise "
                    f"design.generators_per_cpu"
                )
            continue
        arrivals = load.rate_per_s * (table.warmup_s + table.measure_s)
        if load.rate_per_s < least_rate:
            least = f"{least_rate:g}, the least that can be sent here"
            yield f"{key}.rate_per_s: {load.rate_per_s:g} is less than {least}"
        if arrivals > MAX_ARRIVALS:
            yield (
                f"{key}.rate_per_s: {arrivals:,.0f} arrivals a trial are more than {MAX_ARRIVALS:,}; "
                f"lower it, or measure_s"
            )


def _scenario(table: ScenarioTable) -> Scenario:
    return Scenario(
        name=table.name,
        locustfile=table.locustfile or table.name,
        load=table.load.load(),
        warmup_s=table.warmup_s,
        measure_s=table.measure_s,
        slo_ms=table.slo_ms,
        slo_share=table.slo_share,
        request_timeout_s=table.request_timeout_s,
    )
