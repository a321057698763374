"""Nothing that was sent is lost, sent twice or counted twice, whatever the server does."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from tests.scenarios.agent_process import AgentProcess, assert_conserved
from tests.scenarios.scripted_server import ScriptedServer

pytestmark = pytest.mark.process

TIMED_OUT, DISCONNECTED, WRONG_BODY, DROPPED, UNDRAINED = -1, -2, -3, -4, -5

FAULTS = {
    20: "error",
    30: "truncated",
    40: "close",
    50: "hang",
    55: "trickle",
    65: "wrong_body",
    130: "wrong_body",
    140: "close",
    150: "error",
}
STATUS = {
    "error": 500,
    "truncated": DISCONNECTED,
    "close": DISCONNECTED,
    "hang": TIMED_OUT,
    "trickle": TIMED_OUT,
    "wrong_body": WRONG_BODY,
}
LOADS: list[dict[str, Any]] = [
    {"kind": "closed", "clients": 4},
    {"kind": "open", "rate_per_s": 400.0, "arrivals": "poisson"},
    {"kind": "open", "rate_per_s": 400.0, "arrivals": "constant"},
]


def sums(ids: list[int]) -> tuple[int, int]:
    return sum(ids), int(np.bitwise_xor.reduce(np.array(ids, dtype=np.uint64)))


@pytest.mark.parametrize("load", LOADS, ids=lambda load: load.get("arrivals", "closed"))
def test_every_fault_is_counted_as_what_it_is(agent: AgentProcess, load: dict[str, Any]) -> None:
    with ScriptedServer(lambda request_id: FAULTS.get(request_id, "ok")) as server:
        agent.ready(server.base_url)
        totals, arrays = agent.drive(load=load, warmup_s=0.0, measure_s=0.6, request_timeout_s=0.5)
    assert_conserved(totals)
    # The server saw each id once: a request on a connection that broke was not sent again behind our back.
    assert sorted(server.ids) == list(range(1, totals["scheduled"] + 1))
    assert totals["failed"] == 7
    assert totals["timed_out"] == 2
    assert totals["dropped"] == totals["undrained"] == 0
    expected = {request_id: STATUS[fault] for request_id, fault in FAULTS.items()}
    statuses = {slot + 1: status for slot, status in enumerate(arrays["status"].tolist()) if status != 200}
    assert statuses == expected
    unanswered = {
        request_id for request_id, status in expected.items() if status in (TIMED_OUT, DISCONNECTED)
    }
    answered = [request_id for request_id in server.ids if request_id not in unanswered]
    assert (totals["id_sum"], totals["id_xor"]) == sums(answered)


def test_connections_that_all_break_are_all_seen(agent: AgentProcess) -> None:
    # Each connection serves one request well and breaks on the next: stock clients resend and report success.
    with ScriptedServer(lambda request_id: "close" if request_id % 2 == 0 else "ok") as server:
        agent.ready(server.base_url)
        totals, arrays = agent.drive(load={"kind": "closed", "clients": 1}, warmup_s=0.0, measure_s=0.3)
    counts = Counter(arrays["status"].tolist())
    assert counts[DISCONNECTED] == totals["failed"] == totals["scheduled"] // 2 > 10
    assert sorted(server.ids) == list(range(1, totals["scheduled"] + 1))


@pytest.mark.parametrize("load", LOADS[:2], ids=["closed", "open"])
def test_what_is_in_flight_at_the_end_is_waited_for_then_undrained(
    agent: AgentProcess, load: dict[str, Any]
) -> None:
    with ScriptedServer(lambda request_id: "hang" if request_id in (3, 5) else "ok") as server:
        agent.ready(server.base_url)
        totals, arrays = agent.drive(load=load, measure_s=0.4, warmup_s=0.0, drain_s=0.2)
    assert_conserved(totals)
    assert totals["undrained"] == 2
    assert arrays["status"][[2, 4]].tolist() == [UNDRAINED, UNDRAINED]
    assert np.isnan(arrays["finished_s"][[2, 4]]).all()
    assert sorted(server.ids) == list(range(1, totals["scheduled"] + 1))


def test_arrivals_beyond_the_pool_are_dropped_not_delayed(agent: AgentProcess) -> None:
    with ScriptedServer(lambda _: "hang") as server:
        agent.ready(server.base_url)
        load = {"kind": "open", "rate_per_s": 2000.0, "arrivals": "constant"}
        totals, arrays = agent.drive(load=load, warmup_s=0.0, measure_s=0.6, drain_s=1.0)
    assert_conserved(totals)
    assert totals["scheduled"] == 1200
    assert totals["undrained"] == 900
    assert totals["dropped"] == 300
    assert np.isnan(arrays["sent_s"][arrays["status"] == DROPPED]).all()
    assert len(server.ids) == 900


def test_a_second_load_continues_the_ids(agent: AgentProcess) -> None:
    with ScriptedServer() as server:
        agent.ready(server.base_url)
        first, _ = agent.drive(measure_s=0.2)
        second, _ = agent.drive(measure_s=0.2, id_base=first["scheduled"])
    assert sorted(server.ids) == list(range(1, first["scheduled"] + second["scheduled"] + 1))
    assert (first["id_sum"] + second["id_sum"], first["id_xor"] ^ second["id_xor"]) == sums(server.ids)


def test_warm_up_counts_in_the_totals_and_not_in_the_window(agent: AgentProcess) -> None:
    load = {"kind": "open", "rate_per_s": 200.0, "arrivals": "constant"}
    with ScriptedServer() as server:
        agent.ready(server.base_url)
        totals, arrays = agent.drive(load=load, warmup_s=0.25, measure_s=0.25)
    assert totals["scheduled"] == totals["ok"] == len(server.ids) == 100
    assert len(arrays["status"]) == 50
    assert arrays["intended_s"][0] == totals["window_start_s"] == pytest.approx(totals["window_end_s"] - 0.25)
    assert (arrays["sent_s"] >= arrays["intended_s"]).all()
