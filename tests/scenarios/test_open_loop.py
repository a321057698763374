"""The open loop's connections: what a slow, a large or a closed one does to the requests of the others."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import pytest

from tests.scenarios.agent_process import READY, AgentProcess, assert_conserved

pytestmark = pytest.mark.process

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
LARGE = 8 * 1024 * 1024


class Slow:
    """Answers each request, reads a large body only after a while, and ends idle connections."""

    def __init__(self, *, hold_s: float = 0.0, keep_alive_s: float = 60.0) -> None:
        """Seconds before it reads a large body, and those after which it ends an idle connection."""
        self.hold_s, self.keep_alive_s = hold_s, keep_alive_s
        self.connections = 0

    def serve(self, connection: socket.socket) -> None:
        self.connections += 1
        connection.settimeout(self.keep_alive_s)
        with connection, suppress(OSError), connection.makefile("rb") as stream:
            while line := stream.readline():
                length = 0
                while (header := stream.readline()) not in (b"\r\n", b""):
                    name, _, value = header.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                if b"large" in line:
                    time.sleep(self.hold_s)
                stream.read(length)
                connection.sendall(OK)


@contextmanager
def listening(server: Slow) -> Iterator[str]:
    """Its base_url."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=server.serve, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def ready(agent: AgentProcess, base_url: str, *requests: dict[str, Any]) -> None:
    agent.own(*requests)
    agent.result(**{**READY, "base_url": base_url, "ready": "/", "inside": False})


def test_a_body_that_has_to_wait_holds_back_nobody_else(agent: AgentProcess) -> None:
    server = Slow(hold_s=0.6)
    large = {"path": "/large", "method": "POST", "body": "x" * LARGE, "weight": 1}
    with listening(server) as base_url:
        ready(agent, base_url, {"path": "/", "weight": 9}, large)
        load = {"kind": "open", "rate_per_s": 40.0, "arrivals": "constant"}
        totals, arrays = agent.drive(load=load, warmup_s=0.0, measure_s=1.0)
    assert_conserved(totals)
    assert totals["ok"] == 40
    took_s = arrays["finished_s"] - arrays["intended_s"]
    assert (took_s > 0.5).any(), "no large one among them"
    assert np.median(took_s) < 0.3


def test_a_connection_that_the_server_has_closed_while_it_had_nothing_to_do_costs_no_request(
    agent: AgentProcess,
) -> None:
    server = Slow(keep_alive_s=0.2)
    with listening(server) as base_url:
        ready(agent, base_url, {"path": "/"})
        load = {"kind": "open", "rate_per_s": 2.0, "arrivals": "constant"}
        before = server.connections
        totals, _ = agent.drive(load=load, warmup_s=0.0, measure_s=2.0)
    assert totals["ok"] == totals["scheduled"] == 4
    assert server.connections - before == 4


def test_few_connections_serve_many_requests(agent: AgentProcess) -> None:
    server = Slow()
    with listening(server) as base_url:
        ready(agent, base_url, {"path": "/"})
        load = {"kind": "open", "rate_per_s": 500.0, "arrivals": "poisson"}
        before = server.connections
        totals, _ = agent.drive(load=load, warmup_s=0.0, measure_s=1.0)
    assert totals["ok"] == totals["scheduled"] > 400
    assert server.connections - before < 50
