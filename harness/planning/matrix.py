"""A matrix file on a given machine: levels multiplied, rules resolved, equal deployments merged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from harness.errors import ConfigurationError
from harness.model import KEEP_ALIVE_S, CpuCounts, Matrix, Scenario, Variant
from harness.planning.commands import impossible
from harness.planning.expressions import ExpressionError, worker_count
from harness.planning.schema import Factors, MatrixFile, Point, ScenarioTable, WorkerRule
from harness.planning.suggestions import unknown

MAX_VARIANTS = 256


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
    problems: list[str] = []
    merged: dict[str, Variant] = {}
    for point in _points(file, problems):
        try:
            variant = _variant(point, file.design.cpus, host_cpus, len(server_cpus))
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
    )


def _points(file: MatrixFile, problems: list[str]) -> Iterator[Point]:
    names = tuple(Factors.model_fields)
    levels = [getattr(file.factors, name) for name in names]
    size = len(file.include)
    for level in levels:
        size = max(size, 1) * len(level)
    if size > MAX_VARIANTS:
        problems.append(f"factors: {size} variants are more than {MAX_VARIANTS}; drop levels or use include")
        return
    for values in product(*levels):
        # Levels were validated one by one; building the point again would only cost time.
        point = Point.model_construct(**dict(zip(names, values, strict=True)))
        if not any(_matches(point, pattern) for pattern in file.exclude):
            yield point
    defaults = {name: level[0] for name, level in zip(names, levels, strict=True)}
    for extra in file.include:
        stated = {name: getattr(extra, name) for name in extra.model_fields_set}
        yield Point.model_construct(**{**defaults, **stated})


def _matches(point: Point, pattern: Point) -> bool:
    return all(getattr(point, name) == getattr(pattern, name) for name in pattern.model_fields_set)


def _variant(point: Point, cpus: str, host_cpus: int, affinity: int) -> Variant:
    quota = None if isinstance(point.cpu_quota, str) else point.cpu_quota
    counts = CpuCounts(
        host=host_cpus, affinity=affinity, quota=min(quota, affinity) if quota else float(affinity)
    )
    rule = point.workers if point.workers is not None else 1
    count = rule.count if isinstance(rule, WorkerRule) else rule
    label = rule.name if isinstance(rule, WorkerRule) else str(rule)
    assert point.recipe is not None
    return Variant(
        recipe=point.recipe,
        workers=worker_count(count, counts, cpus=cpus),
        access_log=bool(point.access_log),
        keep_alive_s=point.keep_alive_s or KEEP_ALIVE_S,
        cpu_quota=quota,
        memory_mib=None if isinstance(point.memory_mib, str) else point.memory_mib,
        network=point.network or "shared",
        rules=(label,),
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
