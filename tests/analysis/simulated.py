"""Runs whose truth is known: records made from given figures, or drawn around a true one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.random import Generator

from harness.model import (
    Matrix,
    OpenLoad,
    TrialRecord,
    Validity,
    Variant,
)
from tests.samples import ITEMS, PLAIN, STANDARD, a_record, some_metrics

TWIN = replace(PLAIN, twin=True)
TWO_WORKERS = replace(PLAIN, workers=2)
STANDARD_TWO = replace(STANDARD, workers=2)
CPU = replace(ITEMS, name="cpu", locustfile="cpu")
AT_A_RATE = replace(ITEMS, name="rate", load=OpenLoad(rate_per_s=100.0))

Order = Callable[[Matrix, Generator], list[tuple[Variant, int]]]


def throughput_records(
    figures: Mapping[Variant, Sequence[float]], scenario: Any = ITEMS, **metrics: Any
) -> list[TrialRecord]:
    """One VALID record per figure, blocks counted from 0."""
    return [
        a_record(variant, scenario, block, metrics=some_metrics(throughput_per_s=value, **metrics))
        for variant, values in figures.items()
        for block, value in enumerate(values)
    ]


def failed(
    variant: Variant, block: int, validity: Validity = Validity.INVALID, **changes: Any
) -> TrialRecord:
    return a_record(variant, changes.pop("scenario", ITEMS), block, validity, **changes)


def steady(center: float, blocks: int = 5, spread: float = 0.004) -> list[float]:
    """`blocks` figures around `center`, the same every time, with a small fixed scatter."""
    scatter = (0.0, 1.0, -1.0, 0.5, -0.5)
    return [center * (1 + spread * scatter[block % 5]) for block in range(blocks)]


def randomised_blocks(matrix: Matrix, rng: Generator) -> list[tuple[Variant, int]]:
    variants = [*matrix.variants, TWIN]
    return [
        (variants[index], block) for block in range(matrix.blocks) for index in rng.permutation(len(variants))
    ]


def back_to_back(matrix: Matrix, rng: Generator) -> list[tuple[Variant, int]]:
    return [(variant, block) for variant in (*matrix.variants, TWIN) for block in range(matrix.blocks)]


def drawn(
    matrix: Matrix,
    truth: Mapping[Variant, float],
    rng: Generator,
    *,
    noise: float,
    drift: float = 0.0,
    order: Order = randomised_blocks,
) -> list[TrialRecord]:
    """Throughputs around `truth` (the twin has the baseline's) with log-normal noise per trial.

    `drift` is the standard deviation of the machine's random walk from one trial to the next.
    """
    schedule = order(matrix, rng)
    wander = np.cumsum(rng.normal(0.0, drift, len(schedule)))
    errors = rng.normal(0.0, noise, len(schedule))
    records = []
    for (variant, block), offset in zip(schedule, wander + errors, strict=True):
        true = truth[replace(variant, twin=False)]
        metrics = some_metrics(throughput_per_s=true * float(np.exp(offset)))
        records.append(a_record(variant, ITEMS, block, metrics=metrics))
    return records
