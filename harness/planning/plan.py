"""Cells to blocks: every block holds every cell once, in a seeded random order."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.model import CapacityLoad, Cell, Matrix, Plan, Scenario, Trial
from harness.planning.slices import why_not_sliced

STOP_AND_START_S, SIDE_BY_SIDE_S = 3.0, 1.2
"""Expected time of a trial outside its load, until measured ones are known: on a server of its own, and on
one that stands for a whole block."""
BYTES_PER_REQUEST = 15
"""Four arrays of 26 bytes per request in all, compressed."""
ASSUMED_RATE_PER_S = 5000


def cells_of(matrix: Matrix) -> tuple[Cell, ...]:
    """Every variant and the baseline's A/A twin under every scenario."""
    variants = (*matrix.variants, replace(matrix.baseline, twin=True, rules=()))
    return tuple(
        Cell(variant=variant, scenario=scenario) for scenario in matrix.scenarios for variant in variants
    )


def plan_blocks(cells: Sequence[Cell], *, blocks: int, seed: int) -> Plan:
    """Shuffle within each block, so that drift hits every variant alike."""
    rng = random.Random(seed)
    return Plan(
        seed=seed,
        blocks=tuple(
            tuple(Trial(cell=cell, block=block) for cell in rng.sample(cells, len(cells)))
            for block in range(1, blocks + 1)
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanEstimate:
    """What a plan will cost."""

    seconds: float
    disk_bytes: int
    blocks_within_budget: int


def estimate(plan: Plan, matrix: Matrix) -> PlanEstimate:
    """Time from the scenarios' own durations, disk from an assumed rate; both before anything is measured."""
    per_block = sum(_seconds(trial.cell.scenario, matrix) for trial in plan.blocks[0])
    measured_s = sum(trial.cell.scenario.measure_s for trial in plan.trials)
    return PlanEstimate(
        seconds=per_block * len(plan.blocks),
        disk_bytes=int(measured_s * ASSUMED_RATE_PER_S * BYTES_PER_REQUEST),
        # The first block always runs.
        blocks_within_budget=min(len(plan.blocks), max(1, int(matrix.budget_s // per_block))),
    )


def _seconds(scenario: Scenario, matrix: Matrix) -> float:
    """Of one trial, and of the one at a common rate that follows a capacity."""
    alone = why_not_sliced(scenario, matrix) is not None
    seconds = scenario.under_load_s + (STOP_AND_START_S if alone else SIDE_BY_SIDE_S)
    if isinstance(scenario.load, CapacityLoad):
        seconds += scenario.warmup_s + scenario.measure_s + SIDE_BY_SIDE_S
    return seconds
