"""The wrapped example app under a real uvicorn with two workers, on an ephemeral loopback port."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
WAIT_S = 20.0
WORKERS = 2


@dataclass(frozen=True)
class Served:
    client: httpx.Client
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    runtime_dir: Path

    def probe(self) -> dict[str, Any]:
        response = self.client.get("/.harness/probe")
        response.raise_for_status()
        return dict(response.json())

    def total(self, field: str) -> int:
        return sum(worker[field] for worker in self.probe()["workers"])

    def pids(self) -> set[int]:
        return {worker["pid"] for worker in self.probe()["workers"]}


def until(condition: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            if condition():
                return
        except httpx.TransportError:
            pass
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def served(tmp_path: Path, *flags: str, **env: str) -> Iterator[Served]:
    runtime_dir, log, port = tmp_path / "run", tmp_path / "server.log", free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "harness_probe.asgi:app", "--port", str(port), *flags],
            env={
                **os.environ,
                "TARGET_STAGE": "test",
                "HARNESS_APP": "target_app.main:app",
                "HARNESS_APP_DIR": str(ROOT),
                "HARNESS_VARIANT_ID": "uvicorn-standard.w2",
                "HARNESS_RUNTIME_DIR": str(runtime_dir),
                "HARNESS_ACCESS_LOG": "false",
                "PYTHONPATH": str(ROOT / "probe"),
                **env,
            },
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    # A new connection for every request, so that both workers get their share.
    limits = httpx.Limits(max_keepalive_connections=0)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", limits=limits, trust_env=False) as client:
            yield Served(client, port, process, log, runtime_dir)
    finally:
        process.terminate()
        process.wait(WAIT_S)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(
        tmp_path_factory.mktemp("served"), "--workers", str(WORKERS), "--timeout-keep-alive", "7"
    ) as server:
        until(lambda: len(server.pids()) == WORKERS, server.process, server.log)
        yield server


def test_the_probe_tells_what_really_serves(server: Served) -> None:
    assert server.client.get("/health/ready").status_code == 200
    probe = server.probe()
    assert probe["variant_id"] == "uvicorn-standard.w2"
    assert probe["pid"] in server.pids()
    assert probe["uid"] == os.getuid()
    assert probe["server"] == f"uvicorn {probe['versions']['uvicorn']}"
    assert probe["loop"] == "uvloop.Loop"
    assert probe["http"] == "uvicorn.protocols.http.httptools_impl.HttpToolsProtocol"
    assert probe["keep_alive_s"] == 7.0
    assert probe["versions"]["python"] == sys.version.split()[0]
    assert probe["cpus"]["affinity"] == len(os.sched_getaffinity(0))


def test_one_probe_counts_the_ids_of_both_workers_exactly(server: Served) -> None:
    before = {field: server.total(field) for field in ("requests", "id_sum")}
    ids = range(1000, 1060)
    for request_id in ids:
        server.client.get("/items/1", headers={"x-harness-id": str(request_id)}).raise_for_status()
    assert server.total("requests") - before["requests"] == len(ids)
    assert server.total("id_sum") - before["id_sum"] == sum(ids)
    assert server.total("in_flight") == 0


def test_a_client_that_goes_away_leaves_nothing_in_flight(server: Served) -> None:
    before = server.total("requests")
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"GET /io/async?ms=500 HTTP/1.1\r\nHost: a\r\nX-Harness-Id: 9\r\n\r\n")
        until(lambda: server.total("in_flight") == 1, server.process, server.log)
    until(lambda: server.total("in_flight") == 0, server.process, server.log)
    assert server.total("requests") == before + 1


def ask(server: Served, path: str, *, at_once: int) -> float:
    """How long the client waited for requests that it sent side by side, summed."""

    def one(request_id: int) -> float:
        began = time.monotonic()
        server.client.get(path, headers={"x-harness-id": str(request_id)}).raise_for_status()
        return time.monotonic() - began

    with ThreadPoolExecutor(at_once) as pool:
        return sum(pool.map(one, range(at_once)))


def told(server: Served, signal: str) -> float:
    """The sum over the workers."""
    return float(sum(worker["signals"][signal] for worker in server.probe()["workers"]))


@pytest.mark.alone
def test_the_time_in_flight_is_the_clients_when_nothing_waits_before_the_app(server: Served) -> None:
    """Little's law: with an idle server and a wait of a second, what the client adds is below 5 %."""
    before_s = told(server, "in_flight_s")
    waited_s = ask(server, "/io/async?ms=1000", at_once=2)
    assert 0.95 * waited_s <= told(server, "in_flight_s") - before_s <= waited_s


def test_a_blocked_event_loop_is_told_as_lag_and_cpu_time(server: Served) -> None:
    cpu_s, stalled_s = told(server, "cpu_s"), told(server, "stalled_s")
    ask(server, "/cpu/async?iterations=2000000", at_once=1)
    until(lambda: told(server, "stalled_s") > stalled_s + 0.05, server.process, server.log)
    assert told(server, "cpu_s") > cpu_s + 0.1
    assert told(server, "lag_max_s") > 0.05


def test_threads_in_use_are_told(server: Served) -> None:
    busy, in_flight_s = told(server, "threads_busy"), told(server, "in_flight_s")
    ask(server, "/io/sync?ms=400", at_once=3)
    until(lambda: told(server, "threads_busy") > busy, server.process, server.log)
    assert told(server, "in_flight_s") >= in_flight_s + 3 * 0.4
    assert told(server, "thread_limit") == 40 * WORKERS


def test_a_killed_worker_leaves_the_list_and_its_successor_joins(server: Served) -> None:
    victim, survivor = sorted(server.pids())
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(server.pids() - {victim}) == WORKERS, server.process, server.log)
    assert survivor in server.pids()
    assert victim not in server.pids()


def test_the_access_log_is_off_although_the_server_was_not_told(server: Served) -> None:
    server.client.get("/items/1").raise_for_status()
    assert server.probe()["access_log"] is False
    assert "GET /items/1" not in server.log.read_text()


def test_plain_uvicorn_with_the_access_log_leaves_its_record(tmp_path: Path) -> None:
    flags = ("--loop", "asyncio", "--http", "h11")
    with served(tmp_path, *flags, HARNESS_ACCESS_LOG="true") as server:
        until(lambda: len(server.pids()) == 1, server.process, server.log)
        probe = server.probe()
    assert probe["loop"].startswith("asyncio.")
    assert probe["http"] == "uvicorn.protocols.http.h11_impl.H11Protocol"
    assert probe["access_log"] is True
    assert "GET /.harness/probe" in server.log.read_text()
    lines = (server.runtime_dir / "lifespan.jsonl").read_text().splitlines()
    events = [(event["event"], event["pid"]) for event in map(json.loads, lines)]
    assert events == [("startup", probe["pid"]), ("shutdown", probe["pid"])]


@pytest.mark.parametrize(("flag", "scheme"), [("--proxy-headers", "https"), ("--no-proxy-headers", "http")])
def test_proxy_headers_decide_where_a_redirect_leads(tmp_path: Path, flag: str, scheme: str) -> None:
    """Behind a TLS proxy: without them the app sends its clients from https to http."""
    with served(tmp_path, flag) as server:
        until(lambda: len(server.pids()) == 1, server.process, server.log)
        answer = server.client.get("/health/", headers={"X-Forwarded-Proto": "https"})
        features = server.probe()["features"]
    assert answer.status_code == 307
    assert answer.headers["location"].startswith(f"{scheme}://")
    assert ("proxy-headers" in features) is (flag == "--proxy-headers")


def test_a_start_without_a_setting_of_the_app_ends_as_the_app_says(tmp_path: Path) -> None:
    with served(tmp_path, TARGET_STAGE="") as server:
        assert server.process.wait(WAIT_S) == 3
    assert "TARGET_STAGE: Field required" in server.log.read_text()


def test_the_pool_of_threads_has_the_size_asked_for(tmp_path: Path) -> None:
    with served(tmp_path, HARNESS_THREADS="7") as server:
        until(lambda: len(server.pids()) == 1, server.process, server.log)
        assert told(server, "thread_limit") == 7


def test_what_the_import_of_the_app_raises_is_in_the_log_with_its_traceback(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import no_such_module\n")
    with served(tmp_path, HARNESS_APP="broken:app", HARNESS_APP_DIR=str(tmp_path)) as server:
        assert server.process.wait(WAIT_S) != 0
    log = server.log.read_text()
    assert "No module named 'no_such_module'" in log
    assert str(tmp_path / "broken.py") in log
