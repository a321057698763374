"""Which rounds of slices were disturbed from outside, and what a load is without them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.deployment import ResourceReading
from harness.measurement.load import LoadRecord
from harness.measurement.metrics import growths

MAX_STEAL = 0.05
"""Share of the cores in use that other guests of the host may take within a slice."""
MAX_NEIGHBOURS = 0.03
"""Share of the server's cores that idle neighbours may use beyond what they always use."""

STEAL, NEIGHBOURS = "steal", "work of other servers"

Readings = Sequence[ResourceReading]
"""Two for each slice: just before it begins, and once it is drained."""
Trial = tuple[Sequence[int], Readings]
"""The numbers of the rounds in which a trial had its slices, and its readings."""


def disturbances(trials: Sequence[Trial], *, server_cpus: int) -> Mapping[int, str]:
    """What disturbed a round, by its number; quiet rounds are not in it.

    A round is left out for all trials that took part: their ratios are those of the same rounds. Only what
    the trials cannot have caused counts, never how fast a server was.
    """
    found: dict[int, str] = {}
    for rounds, readings in trials:
        lengths_s = growths(readings, lambda reading: reading.at_s)
        steal_s = growths(readings, lambda reading: reading.steal_s)
        neighbours_s = growths(readings, lambda reading: reading.neighbours_cpu_s)
        usual = float(np.median(neighbours_s / lengths_s))
        limit = usual + MAX_NEIGHBOURS * server_cpus
        for cause, broken in (
            (NEIGHBOURS, neighbours_s > limit * lengths_s),
            (STEAL, steal_s > MAX_STEAL * lengths_s),
        ):
            found.update(dict.fromkeys(np.array(rounds)[broken].tolist(), cause))
    return found


def without(
    load: LoadRecord, readings: Readings, quiet: NDArray[np.bool_]
) -> tuple[LoadRecord, tuple[ResourceReading, ...]]:
    """A load and its readings in the slices that count, shape (slices,); in all of them where none does."""
    if not quiet.any():
        return load, tuple(readings)
    return load.only(quiet), tuple(np.array(readings, dtype=object)[np.repeat(quiet, 2)])
