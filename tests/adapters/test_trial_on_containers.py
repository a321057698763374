"""Whole trials on containers in which something dies. What trials do on the fake is in tests/execution."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping

import pytest
from docker import DockerClient

from harness.execution.trial import run_trial
from harness.model import Validity, Variant
from tests.adapters.containers import by_role, of_run
from tests.adapters.trials import bench_for, trial_of

pytestmark = [pytest.mark.engine, pytest.mark.alone]

TWO_WORKERS = Variant(recipe="uvicorn-standard", workers=2)


def workers_of(client: DockerClient, run_id: str) -> list[int]:
    """The pids, on this machine, of the server's worker processes."""
    shown = by_role(client, run_id, "server").top(ps_args="-eo pid,args")
    return [int(pid) for pid, command in shown["Processes"] if "spawn_main" in command]


def test_a_worker_killed_under_load_makes_the_trial_invalid(client: DockerClient, run_id: str) -> None:
    killed: list[int] = []

    def kill_one(_: Mapping[str, float]) -> None:
        if not killed:
            workers = workers_of(client, run_id)
            assert len(workers) == 2
            os.kill(workers[0], signal.SIGKILL)
            killed.append(workers[0])

    with bench_for(run_id, TWO_WORKERS) as bench:
        record = run_trial(trial_of(TWO_WORKERS), bench, progress=kill_one).record
    assert killed
    assert record.validity is Validity.INVALID
    assert any(reason.startswith("I7: worker pids changed") for reason in record.reasons), record.reasons
    assert of_run(client, run_id) == []
