"""Oracles that do not depend on how busy the machine is, through the real agent and the real rules."""

from __future__ import annotations

import pytest

from harness.model import Validity
from harness.selfcheck import loss, memory, sabotage
from harness.selfcheck.run import open_rig


@pytest.fixture(scope="module")
def rig():
    with open_rig("selfcheck-tests", full=False, say=lambda _: None) as rig:
        yield rig


@pytest.mark.slow
def test_the_harness_finds_exactly_the_requests_that_were_dropped(rig):
    (line,) = loss.check(rig).lines
    assert line.met, line


@pytest.mark.slow
def test_memory_held_by_several_workers_is_counted_once(rig):
    lines = memory.check(rig).lines
    assert all(line.met for line in lines), lines


@pytest.mark.slow
@pytest.mark.parametrize("fault", [fault for fault in sabotage.FAULTS if fault.wanted in ("I7", "I9")])
def test_a_killed_worker_and_an_access_log_are_named(rig, fault):
    record = fault.measure(rig).record
    assert record.validity is Validity.INVALID
    assert any(reason.startswith(fault.wanted) for reason in record.reasons)
