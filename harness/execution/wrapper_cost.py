"""Measures what the wrapper around the app costs: wrapped and bare in turns, before the first trial."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from harness.analysis.wrapper_cost import wrapper_cost
from harness.errors import TrialError, VariantError
from harness.execution.equipment import Equipment
from harness.execution.server import server_for
from harness.execution.side_by_side import cut_after, drive_in_turns
from harness.findings import WrapperCost
from harness.measurement.metrics import latencies, throughput_by_span, throughput_per_s
from harness.model import Cell, ClosedLoad, Matrix, Scenario, Trial, Variant
from harness.planning.locust_files import is_locust_file
from harness.ports import Generator
from harness.recipes import RECIPES

WARMUP_S = 0.5
MIN_ROUNDS, MEASURE_S, MAX_MEASURE_S = 12, 3.0, 15.0
"""Under load, each: at least so long and so many slices, and no longer."""
ANSWERS, MAX_SLICE_S = 100, 2.0
"""A slow app's slices are longer, until each holds so many answers: fewer say little but their own edges."""


def why_not(matrix: Matrix) -> str | None:
    """Why the wrapper's cost cannot be measured with this matrix; None where it can."""
    recipe = RECIPES.get(matrix.baseline.recipe)
    if not matrix.wrapper_cost:
        return "design.wrapper_cost is false"
    if not matrix.baseline.wrapped:
        return "the baseline runs without it"
    if recipe is not None and recipe.behind is not None:
        return f"{matrix.baseline.recipe} is more than one server"
    if matrix.baseline.network in ("host", "remote"):
        return f"the baseline's network is {matrix.baseline.network}"
    if _closed_scenario(matrix) is None:
        return "no scenario is a closed loop of requests of its own"
    return None


def measure_wrapper_cost(matrix: Matrix, equipment: Equipment) -> WrapperCost | str:
    """The baseline against itself without the wrapper, in slices that take turns.

    What keeps it from being measured is an answer, not an error: why.
    """
    scenario = _closed_scenario(matrix)
    if problem := why_not(matrix):
        return problem
    assert scenario is not None
    variants = (matrix.baseline, replace(matrix.baseline, bare=True))
    try:
        with ExitStack() as stack:
            generators = [_started(variant, scenario, equipment, stack) for variant in variants]
            wrapped_per_s, bare_per_s = _per_s_by_round(generators, scenario, equipment)
        return wrapper_cost(wrapped_per_s, bare_per_s, scenario=scenario.name)
    except (TrialError, VariantError, ValueError) as error:
        return str(error)


def _closed_scenario(matrix: Matrix) -> Scenario | None:
    """The users of a Locust file do not pause between slices."""
    closed = (one for one in matrix.scenarios if isinstance(one.load, ClosedLoad))
    return next((one for one in closed if not is_locust_file(one)), None)


def _started(variant: Variant, scenario: Scenario, equipment: Equipment, stack: ExitStack) -> Generator:
    """A server that serves, and is warm."""
    trial = Trial(cell=Cell(variant=variant, scenario=scenario), block=0)
    server = server_for(trial, equipment, name=f"{variant.id}.wrapper-cost")
    stack.callback(server.stop)
    server.start()
    server.await_ready(trial)
    server.generator.verify(scenario)
    return server.generator


def _per_s_by_round(
    generators: Sequence[Generator], scenario: Scenario, equipment: Equipment
) -> list[list[float]]:
    """Requests/s of each round, for each of the generators."""
    first = replace(scenario, warmup_s=0.0, measure_s=max(scenario.warmup_s, WARMUP_S))
    warm = [generator.drive(first, seed=equipment.seed, progress=lambda _: None) for generator in generators]
    if not all(latencies(load).size for load in warm):
        raise TrialError(f"wrong or missing responses only to {scenario.name}")
    longest = max((cut_after(load, scenario, look_s=0.0) for load in warm), key=lambda cut: cut.slice_s)
    answers_s = max(ANSWERS / throughput_per_s(load) for load in warm)
    cut = replace(longest, slice_s=min(max(longest.slice_s, answers_s), MAX_SLICE_S))
    measure_s = min(max(MEASURE_S, MIN_ROUNDS * cut.slice_s), MAX_MEASURE_S)
    loads = drive_in_turns(
        generators, replace(scenario, measure_s=measure_s), cut, seed=equipment.seed, clock=equipment.clock
    )
    return [throughput_by_span(load).tolist() for load in loads]
