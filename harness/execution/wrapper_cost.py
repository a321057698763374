"""Measures what the wrapper around the app costs: wrapped and bare in turns, before the first trial."""

from __future__ import annotations

import random
from contextlib import ExitStack
from dataclasses import replace

from harness.analysis.wrapper_cost import wrapper_cost
from harness.errors import TrialError, VariantError
from harness.execution.bench import Bench
from harness.execution.ports import Generator
from harness.execution.server import server_for
from harness.findings import WrapperCost
from harness.measurement.metrics import throughput_per_s
from harness.model import Cell, ClosedLoad, Matrix, Scenario, Trial, Variant
from harness.planning.recipes import RECIPES

ROUNDS = 12
WARMUP_S, MEASURE_S = 0.1, 0.3
ANSWERS, MAX_MEASURE_S = 100, 2.0
"""A slow app's windows are longer, until each holds so many answers: fewer say little but their own edges."""
MAX_S = 30.0
"""No round starts later than this after the first."""
FIRST_WARMUP_S = 0.5


def why_not(matrix: Matrix) -> str | None:
    """Why the wrapper's cost cannot be measured with this matrix; None where it can."""
    recipe = RECIPES.get(matrix.baseline.recipe)
    if not matrix.wrapper_cost:
        return "design.wrapper_cost is false"
    if not matrix.baseline.wrapped:
        return "the baseline runs without it"
    if recipe is not None and recipe.behind is not None:
        return f"{matrix.baseline.recipe} is more than one server"
    if matrix.baseline.network == "host":
        return "the baseline's network is the host's"
    if _closed_scenario(matrix) is None:
        return "no scenario is a closed loop"
    return None


def measure_wrapper_cost(matrix: Matrix, bench: Bench) -> WrapperCost | str:
    """The baseline against itself without the wrapper, side by side on the server's cores, one at work.

    What keeps it from being measured is an answer, not an error: why.
    """
    scenario = _closed_scenario(matrix)
    if problem := why_not(matrix):
        return problem
    assert scenario is not None
    variants = (matrix.baseline, replace(matrix.baseline, bare=True))
    try:
        with ExitStack() as stack:
            generators = tuple(_started(variant, scenario, bench, stack) for variant in variants)
            wrapped_per_s, bare_per_s = _in_turns(generators, scenario, bench)
        return wrapper_cost(wrapped_per_s, bare_per_s, scenario=scenario.name)
    except (TrialError, VariantError, ValueError) as error:
        return str(error)


def _closed_scenario(matrix: Matrix) -> Scenario | None:
    return next((one for one in matrix.scenarios if isinstance(one.load, ClosedLoad)), None)


def _started(variant: Variant, scenario: Scenario, bench: Bench, stack: ExitStack) -> Generator:
    """A server that serves, and is warm."""
    trial = Trial(cell=Cell(variant=variant, scenario=scenario), block=0)
    server = server_for(trial, bench, name=f"{variant.id}.wrapper-cost")
    stack.callback(server.stop)
    server.start()
    server.await_ready(trial)
    server.generator.verify(scenario)
    return server.generator


def _in_turns(
    generators: tuple[Generator, ...], scenario: Scenario, bench: Bench
) -> tuple[list[float], list[float]]:
    """Requests/s of each round, first with the wrapper, then without; the order is drawn anew each round."""
    order = random.Random(bench.seed)
    per_s: tuple[list[float], list[float]] = ([], [])
    first = replace(scenario, warmup_s=FIRST_WARMUP_S, measure_s=MEASURE_S)
    slowest = min(
        throughput_per_s(generator.drive(first, seed=bench.seed, progress=lambda _: None))
        for generator in generators
    )
    window = replace(scenario, warmup_s=WARMUP_S, measure_s=_window_s(slowest))
    started_s = bench.clock.monotonic()
    for turn in range(ROUNDS):
        if bench.clock.monotonic() - started_s > MAX_S:
            break
        for place in order.sample((0, 1), k=2):
            load = generators[place].drive(window, seed=bench.seed + turn, progress=lambda _: None)
            per_s[place].append(throughput_per_s(load))
    return per_s


def _window_s(per_s: float) -> float:
    return min(max(MEASURE_S, ANSWERS / per_s), MAX_MEASURE_S) if per_s > 0 else MAX_MEASURE_S
