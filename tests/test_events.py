"""The events of a run as lines of JSON, under their published schema."""

from __future__ import annotations

import json

import jsonschema
import pytest

from harness.events import Ended, JsonWatcher, json_schema
from harness.model import Cell, Trial, Validity
from tests.samples import ITEMS, PLAIN, a_record


@pytest.fixture
def lines() -> list[str]:
    return []


def test_every_event_is_a_line_that_the_schema_allows(lines: list[str]) -> None:
    watcher = JsonWatcher(lines.append)
    trial = Trial(cell=Cell(variant=PLAIN, scenario=ITEMS), block=1)
    watcher.said("building\nuvicorn")
    watcher.trials_started((trial,), number=1, of=6, seconds_left=12.5)
    watcher.loading({"left_s": 3.0})
    watcher.trial_finished(a_record(PLAIN, ITEMS, 1))
    failed = a_record(PLAIN, ITEMS, 2, Validity.INVALID, metrics=None, reasons=("I7: it ended",))
    watcher.trial_finished(failed)
    watcher.emit(Ended(run="results/a", end="complete", headline="Deploy a.", recommended="a", exit_code=0))
    events = [json.loads(line) for line in lines]
    assert [event["event"] for event in events] == ["said", "started", "finished", "finished", "ended"]
    assert not any("\n" in line for line in lines)
    for event in events:
        jsonschema.validate(event, json_schema())
    assert events[1]["trials"] == ["uvicorn-plain.w1.items.01"]
    assert events[3]["reasons"] == ["I7: it ended"]
    assert events[3]["throughput_per_s"] is None


def test_the_schema_refuses_what_is_no_event() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"event": "other"}, json_schema())
