"""A matrix file on a given machine: levels multiplied, rules resolved, equal deployments merged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from harness.errors import ConfigurationError
from harness.model import Matrix, Variant
from harness.planning.commands import impossible
from harness.planning.example import EXAMPLE
from harness.planning.expressions import ExpressionError
from harness.planning.points import Levels, points, variant_of
from harness.planning.request_checks import file_paths, scenario_problems
from harness.planning.schema import MatrixFile, Open, ScenarioTable
from harness.planning.suggestions import unknown
from harness.planning.tables import scenario_of, target_of
from harness.planning.target_checks import (
    Surroundings,
    app_of,
    machine_problems,
    recipes_of,
    requirements_of,
    target_problems,
)
from harness.recipes import RECIPES, nginx
from harness.target import Target
from wire.loads import MAX_ARRIVALS, MAX_CLIENTS, MIN_RATE_PER_S


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
    machine = Levels(host_cpus=host_cpus, affinity=len(server_cpus), cpus=file.design.cpus)
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
    file: MatrixFile, machine: Levels, target: Target, around: Surroundings | None, problems: list[str]
) -> dict[str, Variant]:
    """By id, equal deployments merged; what is impossible goes to `problems`."""
    merged: dict[str, Variant] = {}
    before = len(problems)
    for point in points(file, machine, problems):
        try:
            variant = variant_of(point, machine, around)
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
