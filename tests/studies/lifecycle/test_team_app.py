"""Fault scenarios on a team's own app: what is counted, what is refused, and a real stop and kill."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import pipeline
from harness.errors import ConfigurationError, TrialError
from harness.measurement.load import LoadRecord
from harness.set_up import Machine
from studies.experiment import measure
from studies.lifecycle.seen import Seen, seen_in
from studies.lifecycle.team_app import FAULTS, observations, team_app
from tests.samples import a_load
from wire.messages import DISCONNECTED, REFUSED, TIMED_OUT

APP = """
from fastapi import FastAPI

app = FastAPI()


@app.get("/items")
async def items(limit: int = 10):
    return [{"id": number} for number in range(limit)]
"""
TOML = """
name = "team"
[target]
app = "main:app"
[factors]
recipe = ["uvicorn-standard"]
workers = [1, 2]
[[scenarios]]
name = "items"
load = { clients = 4 }
[[scenarios.requests]]
path = "/items?limit=3"
expect = { json = [{ id = 0 }, { id = 1 }, { id = 2 }] }
"""
TWO_CPUS = Machine(cpu_split=lambda: ((1,), (0,)))


@pytest.fixture
def team(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text(APP)
    (tmp_path / "requirements.txt").write_text("fastapi\n")
    (tmp_path / "harness.toml").write_text(TOML)
    return tmp_path / "harness.toml"


def experiment(toml: Path, **options: Any) -> Any:
    return team_app(pipeline.resolved(toml, machine=TWO_CPUS), **options)


def failing(**status: int) -> LoadRecord:
    """300 requests in 3 s, 5 ms each; those at these places end otherwise."""
    load = a_load()
    codes, finished_s = load.status.copy(), load.finished_s.copy()
    for place, code in status.items():
        codes[int(place[1:])] = code
        finished_s[int(place[1:])] = np.nan
    return replace(load, status=codes, finished_s=finished_s)


FAULT_S = 101.0  # as request 100 is sent


def test_nothing_is_lost_where_all_are_answered() -> None:
    assert seen_in(a_load(), fault_s=FAULT_S, took_s=0.5) == Seen(
        sent=200, lost=0, refused=0, outage_s=0.0, took_s=0.5
    )


def test_what_was_under_way_counts_and_what_got_no_connection_is_counted_apart() -> None:
    load = failing(_99=DISCONNECTED, _101=REFUSED, _102=REFUSED, _103=TIMED_OUT)
    seen = seen_in(load, fault_s=FAULT_S, took_s=0.0)
    assert (seen.sent, seen.lost, seen.refused) == (201, 2, 2)
    # From the answer to request 98, at 0.98 s and 5 ms, to that to request 104.
    assert seen.outage_s == pytest.approx(0.06)


def test_a_server_that_never_comes_back_has_no_outage_to_tell() -> None:
    assert seen_in(failing(_299=REFUSED), fault_s=FAULT_S, took_s=0.0).outage_s is None


def test_requests_that_failed_before_the_fault_spoil_the_repeat() -> None:
    load = a_load()
    status = load.status.copy()
    status[3] = 503
    with pytest.raises(TrialError, match="1 requests failed before the fault"):
        seen_in(replace(load, status=status), fault_s=FAULT_S, took_s=0.0)


def test_every_fault_that_a_variant_can_have_is_a_task(team: Path) -> None:
    names = [task.name for task in experiment(team).tasks]
    assert names == ["L2 stop uvicorn-standard.w1", "L5 kill uvicorn-standard.w1"]
    both = experiment(team, only=["uvicorn-standard.w2"], repeats=3)
    assert [task.probe for task in both.tasks] == ["stop", "kill", "kill-worker", "reload"]
    for task, fault in zip(both.tasks, FAULTS, strict=True):
        variant = pipeline.resolved(team, machine=TWO_CPUS).matrix.variants[1]
        seen = [Seen(sent=9, lost=1, refused=0, outage_s=None, took_s=1.0)] * 3
        made = {(one.target, one.quantity) for one in observations(fault, variant, seen)}
        assert made == task.quantities


@pytest.mark.parametrize(
    ("before", "after", "only", "said"),
    [
        ("", "", ["granian.w1"], "no 'granian.w1'; there are uvicorn-standard.w1, uvicorn-standard.w2"),
        ('recipe = ["uvicorn-standard"]', 'recipe = ["nginx-plain"]', [], "is several containers"),
        (TOML[TOML.index("[[scenarios.requests]]") :], 'locustfile = "l.py"\n', [], "sends in its own time"),
    ],
)
def test_what_cannot_be_tried_is_refused(
    team: Path, before: str, after: str, only: list[str], said: str
) -> None:
    team.write_text(TOML.replace(before, after) if before else TOML)
    (team.parent / "l.py").write_text("from locust import HttpUser\nclass A(HttpUser):\n    pass\n")
    with pytest.raises(ConfigurationError, match=said):
        experiment(team, only=only)


@pytest.mark.engine
@pytest.mark.timeout(240)
def test_a_stop_loses_nothing_and_a_kill_is_an_outage(team: Path, docker_here: None) -> None:
    tried = experiment(team, repeats=1, watched_s=4.0)
    done = measure(tried, into=team.parent / "seen", say=lambda _: None)
    assert done.walked.failed == ()
    seen = {(one.probe, one.quantity): one.values[0] for one in done.store.observations()}
    # One process answers all that it has accepted; whoever comes later is refused at once.
    assert seen["stop", "lost"] == 0
    assert seen["stop", "refused"] is not None
    assert seen["stop", "refused"] > 20
    outage_s = seen["kill", "outage_s"]
    assert outage_s is not None
    assert 0.1 < outage_s < 4
