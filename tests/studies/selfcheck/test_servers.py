"""The oracle servers keep to their truth: on a clock that only the test moves, and as real processes."""

from __future__ import annotations

import asyncio
import heapq
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, RemoteDisconnected
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from oracles import lossy_server, queue_server, stall_server

PROJECT = Path(__file__).parents[3]


class VirtualLoop:
    """As much of an event loop as the behaviours use; time passes only from event to event."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._due: list[tuple[float, int, Callable[[], object]]] = []

    def time(self) -> float:
        return self.now_s

    def call_at(self, when_s: float, call: Callable[..., object], *arguments: object) -> None:
        heapq.heappush(self._due, (when_s, len(self._due), lambda: call(*arguments)))

    def call_later(self, delay_s: float, call: Callable[..., object], *arguments: object) -> None:
        self.call_at(self.now_s + delay_s, call, *arguments)

    def run(self) -> None:
        while self._due:
            self.now_s, _, call = heapq.heappop(self._due)
            call()


class Watched:
    """An exchange that notes when it was answered or dropped."""

    def __init__(self, loop: VirtualLoop, number: int) -> None:
        self._loop, self.number = loop, number
        self.replied_s: float | None = None
        self.dropped = False

    def reply(self) -> None:
        self.replied_s = self._loop.now_s

    def drop(self) -> None:
        self.dropped = True


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> VirtualLoop:
    loop = VirtualLoop()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)
    return loop


def arrive(loop: VirtualLoop, behave: Callable[..., None], arrivals_s: list[float]) -> list[Watched]:
    exchanges = [Watched(loop, number) for number in range(1, len(arrivals_s) + 1)]
    for exchange, at_s in zip(exchanges, arrivals_s, strict=True):
        loop.call_at(at_s, behave, exchange)
    loop.run()
    return exchanges


def test_the_queue_serves_in_turn_and_idles_when_empty(loop: VirtualLoop) -> None:
    exchanges = arrive(loop, queue_server.queue(lambda: 2.0), [0.0, 1.0, 1.5, 9.0])
    assert [exchange.replied_s for exchange in exchanges] == [2.0, 4.0, 6.0, 11.0]


def test_requests_to_the_stalling_server_do_not_wait_for_each_other(loop: VirtualLoop) -> None:
    behave = stall_server.stalling(after_s=50.0, stall_s=0.0, service_s=2.0)
    exchanges = arrive(loop, behave, [0.0, 1.0, 1.5])
    assert [exchange.replied_s for exchange in exchanges] == [2.0, 3.0, 3.5]


def test_the_stall_blocks_once_for_its_length(loop: VirtualLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    stalls: list[tuple[float, float]] = []
    monkeypatch.setattr(stall_server.time, "sleep", lambda seconds: stalls.append((loop.now_s, seconds)))
    arrive(loop, stall_server.stalling(after_s=2.0, stall_s=1.5, service_s=0.0), [10.0, 11.0, 20.0])
    assert stalls == [(12.0, 1.5)]


@pytest.mark.parametrize(("drops", "every"), [(0, 1), (3, 4), (7, 31)])
def test_exactly_so_many_are_dropped(loop: VirtualLoop, drops: int, every: int) -> None:
    behave = lossy_server.lossy(drops=drops, every=every)
    exchanges = arrive(loop, behave, [float(n) for n in range(300)])
    assert sum(exchange.dropped for exchange in exchanges) == drops
    assert all(exchange.dropped != (exchange.replied_s is not None) for exchange in exchanges)


def test_a_worker_that_kills_itself_leaves_the_probe() -> None:
    arguments = ("--iterations", "1", "--workers", "2", "--kill-last-at", "1")
    with running("cpu_server", *arguments) as port:
        assert wait_for(lambda: len(workers(port)) == 2)
        assert wait_for(lambda: not answered(port))
        assert wait_for(lambda: len(workers(port)) == 1)


def test_counted_requests_are_told_with_their_ids() -> None:
    with running("lossy_server", "--drops", "0", "--every", "1") as port:
        assert wait_for(lambda: len(workers(port)) == 1)
        assert answered(port, 6)
        assert answered(port, 3)
        (worker,) = workers(port)
    assert (worker["requests"], worker["id_sum"], worker["id_xor"]) == (2, 9, 5)


def test_a_skewed_server_takes_all_requests_with_one_worker_and_tells_how_late_it_is() -> None:
    with running("skewed_server", "--service-s", "0.3") as port:
        assert wait_for(lambda: len(workers(port)) == 2)
        assert all(answered(port, number) for number in range(1, 4))
        assert wait_for(lambda: any(worker["signals"]["stalled_s"] > 0.05 for worker in workers(port)))
        listening, idle = sorted(workers(port), key=lambda worker: -worker["requests"])
    assert (listening["requests"], idle["requests"]) == (3, 0)
    assert listening["signals"]["lag_max_s"] > 0.05
    assert idle["signals"]["samples"] == 0


@contextmanager
def running(module: str, *arguments: str) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    argv = [sys.executable, "-m", f"oracles.{module}", "--port", str(port), *arguments]
    with subprocess.Popen(argv, cwd=PROJECT, start_new_session=True) as server:
        try:
            yield port
        finally:
            os.killpg(server.pid, signal.SIGKILL)


def workers(port: int) -> list[dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/.harness/probe", timeout=2) as answer:
            listed: list[dict[str, Any]] = json.load(answer)["workers"]
            return listed
    except OSError:
        return []


def answered(port: int, request_id: int = 1) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/", headers={"x-harness-id": str(request_id)})
        return connection.getresponse().status == 200
    except (RemoteDisconnected, ConnectionResetError):
        return False
    finally:
        connection.close()


def wait_for(condition: Callable[[], bool], *, within_s: float = 15.0) -> bool:
    deadline_s = monotonic() + within_s
    while not condition():
        if monotonic() > deadline_s:
            return False
    return True
