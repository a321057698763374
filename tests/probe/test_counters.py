from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from harness_probe.counters import (
    MASK,
    PAGE,
    VITALS,
    Vitals,
    WorkerCounters,
    WorkerReport,
    live_workers,
    process_of,
)
from harness_probe.settings import Settings
from harness_probe.worker import Worker
from harness_probe.wrapper import Wrapped


def only_worker(settings: Settings) -> WorkerReport:
    (worker,) = live_workers(settings.runtime_dir)
    return worker


def test_ids_are_summed_and_xored_modulo_two_to_the_64(client: TestClient, settings: Settings) -> None:
    ids = [1, 2, 3, 2**64 - 1, 2**63]
    for request_id in ids:
        client.get("/", headers={"x-harness-id": str(request_id)})
    worker = only_worker(settings)
    xor = 0
    for request_id in ids:
        xor ^= request_id
    assert (worker.pid, worker.requests, worker.in_flight) == (os.getpid(), 5, 0)
    assert (worker.id_sum, worker.id_xor) == (sum(ids) & MASK, xor)


@pytest.mark.parametrize("header", [None, "", "-1", "+1", "1.5", "abc", "1_000", "9" * 21])
def test_requests_without_a_decimal_id_are_answered_uncounted(
    client: TestClient, settings: Settings, header: str | None
) -> None:
    response = client.get("/", headers={} if header is None else {"x-harness-id": header})
    assert response.status_code == 200
    assert only_worker(settings).requests == 0


def test_a_request_is_in_flight_while_its_handler_runs(app: FastAPI, settings: Settings) -> None:
    @app.get("/self")
    async def see_oneself() -> dict[str, Any]:
        return only_worker(settings).plain()

    with TestClient(Wrapped(app, Worker(settings))) as client:
        seen = client.get("/self", headers={"x-harness-id": "5"}).json()
        assert (seen["requests"], seen["in_flight"]) == (1, 1)
        assert only_worker(settings).in_flight == 0


def test_a_raising_handler_counts_and_leaves_nothing_in_flight(app: FastAPI, settings: Settings) -> None:
    @app.get("/broken")
    async def broken() -> None:
        raise ZeroDivisionError

    with TestClient(Wrapped(app, Worker(settings)), raise_server_exceptions=False) as client:
        assert client.get("/broken", headers={"x-harness-id": "5"}).status_code == 500
        worker = only_worker(settings)
    assert (worker.requests, worker.id_sum, worker.in_flight) == (1, 5, 0)


def test_a_worker_leaves_the_list_when_it_shuts_down(app: FastAPI, settings: Settings) -> None:
    with TestClient(Wrapped(app, Worker(settings))):
        assert [worker.pid for worker in live_workers(settings.runtime_dir)] == [os.getpid()]
    assert live_workers(settings.runtime_dir) == []


def test_time_in_flight_is_the_integral_of_requests_over_time(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request from 10 to 12.5 s, one from 12 s that still runs at 14 s."""
    settings.runtime_dir.mkdir()
    counters = WorkerCounters()
    counters.publish(settings.runtime_dir)
    for at_s, step in ((10.0, "begin"), (12.0, "begin"), (12.5, "end")):
        monkeypatch.setattr("harness_probe.counters.monotonic", lambda at_s=at_s: at_s)
        counters.begin(1) if step == "begin" else counters.end()
    monkeypatch.setattr("harness_probe.counters.monotonic", lambda: 14.0)
    worker = only_worker(settings)
    assert (worker.in_flight, worker.signals.in_flight_s) == (1, 4.5)


def leave_counters(directory: Path, pid: int, start: int) -> None:
    page = PAGE.pack(start, 1, 2, 3, 0, 0.0) + VITALS.pack(*Vitals())
    (directory / f"{pid}.counters").write_bytes(page)


def test_files_of_the_dead_are_passed_over(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = process_of(child.pid)
        assert process is not None
        leave_counters(tmp_path, child.pid, process.start)
        assert [worker.pid for worker in live_workers(tmp_path)] == [child.pid]
        child.kill()
        # Ended, but not yet reaped: still in the process table.
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert live_workers(tmp_path) == []
    assert live_workers(tmp_path) == []


def test_a_pid_given_to_another_process_is_not_taken_for_the_worker(tmp_path: Path) -> None:
    process = process_of(os.getpid())
    assert process is not None
    leave_counters(tmp_path, os.getpid(), process.start + 1)
    assert live_workers(tmp_path) == []
