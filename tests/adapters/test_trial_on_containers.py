"""Whole trials on containers in which something dies. What trials do on the fake is in tests/execution."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import replace

import pytest
from docker import DockerClient
from docker.models.containers import Container

from harness.execution.server import Row
from harness.execution.side_by_side import run_side_by_side
from harness.execution.trial import run_trial
from harness.model import Cell, ClosedLoad, Trial, Validity, Variant
from tests.adapters.containers import all_by_role, by_role, of_run
from tests.adapters.trials import ITEMS, bench_for, trial_of

pytestmark = [pytest.mark.engine, pytest.mark.alone]

TWO_WORKERS = Variant(recipe="uvicorn-standard", workers=2)


def workers_of(client: DockerClient, run_id: str) -> list[int]:
    """The pids, on this machine, of the server's worker processes."""
    return workers_in(by_role(client, run_id, "server"))


def workers_in(container: Container) -> list[int]:
    shown = container.top(ps_args="-eo pid,args")
    return [int(pid) for pid, command in shown["Processes"] if "spawn_main" in command]


@pytest.mark.promise(15)
def test_a_worker_killed_under_load_makes_the_trial_invalid(client: DockerClient, run_id: str) -> None:
    killed: list[int] = []

    def kill_one(_: Mapping[str, float]) -> None:
        if not killed:
            workers = workers_of(client, run_id)
            assert len(workers) == 2
            os.kill(workers[0], signal.SIGKILL)
            killed.append(workers[0])

    with bench_for(run_id, TWO_WORKERS) as equipment:
        record = run_trial(trial_of(TWO_WORKERS), equipment, progress=kill_one).record
    assert killed
    assert record.validity is Validity.INVALID
    assert any(reason.startswith("I7: worker pids changed") for reason in record.reasons), record.reasons
    assert of_run(client, run_id) == []


@pytest.mark.parametrize(("backlog", "full"), [(1, True), (2048, False)])
def test_a_listen_queue_that_was_full_is_counted(run_id: str, backlog: int, full: bool) -> None:
    """As the kernel counts in the container's own network: each of these answers took a new connection."""
    variant = Variant(recipe="uvicorn-standard", workers=1, backlog=backlog)
    load = replace(ITEMS, name="reconnect", locustfile="reconnect", load=ClosedLoad(clients=64))
    with bench_for(run_id, variant) as equipment:
        trial = Trial(cell=Cell(variant=variant, scenario=load), block=0)
        record = run_trial(trial, equipment, progress=lambda _: None).record
    assert record.metrics is not None, record.reasons
    assert record.metrics.listen_overflows is not None
    assert (record.metrics.listen_overflows > 0) is full


def test_side_by_side_each_has_its_turns_and_one_that_loses_a_worker_ends_alone(
    client: DockerClient, run_id: str
) -> None:
    """All stand at the same time; what befalls one is not put down to its neighbours.

    For the next scenario the others stand where they stood, and that one stands anew.
    """
    killed: list[int] = []
    stood: list[set[str]] = []
    one = replace(TWO_WORKERS, workers=1)

    def kill_one(progress: Mapping[str, float]) -> None:
        if not killed and progress["left_s"] < 3.0:
            standing = all_by_role(client, run_id, "server")
            stood.append({str(container.id) for container in standing})
            (workers,) = [found for container in standing if len(found := workers_in(container)) == 2]
            os.kill(workers[0], signal.SIGKILL)
            killed.append(workers[0])

    with bench_for(run_id, one) as equipment, Row(equipment) as row:
        trials = [trial_of(variant) for variant in (one, replace(one, twin=True), TWO_WORKERS)]
        first, twin, broken = run_side_by_side(trials, equipment, row, progress=kill_one)
        other = replace(ITEMS, name="other")
        again = [Trial(cell=Cell(variant=trial.cell.variant, scenario=other), block=0) for trial in trials]
        later = run_side_by_side(again, equipment, row, progress=lambda _: None)
        stood.append({str(container.id) for container in all_by_role(client, run_id, "server")})
    assert [len(ids) for ids in (*stood, stood[0] & stood[1])] == [3, 3, 2]
    for outcome in later:
        assert outcome.record.validity in (Validity.VALID, Validity.NOISY), outcome.record.reasons
    assert broken.record.validity is Validity.INVALID
    assert any("I7: worker pids changed" in reason for reason in broken.record.reasons)
    for outcome in (first, twin):
        record = outcome.record
        # A busy machine may have spoilt it; what was counted on both sides may not differ.
        assert record.validity in (Validity.VALID, Validity.NOISY), record.reasons
        assert record.metrics is not None
        assert record.rounds == 30
        assert record.metrics.idle_cpu_cores is not None
        # Both from the same rounds, so that a slow machine moves both: between the slices is rest.
        assert record.metrics.idle_cpu_cores < record.metrics.cpu_cores / 5
        assert len(outcome.readings) == 2 * 30
    assert of_run(client, run_id) == []
