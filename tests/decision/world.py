"""A made-up machine for the search: every candidate has a true chance that a request is slow."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from harness.analysis.best_set import simplest_first
from harness.decision.feasibility import CONFIRMED, State, standing_of
from harness.decision.question import (
    Candidate,
    Question,
    cell_of,
    cpus_of,
    loads_of,
    rate_of,
    with_memory_levels,
)
from harness.decision.race import Race
from harness.decision.racing import next_block
from harness.decision.space import measure_s
from harness.model import Cell, Matrix, OpenLoad, TrialRecord, Validity, Variant
from tests.samples import ITEMS, a_matrix, a_record, some_metrics

SIMPLICITY = simplest_first(("uvicorn-plain", "uvicorn-standard", "gunicorn-uvicorn", "granian"))


@dataclass
class World:
    """Truth: CPU per request by recipe, memory of a worker, a service time next to the CPU, and threads."""

    cpu_ms: Mapping[str, float]
    worker_mib: float = 45.0
    wait_ms: float = 5.0
    threads: int | None = None
    """Of a worker, where its requests hold one for all of their time."""
    noise: float = 0.03
    spoilt: float = 0.0
    """The share of trials that the machine makes NOISY."""
    trials: int = 0
    seen: list[str] = field(default_factory=list)

    def utilization(self, cell: Cell, matrix: Matrix) -> float:
        """Of the CPU, or of the threads where these are the shorter of the two."""
        variant, rate = cell.variant, rate_of(cell.scenario)
        per_request_s = self.cpu_ms[variant.recipe] / 1000
        usable = min(cpus_of(variant, matrix), variant.workers)
        busy = rate * per_request_s / usable
        if self.threads is not None:
            threads = (variant.threads or self.threads) * variant.workers
            busy = max(busy, rate * (per_request_s + self.wait_ms / 1000) / threads)
        return busy

    def slow(self, cell: Cell, matrix: Matrix, slo_ms: float, factor: float = 1.0) -> float:
        """The true share of slow requests: the tail of an M/M/c-like wait, heavier with more processes."""
        busy = self.utilization(cell, matrix) * factor * (1 + 0.02 * (cell.variant.workers - 1))
        if busy >= 1:
            return 1.0
        mean_ms = self.cpu_ms[cell.variant.recipe] / min(1.0, cpus_of(cell.variant, matrix)) / (1 - busy)
        left_ms = slo_ms - self.wait_ms
        return 1.0 if left_ms <= 0 else math.exp(-left_ms / mean_ms)

    def memory_mib(self, variant: Variant) -> float:
        master = 25.0 if variant.recipe.startswith("gunicorn") else 10.0 * (variant.workers > 1)
        return master + self.worker_mib * variant.workers

    def measure(self, cell: Cell, block: int, matrix: Matrix, rng: np.random.Generator) -> TrialRecord:
        self.trials += 1
        self.seen.append(cell.id)
        variant, scenario = cell.variant, cell.scenario
        needs = self.memory_mib(variant) * (1 + rng.normal(0, 0.01))
        if variant.memory_mib is not None and needs > variant.memory_mib:
            return a_record(variant, scenario, block, Validity.INVALID, oom_killed=True, reasons=("I7: OOM",))
        factor = float(np.exp(rng.normal(0, self.noise)))
        share = self.slow(cell, matrix, scenario.slo_ms, factor)
        offered = rng.poisson(rate_of(scenario) * scenario.measure_s)
        slow = rng.binomial(offered, share) / offered
        mean_ms = self.cpu_ms[variant.recipe] / max(0.01, 1 - min(0.99, self.utilization(cell, matrix)))
        word = Validity.NOISY if rng.random() < self.spoilt else Validity.VALID
        metrics = some_metrics(
            requests=offered,
            slow_share=slow,
            latency_p95_s=(self.wait_ms + 3 * mean_ms) / 1000,
            cpu_ms_per_request=self.cpu_ms[variant.recipe] * (1 + rng.normal(0, self.noise)),
            working_set_peak_bytes=round(needs * 2**20),
            in_flight_growth=50.0 if share >= 1 else 0.0,
        )
        return a_record(variant, scenario, block, word, metrics=metrics)


def space(question: Question, variants: tuple[Variant, ...], server_cpus: int = 4) -> Matrix:
    """As `harness advise` makes it: every variant under every rate, and under every limit."""
    scenarios = tuple(
        replace(
            ITEMS,
            name=name,
            load=OpenLoad(rate_per_s=rate),
            measure_s=measure_s(rate),
            slo_ms=question.slo_ms,
        )
        for name, rate in loads_of(question).items()
    )
    matrix = a_matrix(
        variants=variants,
        scenarios=scenarios,
        baseline_id=variants[0].id,
        blocks=200,
        server_cpus=tuple(range(server_cpus)),
    )
    return with_memory_levels(matrix, question)


def search(world: World, matrix: Matrix, question: Question, seed: int, **options: Any) -> Race:
    """Block after block until nothing is left to ask, at most 400 of them."""
    rng, records = np.random.default_rng(seed), []
    for _ in range(400):
        block = next_block(records, matrix, question, simplicity=SIMPLICITY, **options)
        if not block:
            break
        records += [world.measure(trial.cell, trial.block, matrix, rng) for trial in block]
    return Race(matrix, question, records, SIMPLICITY)


def exhaustive(world: World, matrix: Matrix, question: Question, seed: int) -> tuple[Candidate | None, int]:
    """Every candidate as often as it takes to settle it, and how many trials that were."""
    rng, records = np.random.default_rng(seed), []
    before = world.trials
    for one in Race(matrix, question, (), SIMPLICITY).candidates:
        own: list[TrialRecord] = []
        for block in range(1, 20):
            if len(own) >= CONFIRMED and standing_of(own, question).state is not State.UNKNOWN:
                break
            own.append(world.measure(cell_of(matrix, one), block, matrix, rng))
        records += own
    return Race(matrix, question, records, SIMPLICITY).best(), world.trials - before


def truly_meets(world: World, matrix: Matrix, question: Question, one: Candidate) -> bool:
    return world.slow(cell_of(matrix, one), matrix, question.slo_ms) <= question.slo_share


Make = Callable[[], World]
