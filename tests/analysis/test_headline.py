"""The sentences as a reader gets them, word for word."""

from dataclasses import replace

import pytest

from harness.analysis.analyse import analyse
from harness.analysis.warnings import overcommit_warnings
from harness.model import Validity
from tests.analysis.simulated import (
    AT_A_RATE,
    CPU,
    STANDARD_TWO,
    TWIN,
    TWO_WORKERS,
    failed,
    steady,
    throughput_records,
)
from tests.samples import ITEMS, PLAIN, STANDARD, a_matrix, a_record, some_metrics

BASE = {PLAIN: steady(1000), TWIN: steady(1001)[::-1]}
FASTER = [1440, 1490, 1430, 1480, 1470]
UNSURE = [1100, 1300, 950, 1200, 1000]
FOUR = (PLAIN, TWO_WORKERS, STANDARD, STANDARD_TWO)


def say(records, **changes):
    return analyse(records, a_matrix(**changes)).headline


def held_back(rate, scenario=ITEMS):
    figures = some_metrics(throughput_per_s=rate)
    return [
        failed(STANDARD, block, Validity.GENERATOR_BOUND, metrics=figures, scenario=scenario)
        for block in range(5)
    ]


def test_a_clear_winner():
    assert say(throughput_records({**BASE, STANDARD: FASTER})) == (
        "Deploy uvicorn-standard with 1 worker: on items it served 1.46x the requests of uvicorn-plain.w1 "
        "(95 % interval 1.43-1.49)."
    )


def test_more_workers_on_one_core_and_what_they_cost():
    records = throughput_records({**BASE, STANDARD: FASTER, TWO_WORKERS: steady(990)})
    records += throughput_records({STANDARD_TWO: FASTER[::-1]}, working_set_peak_bytes=103 * 2**20)
    assert say(records, variants=FOUR).endswith(
        "(95 % interval 1.43-1.49); a second worker on the same core made no detectable difference "
        "and takes 43 MiB more."
    )


def test_more_workers_on_enough_cores_are_not_called_overcommitted():
    records = throughput_records({**BASE, STANDARD: FASTER, TWO_WORKERS: steady(990), STANDARD_TWO: FASTER})
    headline = say(records, variants=FOUR, server_cpus=(1, 2))
    assert headline.endswith("; a second worker made no detectable difference.")


def test_one_worker_with_a_part_of_a_cpu_is_not_called_overcommitted():
    small = replace(PLAIN, cpu_quota=0.5)
    assert overcommit_warnings(a_matrix(variants=(small,), baseline_id=small.id)) == ()
    two = replace(small, workers=2)
    (warning,) = overcommit_warnings(a_matrix(variants=(small, two), baseline_id=small.id))
    assert warning.startswith(f"{two.id}: more workers than")


def test_latency_at_a_rate():
    records = [
        a_record(variant, AT_A_RATE, block, metrics=some_metrics(latency_p95_s=value))
        for variant, center in ((PLAIN, 0.010), (TWIN, 0.010), (STANDARD, 0.007))
        for block, value in enumerate(steady(center))
    ]
    assert say(records, scenarios=(AT_A_RATE,)) == (
        "Deploy uvicorn-standard with 1 worker: on rate it had 0.70x the p95 latency of uvicorn-plain.w1 "
        "(95 % interval 0.70-0.70)."
    )


def test_equal_variants():
    assert say(throughput_records({**BASE, STANDARD: steady(1001)})) == (
        "No detectable difference on items between uvicorn-plain.w1 and uvicorn-standard.w1 "
        "(equal within 3 %): take the simpler one, uvicorn-plain.w1."
    )


def test_variants_that_a_noisy_run_cannot_tell_apart():
    assert say(throughput_records({**BASE, STANDARD: UNSURE})) == (
        "No detectable difference on items between uvicorn-plain.w1 and uvicorn-standard.w1 "
        "(they may differ by up to 29 %): take the simpler one, uvicorn-plain.w1."
    )


def test_many_equal_variants_are_counted():
    records = throughput_records(
        {**BASE, STANDARD: UNSURE, TWO_WORKERS: steady(1000), STANDARD_TWO: steady(1000)}
    )
    assert "between the 4 variants" in say(records, variants=FOUR)
    assert "take the simplest one, uvicorn-plain.w1." in say(records, variants=FOUR)


def test_the_baseline_stays():
    assert say(throughput_records({**BASE, STANDARD: steady(500)})) == (
        "Deploy uvicorn-plain with 1 worker: it is the baseline, and nothing detectably better was found on "
        "items; uvicorn-standard.w1 was worst, with 0.50x the requests of uvicorn-plain.w1 "
        "(95 % interval 0.50-0.50) on items."
    )


def test_each_scenario_has_its_own_winner():
    records = throughput_records({**BASE, STANDARD: FASTER})
    records += throughput_records({**BASE, STANDARD: steady(500)}, CPU)
    assert say(records, scenarios=(ITEMS, CPU)) == (
        "No single winner: deploy uvicorn-standard with 1 worker on items "
        "(1.46x the baseline's requests, 1.43-1.49); deploy uvicorn-plain with 1 worker on cpu. "
        "One for all: uvicorn-plain with 1 worker, at most 33 % behind the best anywhere (items)."
    )


def test_a_winner_that_makes_no_difference_elsewhere():
    records = throughput_records({**BASE, STANDARD: FASTER})
    records += throughput_records({**BASE, STANDARD: steady(1000)}, CPU)
    assert say(records, scenarios=(ITEMS, CPU)).endswith(
        "(95 % interval 1.43-1.49), on cpu no detectable difference."
    )


def test_one_block_says_how_many_are_needed():
    assert say(throughput_records({PLAIN: [1000], TWIN: [1000], STANDARD: [2000]}), blocks=1) == (
        "Undecided: uvicorn-plain.w1 and its A/A twin were both VALID in no more than 1 block of a scenario, "
        "and below 3 there is no interval. "
        "Set blocks in the matrix to 3 at the very least, 5 for intervals of use."
    )


def test_blocks_enough_that_were_disturbed_are_not_asked_for_again():
    records = throughput_records({PLAIN: [1000], TWIN: [1000], STANDARD: [2000]})
    records += [failed(PLAIN, block, Validity.NOISY) for block in (1, 2)]
    assert say(records, blocks=3).endswith(
        "and below 3 there is no interval. Read the reasons of their other trials, fix the cause, then rerun."
    )


def test_nothing_valid():
    records = [failed(variant, 0, metrics=None) for variant in (PLAIN, TWIN, STANDARD)]
    assert say(records).startswith("Nothing could be ranked: no variant has enough VALID trials.")


def test_only_one_was_ranked():
    assert say(throughput_records(BASE)) == (
        "Only uvicorn-plain.w1 could be ranked: there is nothing to compare it with."
    )


def test_the_generator_held_the_fastest_back():
    assert say(throughput_records(BASE) + held_back(4000.0)) == (
        "Undecided: the fastest could not be ranked on items. uvicorn-standard.w1 reached at least "
        "4,000 requests/s on items, limited by the load generator; not ranked."
    )


def test_the_generator_held_back_one_beside_a_winner():
    records = throughput_records({**BASE, TWO_WORKERS: steady(700)}) + held_back(900.0)
    headline = say(records, variants=(PLAIN, TWO_WORKERS, STANDARD))
    assert headline.startswith("Deploy uvicorn-plain with 1 worker")
    assert "uvicorn-standard.w1 reached at least 900 requests/s on items, limited by the load" in headline


def test_the_generator_held_the_baseline_back():
    records = [
        failed(variant, block, Validity.GENERATOR_BOUND) for variant in (PLAIN, TWIN) for block in range(3)
    ]
    headline = say(records + throughput_records({STANDARD: FASTER}))
    assert headline.startswith("Undecided: uvicorn-plain.w1 or its A/A twin is GENERATOR-BOUND")


def test_a_noisy_machine_is_named():
    headline = say(
        throughput_records({PLAIN: steady(1000), TWIN: [1000, 1250, 800, 1150, 900], STANDARD: steady(1700)})
    )
    assert headline.endswith("Smallest detectable difference on items: 25 %, because the machine was noisy.")


@pytest.mark.parametrize("standard", [1460.0, 600.0, 1000.0])
def test_many_scenarios_stay_readable(standard):
    scenarios = tuple(replace(ITEMS, name=f"scenario_{n}") for n in range(8))
    records = [
        record
        for n, scenario in enumerate(scenarios)
        for record in throughput_records({**BASE, STANDARD: steady(standard if n else 1200.0)}, scenario)
    ]
    headline = say(records, scenarios=scenarios)
    assert len(headline) <= 340
    assert "scenario_7" not in headline
