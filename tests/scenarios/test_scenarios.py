"""Every scenario against the real app, through the agent and alone under plain Locust."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.scenarios.agent_process import DRIVE, PROJECT, VERIFY, AgentProcess, assert_conserved
from tests.scenarios.scripted_server import ScriptedServer

pytestmark = pytest.mark.process

SCENARIOS = sorted(path.stem for path in (PROJECT / "scenarios").glob("*.py") if path.stem != "__init__")


@pytest.fixture(scope="module")
def app_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app under test as a process, on a port the kernel chose."""
    listener = socket.create_server(("127.0.0.1", 0))
    environment = {
        **os.environ,
        "PYTHONPATH": str(PROJECT / "probe"),
        "TARGET_STAGE": "test",
        "HARNESS_APP": "target_app.main:app",
        "HARNESS_VARIANT_ID": "scenario-tests",
        "HARNESS_RUNTIME_DIR": str(tmp_path_factory.mktemp("runtime")),
    }
    command = [sys.executable, "-m", "uvicorn", "harness_probe.asgi:app", "--log-level", "warning"]
    app = subprocess.Popen(
        [*command, "--fd", str(listener.fileno())], cwd=PROJECT, env=environment, pass_fds=[listener.fileno()]
    )
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        app.terminate()
        app.wait(timeout=10)
        listener.close()


@pytest.fixture(scope="module")
def ready_agent(app_url: str) -> Iterator[AgentProcess]:
    with AgentProcess() as agent:
        assert agent.ready(app_url)["variant_id"] == "scenario-tests"
        yield agent


def test_all_scenarios_are_here() -> None:
    assert {
        "root",
        "items",
        "async_io",
        "sync_io",
        "fan_out",
        "cpu_bound",
        "cpu_blocking",
        "payload",
        "mixed",
    } <= set(SCENARIOS)


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_app_answers_as_the_scenario_expects(ready_agent: AgentProcess, name: str) -> None:
    ready_agent.load(name)
    assert ready_agent.result(**VERIFY)["checked"] >= 1


def test_what_is_sent_beside_the_load_is_neither_counted_nor_measured(ready_agent: AgentProcess) -> None:
    load = {"kind": "open", "rate_per_s": 50.0, "arrivals": "constant"}
    (before,) = ready_agent.result(op="probe")["workers"]
    ready_agent.load("beside_thread")
    totals, arrays = ready_agent.drive(load=load)
    (after,) = ready_agent.result(op="probe")["workers"]
    assert after["requests"] - before["requests"] == totals["ok"] == totals["scheduled"]
    assert len(arrays["status"]) <= totals["scheduled"]


def test_a_wrong_answer_beside_the_load_spoils_it() -> None:
    with ScriptedServer() as server, AgentProcess() as agent:
        agent.ready(server.base_url)
        agent.load("beside_async")
        kind, message = agent.error(**DRIVE)
    assert kind == "WrongResponse"
    assert "beside the load: GET /cpu/async" in message


def test_the_app_counts_the_ids_that_the_agent_sent(ready_agent: AgentProcess) -> None:
    load = {"kind": "open", "rate_per_s": 200.0, "arrivals": "poisson"}
    (before,) = ready_agent.result(op="probe")["workers"]
    ready_agent.load("mixed")
    totals, _ = ready_agent.drive(load=load, measure_s=0.4)
    (after,) = ready_agent.result(op="probe")["workers"]
    assert_conserved(totals)
    assert totals["ok"] == totals["scheduled"] == after["requests"] - before["requests"]
    assert totals["id_sum"] == (after["id_sum"] - before["id_sum"]) % 2**64
    assert totals["id_xor"] == after["id_xor"] ^ before["id_xor"]


def run_alone(name: str, app_url: str) -> list[dict[str, int]]:
    """Locust's own statistics of a scenario that ran without the load kit's loops."""
    command = [Path(sys.executable).parent / "locust", "-f", f"scenarios/{name}.py", "--host", app_url]
    # A request that is under way when the time is over may end: the longest takes 2.5 s.
    options = ["--headless", "-u", "2", "-r", "2", "-t", "1s", "--stop-timeout", "5", "--json"]
    run = subprocess.run([*command, *options], cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    statistics: list[dict[str, int]] = json.loads(run.stdout)
    return statistics


@pytest.mark.slow
def test_every_scenario_runs_alone_under_locust(app_url: str, ready_agent: AgentProcess) -> None:
    with ThreadPoolExecutor(max_workers=2) as pool:
        runs = dict(zip(SCENARIOS, pool.map(lambda name: run_alone(name, app_url), SCENARIOS), strict=True))
    for name, statistics in runs.items():
        assert sum(entry["num_requests"] for entry in statistics) > 0, name
        assert sum(entry["num_failures"] for entry in statistics) == 0, name
