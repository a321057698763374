"""A trial of which nothing is seen inside."""

from dataclasses import replace

from harness.errors import NotReady
from harness.model import Cell, Trial, Validity
from tests.execution.test_trial import TRIAL, measure
from tests.samples import ITEMS, PLAIN

BARE = Trial(cell=Cell(variant=replace(PLAIN, bare=True), scenario=ITEMS), block=1)


def test_a_black_box_is_measured_without_a_probe_and_says_what_was_not_checked() -> None:
    outcome, _, story = measure(trial=BARE)
    assert story == ["ready", "verify", "drive", "verify"]
    record = outcome.record
    assert record.validity is Validity.VALID, record.reasons
    assert (record.facts, record.signals) == (None, None)
    assert record.not_checked == ("I2", "I7 workers", "I8", "I9")
    assert measure()[0].record.not_checked == ()


def test_a_server_that_never_gets_ready_is_explained_by_its_own_log() -> None:
    engine_log = "ModuleNotFoundError: No module named 'stripe'"
    record = measure(ready=NotReady(TRIAL.id, 30, "connection refused"), says=engine_log)[0].record
    assert any("the app imports 'stripe', which is not installed" in reason for reason in record.reasons)
    assert record.reasons[-1].startswith("its log ends in: ModuleNotFoundError")
