"""Whole trials on containers in which something dies. What trials do on the fake is in tests/execution."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from docker import DockerClient

from harness.adapters.config_file import find_project
from harness.adapters.docker_engine import DockerEngine
from harness.adapters.host import cpu_split
from harness.adapters.load_process import ProcessLoadGenerator
from harness.adapters.system_clock import SystemClock
from harness.execution.trial import Bench, TrialOutcome, run_trial
from harness.model import (
    Cell,
    ClosedLoad,
    Scenario,
    Trial,
    Validity,
    Variant,
)
from tests.adapters.containers import by_role, of_run

pytestmark = pytest.mark.engine

ITEMS = Scenario(
    name="items", locustfile="items", load=ClosedLoad(clients=4), warmup_s=0.5, measure_s=3.0, slo_ms=500
)
TWO_WORKERS = Variant(recipe="uvicorn-standard", workers=2)


def workers_of(client: DockerClient, run_id: str) -> list[int]:
    """The pids, on this machine, of the server's worker processes."""
    shown = by_role(client, run_id, "server").top(ps_args="-eo pid,args")
    return [int(pid) for pid, command in shown["Processes"] if "spawn_main" in command]


def measured(run_id: str, progress: Callable[[Mapping[str, float]], None]) -> TrialOutcome:
    engine = DockerEngine(find_project(Path(__file__)), run_id)
    server_cpus, generator_cpus = cpu_split()
    try:
        images = {TWO_WORKERS.recipe: engine.build(TWO_WORKERS.recipe)}
        generators = ProcessLoadGenerator(engine, image=engine.build("generator"), cpus=generator_cpus)
        bench = Bench(
            engine=engine,
            generators=generators,
            clock=SystemClock(),
            images=images,
            server_cpus=server_cpus,
            ready_timeout_s=60,
            seed=1,
        )
        return run_trial(
            Trial(cell=Cell(variant=TWO_WORKERS, scenario=ITEMS), block=0), bench, progress=progress
        )
    finally:
        engine.close()


def test_a_worker_killed_under_load_makes_the_trial_invalid(client: DockerClient, run_id: str) -> None:
    killed: list[int] = []

    def kill_one(_: Mapping[str, float]) -> None:
        if not killed:
            workers = workers_of(client, run_id)
            assert len(workers) == 2
            os.kill(workers[0], signal.SIGKILL)
            killed.append(workers[0])

    record = measured(run_id, kill_one).record
    assert killed
    assert record.validity is Validity.INVALID
    assert any(reason.startswith("I7: worker pids changed") for reason in record.reasons), record.reasons
    assert of_run(client, run_id) == []
