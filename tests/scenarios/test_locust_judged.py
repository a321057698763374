"""A real run of a Locust file, held against the ceiling of its own users."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from harness.adapters.load_process import parsed
from harness.execution.locust_ceiling import full_core_per_s
from harness.measurement.load import LoadRecord
from harness.measurement.load_shares import merge
from harness.measurement.metrics import throughput_per_s
from harness.model import Validity
from tests.measurement.test_validity import evidence, facts, judge, worker
from tests.samples import some_readings
from tests.scenarios.agent_process import DRIVE, PROJECT, AgentProcess, lasting
from tests.scenarios.locust_agent import get, load
from tests.scenarios.path_server import CPU_S, PathServer
from wire.messages import DriveResult

pytestmark = pytest.mark.process

RUN: Mapping[str, Any] = {**DRIVE, **lasting(warmup_s=0.2, measure_s=1.0)}


@pytest.fixture
def static_server() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "scenarios.loadkit.static_server", "--port", str(port)]
    server = subprocess.Popen(command, cwd=PROJECT)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=10)


def driven(agent: AgentProcess, base_url: str) -> LoadRecord:
    agent.ready(base_url, ready="/")
    return merge([parsed(DriveResult, agent.result(**RUN))])


def test_a_slow_server_is_judged_by_the_ceiling_of_these_users(
    agent: AgentProcess, static_server: str
) -> None:
    load(agent, get("/compute", user="HttpUser"))
    ceiling_per_s = full_core_per_s(driven(agent, static_server))
    with PathServer() as server:
        record = driven(agent, server.base_url)
        agent.load("root")
    readings = some_readings(start_s=record.window_start_s - 1)
    after = facts(worker(requests=len(server.ids), id_sum=record.id_sum, id_xor=record.id_xor))
    case = evidence(record, readings=readings, facts_after=after, ceiling_per_s=ceiling_per_s)
    assert throughput_per_s(record) <= 1 / CPU_S < ceiling_per_s
    assert judge(case)[:2] == (Validity.VALID, ())
    assert record.exchanges == len(server.ids) == record.ok
