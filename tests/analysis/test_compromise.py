"""One variant for scenarios that disagree."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.analysis.analyse import analyse
from tests.analysis.simulated import AT_A_RATE, CPU, TWIN, TWO_WORKERS, steady, throughput_records
from tests.samples import ITEMS, PLAIN, STANDARD, a_matrix

BASE = {PLAIN: steady(1000), TWIN: steady(1001)}
THREE = (PLAIN, STANDARD, TWO_WORKERS)


def found(items: dict, cpu: dict):
    """Of a run in which plain is best on items and standard on cpu."""
    records = throughput_records({**BASE, **items}) + throughput_records({**BASE, **cpu}, CPU)
    return analyse(records, a_matrix(scenarios=(ITEMS, CPU), variants=THREE)).compromise


def test_the_one_that_is_least_behind_in_its_worst_scenario() -> None:
    one = found(
        {STANDARD: steady(700), TWO_WORKERS: steady(910)}, {STANDARD: steady(1500), TWO_WORKERS: steady(1400)}
    )
    assert one is not None
    assert (one.variant_id, one.scenario) == (TWO_WORKERS.id, "items")
    # 9 % is its centre; what it may lose at most is a little more.
    assert one.most == pytest.approx(0.09, abs=0.01)
    assert one.most > 0.09


def test_there_is_none_where_one_variant_is_good_everywhere() -> None:
    assert found({STANDARD: steady(1500), TWO_WORKERS: steady(900)}, {STANDARD: steady(1500)}) is None


def test_there_is_none_where_a_scenario_recommends_nothing() -> None:
    records = throughput_records({**BASE, STANDARD: steady(700)})
    other = replace(AT_A_RATE, name="other")
    assert analyse(records, a_matrix(scenarios=(ITEMS, other))).compromise is None
