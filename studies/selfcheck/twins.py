"""Two names for one deployment: distinguished no more often than by chance, in random order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from harness.analysis.comparisons import against_baseline, summarise_cells
from harness.analysis.intervals import paired_ratio
from harness.analysis.samples import samples_of, twin_of_baseline
from harness.model import Cell, ClosedLoad, Matrix, Trial
from harness.planning.plan import plan_blocks
from studies.selfcheck.oracle_trials import OracleEquipment, OracleServer, matrix_of, scenario
from studies.selfcheck.result import Line, OracleOutcome
from studies.selfcheck.theory import most_plausible

ALPHA = 0.05
SIMULATED_RUNS, BLOCKS = 1000, 6
NOISE, DRIFT = 0.01, 0.02
"""Log-scale standard deviations: of a trial, and of the machine's step from one trial to the next."""
FOOLED = 0.30
"""Back-to-back repeats must be seen to fail, or the drift is too weak for random blocks to prove a thing."""
REAL_RUNS, REAL_BLOCKS = 10, 4

SERVER = OracleServer(name="computing", module="cpu_server", arguments=("--iterations", "1000"))
LOAD = scenario("closed", ClosedLoad(clients=4), warmup_s=0.2, measure_s=0.8)

Order = Callable[[Matrix, int], Sequence[Trial]]


def check(equipment: OracleEquipment) -> OracleOutcome:
    lines = (_random(_rejections(_random_blocks)), _back_to_back(_rejections(_repeats)))
    return OracleOutcome(lines=(*lines, _on_a_real_server(equipment)) if equipment.full else lines)


def _rejections(order: Order) -> int:
    """In how many simulated runs on a drifting machine the twin differs from the baseline at 5 %."""
    matrix = matrix_of("twins", (SERVER,), LOAD, blocks=BLOCKS, seed=1)
    rng, count = np.random.default_rng(1), 0
    for run in range(SIMULATED_RUNS):
        trials = order(matrix, run)
        drift = np.cumsum(rng.normal(0.0, DRIFT, len(trials)))
        values = np.exp(drift + rng.normal(0.0, NOISE, len(trials)))
        by_side: dict[bool, dict[int, float]] = {True: {}, False: {}}
        for trial, value in zip(trials, values, strict=True):
            by_side[trial.cell.variant.twin][trial.block] = float(value)
        pair = paired_ratio(by_side[True], by_side[False])
        count += pair is not None and pair.p_value is not None and pair.p_value < ALPHA
    return count


def _random_blocks(matrix: Matrix, run: int) -> Sequence[Trial]:
    return plan_blocks(_sides(matrix), blocks=matrix.blocks, seed=run).trials


def _repeats(matrix: Matrix, _: int) -> Sequence[Trial]:
    return [Trial(cell=cell, block=b) for cell in _sides(matrix) for b in range(1, matrix.blocks + 1)]


def _sides(matrix: Matrix) -> tuple[Cell, ...]:
    variants = (matrix.baseline, twin_of_baseline(matrix))
    return tuple(Cell(variant=variant, scenario=LOAD) for variant in variants)


def _random(rejected: int) -> Line:
    most = most_plausible(SIMULATED_RUNS, ALPHA)
    return Line(
        oracle="A/A",
        quantity="distinguished, simulated drift, random blocks",
        theory=f"{ALPHA:.0%}",
        measured=f"{rejected / SIMULATED_RUNS:.1%} of {SIMULATED_RUNS:,} runs",
        gate=f"at most {most / SIMULATED_RUNS:.1%}",
        met=rejected <= most,
    )


def _back_to_back(rejected: int) -> Line:
    return Line(
        oracle="A/A",
        quantity="the same runs, repeats back to back",
        theory="fails",
        measured=f"{rejected / SIMULATED_RUNS:.1%} of {SIMULATED_RUNS:,} runs",
        gate=f"at least {FOOLED:.0%}",
        met=rejected >= FOOLED * SIMULATED_RUNS,
    )


def _on_a_real_server(equipment: OracleEquipment) -> Line:
    """Ten small runs of a server that computes, all compared metrics of each."""
    told = compared = 0
    for run in range(REAL_RUNS):
        matrix = matrix_of("twins", (SERVER,), LOAD, blocks=REAL_BLOCKS, seed=run + 1)
        samples = samples_of(equipment.run(matrix, (SERVER,)), matrix)
        pairs = against_baseline(samples, summarise_cells(samples, matrix), matrix)
        compared += len(pairs)
        told += sum(pair.p_value is not None and pair.p_value < ALPHA for pair in pairs)
    most = compared // 8
    return Line(
        oracle="A/A",
        quantity="distinguished, real server under closed load, random blocks",
        theory=f"{ALPHA:.0%}",
        measured=f"{told} of {compared} comparisons",
        gate=f"at most {most} of {compared}",
        met=compared > 0 and told <= most,
    )
