"""A matrix file on a given machine: levels multiplied, rules resolved, equal deployments merged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import product

from harness.deployment import CpuCounts
from harness.errors import ConfigurationError
from harness.model import KEEP_ALIVE_S, OWN_COMMAND, Matrix, Variant
from harness.planning.commands import impossible
from harness.planning.example import EXAMPLE
from harness.planning.expressions import ExpressionError, worker_count
from harness.planning.request_checks import file_paths, scenario_problems
from harness.planning.schema import MatrixFile, Open, ScenarioTable
from harness.planning.schema_factors import EnvSet, Factors, Pattern, Point, WorkerRule
from harness.planning.suggestions import unknown
from harness.planning.tables import scenario_of, target_of
from harness.planning.target_checks import (
    Surroundings,
    app_of,
    machine_problems,
    recipes_of,
    requirements_of,
    target_problems,
    version_of,
)
from harness.recipes import RECIPES, nginx
from harness.target import Target
from wire.loads import MAX_ARRIVALS, MAX_CLIENTS, MIN_RATE_PER_S

MAX_VARIANTS = 256
NAMED = ("env", "version")
"""Factors whose levels are tables with a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What was found outside of the matrix file, by whoever may look."""

    around: Surroundings | None = None
    """None where there is no [target]."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Those that the scenarios read, by their path in the file."""
    secret_names: frozenset[str] = frozenset()
    """Names of environment variables that have a value."""
    host_memory_mib: int | None = None
    problems: tuple[str, ...] = ()
    """Of files that could not be read."""


NOTHING_KNOWN = Known()


def resolve(
    file: MatrixFile,
    *,
    where: str,
    host_cpus: int,
    server_cpus: tuple[int, ...],
    generator_cpus: tuple[int, ...],
    known: Known = NOTHING_KNOWN,
) -> Matrix:
    """The matrix for this machine.

    Raises ConfigurationError with every mistake, not only the first.
    """
    if file.design.share_cores:
        server_cpus = tuple(sorted({*server_cpus, *generator_cpus}))
    generator_cpus = generator_cpus * file.design.generators_per_cpu
    machine = _Machine(host_cpus=host_cpus, affinity=len(server_cpus), cpus=file.design.cpus)
    problems = [
        *target_problems(file, known.around),
        *machine_problems(file, host_cpus=host_cpus, host_memory_mib=known.host_memory_mib),
        *known.problems,
        *_scenario_problems(file, known),
        *_impossible_loads(file.scenarios, generators=len(generator_cpus)),
    ]
    # What is wrong with the target is said already: then the example stands for it.
    target = None if problems else _target(file, known.around)
    variants = _variants(file, machine, target or EXAMPLE, known.around, problems)
    problems += _beyond_a_proxy(file.scenarios, variants.values())
    baseline_id = file.design.baseline or next(iter(variants), "")
    if variants and baseline_id not in variants:
        problems.append(f"design.baseline: {unknown('variant', baseline_id, variants)}")
    if problems:
        raise ConfigurationError(where, list(dict.fromkeys(problems)))
    return Matrix(
        name=file.name,
        description=file.description,
        variants=tuple(variants.values()),
        scenarios=tuple(scenario_of(table, _hashes(table, known.files)) for table in file.scenarios),
        baseline_id=baseline_id,
        blocks=file.design.blocks,
        seed=file.design.seed,
        margin=file.design.margin,
        budget_s=file.design.budget_s,
        ready_timeout_s=file.design.ready_timeout_s,
        server_cpus=server_cpus,
        generator_cpus=generator_cpus,
        host_memory_mib=known.host_memory_mib,
        precision=file.design.precision,
        slices=file.design.slices,
        wrapper_cost=file.design.wrapper_cost,
        target=target,
    )


def _variants(
    file: MatrixFile, machine: _Machine, target: Target, around: Surroundings | None, problems: list[str]
) -> dict[str, Variant]:
    """By id, equal deployments merged; what is impossible goes to `problems`."""
    merged: dict[str, Variant] = {}
    before = len(problems)
    for point in _points(file, machine, problems):
        try:
            variant = _variant(point, machine, around)
        except ExpressionError as error:
            problems.append(f"factors.workers: {error}")
            continue
        if problem := impossible(variant, target):
            problems.append(f"{variant.id}: {problem}")
            continue
        known = merged.setdefault(variant.id, variant)
        # Rules that come to the same count are the same deployment: measured once, named by all of them.
        rules = tuple(dict.fromkeys((*known.rules, *variant.rules)))
        merged[variant.id] = replace(known, rules=rules)
    if not merged and len(problems) == before and recipes_of(file):
        problems.append("exclude: every variant is excluded; nothing is left to measure")
    return merged


def _target(file: MatrixFile, around: Surroundings | None) -> Target | None:
    if file.target is None:
        return None
    around = around or Surroundings(context=file.target.context)
    app, app_dir = app_of(file, file.target, around)
    return target_of(
        file.target,
        name=file.name,
        context=around.context,
        app=app,
        app_dir=app_dir,
        requirements=requirements_of(file.target, around),
        secret_env=around.secret_names,
    )


def _scenario_problems(file: MatrixFile, known: Known) -> Iterator[str]:
    for index, table in enumerate(file.scenarios):
        yield from scenario_problems(
            f"scenarios.{index}", table, files=known.files, secrets=known.secret_names
        )


def _hashes(table: ScenarioTable, files: Mapping[str, bytes]) -> dict[str, str]:
    paths = sorted({path for _, path in file_paths("", table)})
    return {path: sha256(files[path]).hexdigest() for path in paths if path in files}


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


def _matches(point: Point, pattern: Pattern, machine: _Machine) -> bool:
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


def _variant(point: Point, machine: _Machine, around: Surroundings | None) -> Variant:
    """Raises ExpressionError."""
    assert point.recipe is not None
    env = point.env if isinstance(point.env, EnvSet) else None
    own = point.recipe == OWN_COMMAND
    variant = Variant(
        recipe=point.recipe,
        workers=1 if own else machine.workers(point),
        cpu_quota=_quota(point),
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


def _quota(point: Point) -> float | None:
    return point.cpu_quota if isinstance(point.cpu_quota, float) else None


def _beyond_a_proxy(tables: Sequence[ScenarioTable], variants: Iterable[Variant]) -> Iterator[str]:
    """More clients than nginx has connections for: what it refused would look like the server's limit."""
    fronted = [variant.id for variant in variants if RECIPES[variant.recipe].behind]
    for index, table in enumerate(tables if fronted else ()):
        if not isinstance(table.load, Open) and table.load.clients > nginx.MAX_CLIENTS:
            yield (
                f"scenarios.{index}.load.clients: {table.load.clients} are more than {nginx.MAX_CLIENTS}, "
                f"the most that nginx is set up for ({', '.join(fronted)}). Fix: lower them, or leave it out"
            )


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
