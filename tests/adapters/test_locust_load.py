"""A Locust file from the scenario to the record: the process engine from end to end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from harness.adapters.load_process import ProcessLoadGenerator
from harness.adapters.process_engine import ProcessEngine
from harness.deployment import DeploymentSpec
from harness.execution.calibration import STATIC_SERVER, calibrate
from harness.measurement.accounting import served, served_ids
from harness.model import ClosedLoad, Scenario
from tests.scenarios.agent_process import PROJECT

pytestmark = pytest.mark.process

CPUS = tuple(sorted(os.sched_getaffinity(0)))
VISITS = Scenario(
    name="visits",
    locustfile="load/visits.py",
    load=ClosedLoad(clients=5),
    warmup_s=0.2,
    measure_s=0.8,
    slo_ms=100,
)
SOURCE = b"""
from locust import FastHttpUser, HttpUser, task

class Reader(HttpUser):
    def on_start(self):
        self.client.get("/login").json()["message"]
    @task
    def read(self):
        self.client.get("/items")

class Writer(FastHttpUser):
    @task
    def write(self):
        self.client.get("/more")
"""
NEEDS_TOKEN = SOURCE.replace(b'["message"]', b'["token"]')


@pytest.fixture
def engine() -> Iterator[ProcessEngine]:
    made = ProcessEngine(PROJECT)
    yield made
    made.close()


def generators(engine: ProcessEngine, agents: int, source: bytes = SOURCE) -> ProcessLoadGenerator:
    return ProcessLoadGenerator(
        engine, image=engine.build("generator"), cpus=CPUS[:1] * agents, files={VISITS.locustfile: source}
    )


@pytest.mark.parametrize("agents", [1, 2])
def test_agents_and_server_agree_on_every_exchange(engine: ProcessEngine, agents: int) -> None:
    spec = DeploymentSpec(
        name="static", image=engine.build("generator"), argv=STATIC_SERVER, env={}, cpus=CPUS[-1:]
    )
    with engine.running(spec) as server, generators(engine, agents).attached(server) as generator:
        generator.wait_ready(workers=1, timeout_s=20, scenario=VISITS, ready=None, inside=True)
        generator.verify(VISITS)
        before = generator.probe()
        for _ in range(2):
            record = generator.drive(VISITS, seed=1, progress=lambda _: None)
        after = generator.probe()
    assert record.ok == record.scheduled == record.exchanges == record.exchanges_sent == served(before, after)
    assert served_ids(before, after) == (record.id_sum, record.id_xor)
    assert record.window_end_s - record.window_start_s == pytest.approx(VISITS.measure_s)


def test_calibration_knows_a_ceiling_of_the_files_users(engine: ProcessEngine) -> None:
    found = calibrate(
        (VISITS,),
        engine=engine,
        generators=generators(engine, 1),
        image=engine.build("generator"),
        server_cpus=CPUS[-1:],
    )
    assert set(found.ceilings) == {"visits"}
    assert found.ceilings["visits"] < found.ceiling_per_s
    assert found.warnings == ()


def test_a_file_that_needs_real_answers_is_calibrated_without(engine: ProcessEngine) -> None:
    found = calibrate(
        (replace(VISITS, request_timeout_s=1.0),),
        engine=engine,
        generators=generators(engine, 1, NEEDS_TOKEN),
        image=engine.build("generator"),
        server_cpus=CPUS[-1:],
    )
    assert found.ceilings == {}
    assert "visits: no ceiling of the generator" in found.warnings[0]
    assert "on_start failed: KeyError: 'token'" in found.warnings[0]
