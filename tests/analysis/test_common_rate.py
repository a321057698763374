"""Latency at one rate for all: which rate, from which records, and when it is said to be missing."""

from __future__ import annotations

from dataclasses import replace
from statistics import geometric_mean

import pytest

from harness.analysis.analyse import analyse
from harness.analysis.common_rate import common_rate_matrix, with_common_rates
from harness.analysis.metrics import CAPACITY, compared_metrics, ranking_metric
from harness.findings import Verdict
from harness.model import CapacityLoad, OpenLoad, TrialRecord, Validity, Variant
from tests.samples import ITEMS, PLAIN, STANDARD, a_matrix, a_record, some_metrics

SCENARIO = replace(ITEMS, load=CapacityLoad(clients=4))
MATRIX = a_matrix(scenarios=(SCENARIO,), blocks=4)
TWIN = replace(PLAIN, twin=True)
WOBBLE = (1.0, 1.01, 0.99, 1.004)


def capacity(variant: Variant, per_s: float | None, block: int, **changes: object) -> TrialRecord:
    return a_record(variant, SCENARIO, block, metrics=some_metrics(capacity_per_s=per_s), **changes)


def records(**changes: object) -> list[TrialRecord]:
    """plain carries 1,000 requests/s and standard 1,500, the twin as much as plain."""
    return [
        capacity(variant, per_s * wobble * (1 + 0.001 * block * twist), block, **changes)
        for block, wobble in enumerate(WOBBLE, start=1)
        for variant, per_s, twist in ((PLAIN, 1000.0, 0), (STANDARD, 1500.0, 1), (TWIN, 1000.0, -1))
    ]


def at_common_rate(variant: Variant = PLAIN, block: int = 1) -> TrialRecord:
    scenario = replace(SCENARIO, name="items-at-common-rate", load=OpenLoad(rate_per_s=1.0))
    return a_record(variant, scenario, block)


def test_the_rate_is_70_percent_of_the_slowest_variants_mean_capacity() -> None:
    (scenario,) = common_rate_matrix(MATRIX, records()).scenarios
    assert scenario.name == "items-at-common-rate"
    assert (scenario.slo_ms, scenario.measure_s) == (SCENARIO.slo_ms, SCENARIO.measure_s)
    # The twin drifts a little below the baseline.
    slowest = geometric_mean(
        1000.0 * wobble * (1 - 0.001 * block) for block, wobble in enumerate(WOBBLE, start=1)
    )
    assert scenario.load == OpenLoad(rate_per_s=pytest.approx(0.7 * slowest, rel=0.005))


def test_only_valid_capacities_count() -> None:
    bound = [capacity(PLAIN, 10.0, 5, validity=Validity.GENERATOR_BOUND), capacity(PLAIN, None, 6)]
    assert common_rate_matrix(MATRIX, [*records(), *bound]) == common_rate_matrix(MATRIX, records())
    assert common_rate_matrix(MATRIX, bound).scenarios == ()


def test_a_rate_does_not_move_once_it_was_used() -> None:
    known = common_rate_matrix(MATRIX, records())
    later = [*records(), at_common_rate(), capacity(PLAIN, 10.0, 5)]
    assert common_rate_matrix(MATRIX, later) == known


def test_other_scenarios_have_no_common_rate() -> None:
    assert common_rate_matrix(a_matrix(), [a_record()]).scenarios == ()


def test_the_matrix_grows_by_what_was_measured_only_and_only_once() -> None:
    assert with_common_rates(MATRIX, records()) == MATRIX
    measured = [*records(), at_common_rate()]
    grown = with_common_rates(MATRIX, measured)
    assert [scenario.name for scenario in grown.scenarios] == ["items", "items-at-common-rate"]
    assert with_common_rates(grown, measured) == grown


def test_capacity_ranks_and_rates_that_differ_are_not_compared() -> None:
    assert ranking_metric(SCENARIO) == CAPACITY
    assert compared_metrics(SCENARIO) == (CAPACITY, "working_set_peak_bytes", "cpu_ms_per_request")
    assert CAPACITY not in compared_metrics(ITEMS)


def test_a_run_is_judged_by_capacity() -> None:
    analysis = analyse(records(), MATRIX)
    (finding,) = analysis.findings
    assert finding.metric == CAPACITY
    verdicts = {pair.variant_id: pair.verdict for pair in finding.comparisons if pair.metric == CAPACITY}
    assert verdicts[STANDARD.id] is Verdict.BETTER
    assert analysis.recommended == STANDARD.id
    assert "1.50x the capacity of uvicorn-plain.w1" in analysis.headline
    assert "uvicorn-standard.w1 carries 1,5" in analysis.headline
    assert "under p95 <= 50 ms on items" in analysis.headline
    (missing,) = [warning for warning in analysis.warnings if "common rate" in warning]
    assert "was not measured" in missing
    measured = [*records(), *(at_common_rate(v, b) for v in (PLAIN, STANDARD, TWIN) for b in range(1, 5))]
    whole = analyse(measured, MATRIX)
    assert [finding.scenario for finding in whole.findings] == ["items", "items-at-common-rate"]
    assert not any("common rate" in warning for warning in whole.warnings)


def test_a_variant_that_the_generator_held_back_is_told_as_a_lower_bound() -> None:
    held = [
        replace(record, validity=Validity.GENERATOR_BOUND, reasons=("capacity: at least",))
        if record.variant_id == STANDARD.id
        else record
        for record in records()
    ]
    analysis = analyse(held, MATRIX)
    assert analysis.recommended is None
    assert "uvicorn-standard.w1 carries at least 1,5" in analysis.headline
