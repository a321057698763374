"""Oracles that do not depend on how busy the machine is, through the real agent and the real rules."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.analysis.bottleneck import limit_of
from harness.execution.trial import run_trial
from harness.findings import Bottleneck
from harness.model import Cell, OpenLoad, Scenario, Trial, Validity, Variant
from studies.selfcheck import known_capacity, leak, liar, loss, neighbours, quota, sabotage
from studies.selfcheck.check import open_equipment
from studies.selfcheck.oracle_trials import OracleServer

pytestmark = [pytest.mark.process, pytest.mark.alone]


@pytest.fixture(scope="module")
def equipment():
    with open_equipment("selfcheck-tests", full=False, say=lambda _: None) as equipment:
        yield equipment


def test_the_harness_finds_exactly_the_requests_that_were_dropped(equipment):
    (line,) = loss.check(equipment).lines
    assert line.met, line


def test_a_liar_is_counted_exactly_and_never_ranked_however_rarely_it_lies(equipment):
    lines = liar.check(equipment).lines
    assert len(lines) == len(liar.EVERY)
    assert all(line.met for line in lines), lines


def test_a_server_that_works_without_load_is_measured_apart(equipment):
    (line,) = neighbours.check(equipment).lines
    assert line.met, line


def test_memory_held_by_several_workers_is_counted_once(equipment):
    lines = leak.check(equipment).lines
    assert all(line.met for line in lines), lines


@pytest.mark.parametrize("fault", [fault for fault in sabotage.FAULTS if fault.wanted in ("I7", "I9")])
def test_a_killed_worker_and_an_access_log_are_named(equipment, fault):
    record = fault.measure(equipment).record
    assert record.validity is Validity.INVALID
    assert any(reason.startswith(fault.wanted) for reason in record.reasons)


def named(record, variant, load):
    """What limits it, whatever else kept this machine busy meanwhile."""
    believed = replace(record, validity=Validity.VALID)
    return limit_of([believed], variant, load, word=Validity.VALID, server_cpus=1).bottleneck


@pytest.mark.parametrize(
    "fault",
    [f for f in sabotage.FAULTS if f.limit in (Bottleneck.EVENT_LOOP, Bottleneck.ACCEPT_SKEW)],
    ids=lambda fault: str(fault.limit),
)
def test_what_the_server_itself_does_to_its_requests_is_named(equipment, fault):
    assert named(fault.measure(equipment).record, fault.variant, fault.load) is fault.limit


def test_a_generator_that_stands_still_is_late(equipment):
    (fault,) = [fault for fault in sabotage.FAULTS if "stopped" in fault.name]
    record = fault.measure(equipment).record
    assert any(reason.startswith("I3") for reason in record.reasons), record.reasons


@pytest.mark.engine
def test_a_quota_in_a_container_is_named(equipment, monkeypatch):
    """A small one, so that it is felt even where others leave the core little time."""
    tight = replace(quota.VARIANT, cpu_quota=0.15)
    monkeypatch.setattr(quota, "VARIANT", tight)
    record = quota.trial(equipment).record
    assert not any(reason.startswith("I8") for reason in record.reasons)
    assert named(record, tight, quota.LOAD) is Bottleneck.CPU_QUOTA


def test_the_target_app_and_the_client_agree_on_what_is_in_flight(equipment):
    """Little's law on a real server: no more inside the app than under way, and most of a wait is inside."""
    variant = Variant(recipe="uvicorn-standard", workers=1)
    scenario = Scenario(
        name="waits",
        locustfile="async_io",
        load=OpenLoad(rate_per_s=20.0),
        warmup_s=0.3,
        measure_s=2.0,
        slo_ms=1000,
    )
    equipment = replace(
        equipment.equipment, images={variant.recipe: equipment.equipment.engine.build(variant.recipe)}
    )
    trial = Trial(cell=Cell(variant=variant, scenario=scenario), block=1)
    record = run_trial(trial, equipment, progress=lambda _: None).record
    assert not any(reason.startswith("I8") for reason in record.reasons)
    assert record.signals is not None
    assert 0.5 < record.signals.inside_share <= 1.05
    assert record.signals.workers[0].thread_limit == 40


def test_every_request_of_a_whole_search_is_accounted_for(equipment):
    size = replace(known_capacity.QUICK, step_s=0.5, measure_s=0.5)
    outcome = equipment.trial(
        OracleServer(name="md1", module="queue_server", arguments=("--service-s", "0.005")),
        known_capacity._scenario(size),
    )
    record = outcome.record
    assert record.search is not None, record.reasons
    assert len(record.search.steps) == len(outcome.steps) > 6
    assert not [reason for reason in record.reasons if reason.startswith(("I1:", "I2:", "I6:"))]
    # Beyond the pilot's: every arrival of every step, none of them counted twice.
    sent = sum(load.status.size for load in outcome.steps)
    assert outcome.load.scheduled - outcome.steps[0].scheduled == sent - outcome.steps[0].status.size
