"""A plan as text: what would run, in which order, how long, how much."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence

from harness.analysis.common_rate import SHARE
from harness.analysis.stopping import BLOCKS_AFTER, FIRST_LOOK, LOOK_EVERY
from harness.analysis.wording import percent
from harness.model import (
    OWN_COMMAND,
    CapacityLoad,
    ClosedLoad,
    Matrix,
    OpenLoad,
    Plan,
    Variant,
    common_rate_name,
)
from harness.planning.commands import CONTAINER_PORT, CONTAINER_TLS, GENERATOR_ARGV, processes
from harness.planning.example import EXAMPLE
from harness.planning.plan import cells_of, estimate
from harness.planning.remaining import extra_blocks
from harness.planning.slices import why_not_sliced
from harness.recipes import RECIPES
from harness.recipes.placeholders import filled
from harness.reporting.evidence_lines import level
from harness.reporting.plan_target import target_lines, workload_lines
from harness.reporting.wording import at_most, plain
from harness.target import Target

FREE_PORT = "FREE_PORT"
"""Stands for a port that is only known once the server starts."""
IMAGE_COMMAND = "the image's own"


def plan_text(matrix: Matrix, plan: Plan, *, remarks: Sequence[str] = ()) -> str:
    """Everything `harness run` would do, one fact a line, as plain text."""
    sections = (
        *((target_lines(matrix.target, matrix.versions),) if matrix.target else ()),
        *(([f"note: {remark}" for remark in remarks],) if remarks else ()),
        _variants(matrix),
        _generator(matrix),
        _cells(matrix),
        _order(plan),
        _stops(matrix),
        _cost(matrix, plan),
    )
    return "\n\n".join("\n".join(lines) for lines in sections)


def _variants(matrix: Matrix) -> Iterator[str]:
    yield f"{matrix.name}: {len(matrix.variants)} variants, baseline {matrix.baseline_id}"
    if any(variant.recipe != OWN_COMMAND for variant in matrix.variants):
        yield f"(in containers; without an engine the port is a free one instead of {CONTAINER_PORT})"
    for variant in matrix.variants:
        yield f"  {variant.id}"
        if (recipe := RECIPES.get(variant.recipe)) and (caution := recipe.caution):
            yield f"    caution      {caution}"
        yield f"    evidence     {level(variant)}"
        yield f"    workers      {_workers(variant)}"
        yield f"    limits       {_limits(variant, matrix.server_cpus)}"
        yield from _processes(variant, matrix.target or EXAMPLE)


def _workers(variant: Variant) -> str:
    if variant.recipe == OWN_COMMAND:
        return "as the image starts them"
    count = str(variant.workers)
    return "; ".join([count, *(plain(rule) for rule in variant.rules if rule != count)])


def _limits(variant: Variant, cpus: Iterable[int]) -> str:
    quota = "no CPU quota" if variant.cpu_quota is None else f"quota of {variant.cpu_quota:g} CPUs"
    memory = "no memory limit" if variant.memory_mib is None else f"{variant.memory_mib} MiB of memory"
    return f"{_listed(cpus)}, {quota}, {memory}, network {variant.network}"


def _processes(variant: Variant, target: Target) -> Iterator[str]:
    found = processes(variant, target, target.env)
    in_containers = variant.network != "host"
    ports = [CONTAINER_PORT + n if in_containers else f"{FREE_PORT}{n or ''}" for n in range(len(found))]

    def shown(words: Iterable[str]) -> str:
        # A configuration file has many lines; blanks separate its words just as well.
        filled_in = (filled(word, ports=ports, tls=CONTAINER_TLS) for word in words)
        return shlex.join(" ".join(word.split()) for word in filled_in)

    for process in found:
        if len(found) > 1:
            yield f"    container    {process.name}"
        if process.env:
            yield f"    environment  {shown(f'{key}={value}' for key, value in process.env.items())}"
        yield f"    command      {shown(process.argv) or IMAGE_COMMAND}"


def _generator(matrix: Matrix) -> Iterator[str]:
    yield f"load generator: {len(matrix.generator_cpus)} x on {_listed(sorted(set(matrix.generator_cpus)))}"
    yield f"    command      {shlex.join(GENERATOR_ARGV)}"


def _cells(matrix: Matrix) -> Iterator[str]:
    count = len(cells_of(matrix))
    yield f"{count} cells a block: every variant, and the baseline a second time (its A/A twin), under"
    for scenario in matrix.scenarios:
        times = f"warm-up {scenario.warmup_s:g} s, measured {scenario.measure_s:g} s"
        yield f"  {scenario.name}  ({_load(scenario.load)}, {times})"
        alone = why_not_sliced(scenario, matrix)
        yield f"    {f'one after the other: {alone}' if alone else 'side by side, in slices that take turns'}"
        yield from workload_lines(scenario)
    for scenario in matrix.scenarios:
        if isinstance(scenario.load, CapacityLoad):
            rate = f"rate: {percent(SHARE)} of the slowest capacity"
            yield f"and after all of these, in as many blocks, {common_rate_name(scenario.name)}  ({rate})"


def _load(load: ClosedLoad | OpenLoad | CapacityLoad) -> str:
    if isinstance(load, CapacityLoad):
        pilot = f"{load.clients} clients for {load.pilot_s:g} s"
        return f"capacity: {pilot}, {load.steps} rates of {load.step_s:g} s"
    if isinstance(load, ClosedLoad):
        return f"{load.clients} clients"
    return f"{load.rate_per_s:g} requests/s, {load.arrivals}"


def _order(plan: Plan) -> Iterator[str]:
    yield f"order of trials (seed {plan.seed}):"
    for number, block in enumerate(plan.blocks, start=1):
        yield f"  block {number}: {', '.join(trial.cell.id for trial in block)}"


def _stops(matrix: Matrix) -> Iterator[str]:
    yield f"{at_most(matrix)}{matrix.blocks} blocks"
    if matrix.precision is not None:
        yield (
            f"  a scenario stops {BLOCKS_AFTER} blocks after the 95 % interval of every ratio to the "
            f"baseline is first within ±{percent(matrix.precision)}"
        )
        yield (
            f"  (looked at after block {FIRST_LOOK} and then every {LOOK_EVERY}), and at block "
            f"{FIRST_LOOK + BLOCKS_AFTER} at the earliest"
        )
        yield "  a variant stops once it is clearly worse than the best; the baseline and its twin continue"
    yield (
        f"  at most {extra_blocks(matrix)} more, within the budget, of scenarios in which trials were NOISY "
        f"or INVALID"
    )


def _cost(matrix: Matrix, plan: Plan) -> Iterator[str]:
    cost = estimate(plan, matrix)
    yield (
        f"{at_most(matrix)}about {_minutes(cost.seconds)} for {len(plan.blocks)} blocks; "
        f"budget {_minutes(matrix.budget_s)}"
    )
    if cost.blocks_within_budget < len(plan.blocks):
        yield f"the budget is expected to end the run after block {cost.blocks_within_budget}"
    yield f"about {cost.disk_bytes / 1e6:.0f} MB of results"


def _listed(cpus: Iterable[int]) -> str:
    return f"CPU {', '.join(map(str, cpus))}"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} min"
