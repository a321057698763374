"""The agent's protocol, spoken to a process."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from itertools import chain, cycle

import pytest

from tests.scenarios.agent_process import DRIVE, READY, VERIFY, AgentProcess, lasting
from tests.scenarios.scripted_server import VARIANT_ID, ScriptedServer

pytestmark = pytest.mark.process

LONG = {**DRIVE, **lasting(warmup_s=0.2, measure_s=300.0), "load": {"kind": "closed", "clients": 2}}


def wait_for_requests(server: ScriptedServer, *, within_s: float = 20.0) -> None:
    deadline_s = time.monotonic() + within_s
    while not server.ids:
        assert time.monotonic() < deadline_s, "the load never started"
        time.sleep(0.01)


def test_it_greets_with_its_versions(agent: AgentProcess) -> None:
    assert agent.hello["ok"]
    assert agent.hello["result"].keys() == {"agent", "locust", "python"}


def test_a_whole_session() -> None:
    with ScriptedServer() as server, AgentProcess() as agent:
        report = agent.ready(server.base_url)
        assert report["variant_id"] == VARIANT_ID
        assert agent.result(op="probe") == report
        assert agent.result(**VERIFY) == {"checked": 1}
        assert server.ids == []
        totals, arrays = agent.drive(warmup_s=1.2, measure_s=2.0)
        assert totals["ok"] == totals["scheduled"] == len(server.ids)
        assert len(arrays["generator_cpu_share"]) == 2
        assert ((arrays["generator_cpu_share"] > 0) & (arrays["generator_cpu_share"] < 1.5)).all()
        # One a second of warm-up, one at the start of the window, one a second of it.
        assert len(agent.progress) == 4
        assert agent.progress[-1]["requests"] <= totals["scheduled"]
        assert agent.result(op="exit") == {}
        assert agent.process.wait(timeout=10) == 0


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("hello", "the message: Invalid JSON"),
        ("[1]", "the message: Input should be an object"),
        ('{"op": "fly"}', "'prepare', 'drive', 'clock', 'exit'"),
        (json.dumps({**READY, "base_url": "ftp://x"}), "ready.base_url: String should match"),
        (json.dumps({**READY, "base_url": "http://127.0.0.1:9", "workers": 0}), "ready.workers"),
        (json.dumps({**READY, "base_url": "http://127.0.0.1:9", "inside": 1}), "ready.inside"),
        (
            '{"op": "workload", "workload": {"kind": "bundled", "locustfile": "../../etc/passwd"}}',
            "no scenario '../../etc/passwd'; there are async",
        ),
        (json.dumps({**DRIVE, "ramp_s": -1}), "drive.ramp_s"),
        ('{"op": "workload", "workload": {"kind": "bundled", "locustfile": "agent"}}', "no scenario 'agent'"),
        (
            '{"op": "workload", "workload": {"kind": "odd"}}',
            "expected tags: 'bundled', 'locustfile'",
        ),
    ],
)
def test_a_bad_request_is_refused_and_the_agent_goes_on(agent: AgentProcess, line: str, named: str) -> None:
    agent.send_line(line)
    answer = agent.receive()
    assert answer["error"]["kind"] == "BadRequest"
    assert named in answer["error"]["message"]


def test_without_a_server_there_is_nothing_to_do() -> None:
    with AgentProcess() as agent:
        for message in ({"op": "probe"}, VERIFY, DRIVE):
            kind, text = agent.error(**message)
            assert kind == "BadRequest"
            assert "send ready" in text


def test_not_ready_says_what_is_missing(agent: AgentProcess) -> None:
    with ScriptedServer() as server:
        kind, text = agent.error(**{**READY, "base_url": server.base_url, "workers": 2, "timeout_s": 0.2})
    assert (kind, "1 of 2 workers seen" in text) == ("NotReady", True)
    kind, text = agent.error(**{**READY, "base_url": server.base_url, "timeout_s": 0.2})
    assert (kind, "connection refused" in text) == ("NotReady", True)


@pytest.mark.promise(10)
def test_a_server_that_accepts_and_never_answers_is_not_waited_for_beyond_the_bound(
    agent: AgentProcess,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        base_url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        kind, text = agent.error(**{**READY, "base_url": base_url, "timeout_s": 0.2})
    assert (kind, "GET /health/ready: no answer in time" in text) == ("NotReady", True)


def test_a_server_that_breaks_on_every_request_is_not_waited_for_any_longer(agent: AgentProcess) -> None:
    with ScriptedServer(ready=lambda: "500 Internal Server Error") as server:
        kind, text = agent.error(**{**READY, "base_url": server.base_url, "timeout_s": 60})
    assert (kind, "answered with status 500" in text) == ("CannotServe", True)


def test_a_server_that_breaks_now_and_then_may_still_get_ready(agent: AgentProcess) -> None:
    """Or says so itself, with status 503: for longer than a broken one is given, then it is ready."""
    starting = chain.from_iterable(
        ["503 Service Unavailable", *["500 Internal Server Error"] * 10] for _ in range(10)
    )
    with ScriptedServer(ready=lambda: next(starting, "200 OK")) as server:
        agent.ready(server.base_url)


def test_behind_a_proxy_every_worker_has_to_listen(agent: AgentProcess) -> None:
    """A replica tells of itself while its server does not listen yet: its turn is answered with 502."""
    report: dict[str, object] = {"front": "nginx/1.26", "workers": [{"pid": 7}, {"pid": 8}]}
    turns = chain([report, None] * 3, cycle([report, report, report, None]))
    with ScriptedServer(probe=lambda: next(turns)) as server:
        agent.ready(server.base_url, workers=2)
    assert next(turns) is None
    turns = cycle([report, None])
    with ScriptedServer(probe=lambda: next(turns)) as server:
        kind, text = agent.error(**{**READY, "base_url": server.base_url, "workers": 2, "timeout_s": 0.3})
    assert (kind, "502" in text) == ("NotReady", True)


def test_a_wrong_response_is_named(agent: AgentProcess) -> None:
    with ScriptedServer() as server:
        agent.ready(server.base_url)
        agent.load("mixed")
        kind, text = agent.error(**VERIFY)
        agent.load("root")
    assert kind == "WrongResponse"
    assert "/items/42" in text
    assert "/cpu/sync" in text


def test_a_load_starts_when_it_is_told_to(agent: AgentProcess) -> None:
    with ScriptedServer() as server:
        agent.ready(server.base_url)
        start_at_s = time.monotonic() + 0.5
        totals, _ = agent.drive(warmup_s=0.25, measure_s=0.25, start_at_s=start_at_s)
    assert totals["window_start_s"] == pytest.approx(start_at_s + 0.25)
    assert totals["window_end_s"] == pytest.approx(start_at_s + 0.5)


def test_the_end_of_stdin_ends_a_load() -> None:
    with ScriptedServer() as server, AgentProcess() as agent:
        agent.ready(server.base_url)
        agent.send_line(json.dumps(LONG))
        wait_for_requests(server)
        assert agent.process.stdin is not None
        agent.process.stdin.close()
        assert agent.process.wait(timeout=10) == 0


def test_sigterm_ends_a_load() -> None:
    with ScriptedServer() as server, AgentProcess() as agent:
        agent.ready(server.base_url)
        agent.send_line(json.dumps(LONG))
        wait_for_requests(server)
        os.kill(agent.process.pid, signal.SIGTERM)
        assert agent.process.wait(timeout=10) == 0
