"""Latency of all variants at one rate that each of them can carry (METHOD, protocol 7)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import takewhile
from statistics import geometric_mean

from harness.analysis.samples import last_attempts
from harness.model import CapacityLoad, Matrix, OpenLoad, Scenario, TrialRecord, Validity, common_rate_name

SHARE = 0.7
"""Of the slowest variant's capacity."""


def common_rate_matrix(matrix: Matrix, records: Sequence[TrialRecord]) -> Matrix:
    """The matrix with an open scenario in place of each capacity scenario that has a VALID capacity.

    Its rate is known from the capacities that stood in the journal (`records`, in its order) before its
    first trial: later ones, of an image that was built only then, do not move it.
    """
    derived = [_at_common_rate(scenario, records) for scenario in matrix.scenarios]
    return replace(matrix, scenarios=tuple(scenario for scenario in derived if scenario is not None))


def with_common_rates(matrix: Matrix, records: Sequence[TrialRecord]) -> Matrix:
    """The matrix with every scenario that was measured: its own, then those at common rates, if any."""
    seen = {record.scenario for record in records} - {scenario.name for scenario in matrix.scenarios}
    derived = common_rate_matrix(matrix, records).scenarios
    added = tuple(scenario for scenario in derived if scenario.name in seen)
    return replace(matrix, scenarios=(*matrix.scenarios, *added))


def records_of(matrix: Matrix, records: Sequence[TrialRecord]) -> tuple[TrialRecord, ...]:
    """Those of the matrix's scenarios."""
    names = {scenario.name for scenario in matrix.scenarios}
    return tuple(record for record in records if record.scenario in names)


def unmeasured_rates(matrix: Matrix) -> Iterator[str]:
    """What to say of capacity scenarios that are not followed by one at a common rate."""
    names = {scenario.name for scenario in matrix.scenarios}
    for scenario in matrix.scenarios:
        if isinstance(scenario.load, CapacityLoad) and common_rate_name(scenario.name) not in names:
            yield (
                f"{scenario.name}: latency at a common rate was not measured, since the run ended before all "
                f"capacities were known (or none could be found); resume with --resume, or raise budget_s"
            )


def _at_common_rate(scenario: Scenario, records: Sequence[TrialRecord]) -> Scenario | None:
    if not isinstance(scenario.load, CapacityLoad):
        return None
    name = common_rate_name(scenario.name)
    before = takewhile(lambda record: record.scenario != name, records)
    slowest_per_s = _slowest_per_s([record for record in before if record.scenario == scenario.name])
    if slowest_per_s is None:
        return None
    # Three digits are as many as a reader wants to see, and say at the rate of another run.
    return replace(scenario, name=name, load=OpenLoad(rate_per_s=float(f"{SHARE * slowest_per_s:.3g}")))


def _slowest_per_s(records: Sequence[TrialRecord]) -> float | None:
    """The least of the variants' capacities, each the geometric mean over its VALID trials."""
    capacities: dict[str, list[float]] = {}
    for record in last_attempts(records):
        if record.validity is Validity.VALID and record.metrics and record.metrics.capacity_per_s:
            capacities.setdefault(record.variant_id, []).append(record.metrics.capacity_per_s)
    return min(map(geometric_mean, capacities.values()), default=None)
