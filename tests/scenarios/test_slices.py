"""Loads with pauses between their spans, by the real agent against a server in this process."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import suppress
from typing import Any, Self

import numpy as np
import pytest

from scenarios.loadkit.window import timetable_of
from tests.scenarios.agent_process import DRIVE, AgentProcess, assert_conserved
from tests.scenarios.scripted_server import ScriptedServer
from wire.loads import Drive
from wire.messages import operation_of

pytestmark = pytest.mark.process

SPANS = [[0.0, 0.3], [0.6, 0.9], [1.5, 1.8]]
SLICES: dict[str, Any] = {"spans_s": SPANS, "ramp_s": 0.05}


@pytest.mark.parametrize(
    "load",
    [
        {"kind": "closed", "clients": 4},
        {"kind": "open", "rate_per_s": 200.0, "arrivals": "poisson"},
        {"kind": "open", "rate_per_s": 200.0, "arrivals": "constant"},
    ],
)
def test_nothing_is_sent_between_the_spans_and_every_span_is_told(load: dict[str, Any]) -> None:
    with ScriptedServer() as server, AgentProcess() as agent:
        agent.ready(server.base_url)
        start_s = time.monotonic() + 1.0
        totals, arrays = agent.drive(**SLICES, load=load, start_at_s=start_s)
    assert_conserved(totals)
    assert totals["ok"] == totals["scheduled"] == len(server.ids)
    np.testing.assert_allclose(arrays["span_start_s"] - start_s, [0.05, 0.65, 1.55], atol=1e-6)
    np.testing.assert_allclose(arrays["span_end_s"] - start_s, [0.3, 0.9, 1.8], atol=1e-6)
    assert arrays["span_answered"].sum() == totals["ok"]
    assert arrays["generator_cpu_share"].shape == (3,)
    offsets_s = arrays["sent_s"] - start_s
    place = np.searchsorted([begin_s for begin_s, _ in SPANS], offsets_s, side="right") - 1
    ends_s = np.array([end_s for _, end_s in SPANS])
    # A closed loop sends nothing after the end of a span; what is late of an open one is soon sent.
    assert (offsets_s < ends_s[place] + 0.1).all()
    assert set(place.tolist()) == {0, 1, 2}


class ShortOfPatience:
    """Closes a connection that has been idle for `idle_s`, as keep-alive limits do."""

    def __init__(self, idle_s: float) -> None:
        self.connected_s: list[float] = []
        self._idle_s = idle_s

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.base_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(timeout=10)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connected_s.append(time.monotonic())
                self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(self._idle_s)
        with connection, suppress(TimeoutError):
            while received := connection.recv(65536):
                body = b'{"workers": [{"pid": 1}]}' if b"/probe" in received else b'{"message": "hello"}'
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))


def test_a_connection_that_was_closed_in_the_pause_is_opened_again_before_the_span() -> None:
    with ShortOfPatience(idle_s=0.2) as server, AgentProcess() as agent:
        agent.ready(server.base_url)
        spans = [[0.0, 0.3], [1.0, 1.3], [2.0, 2.3]]
        load = {"kind": "closed", "clients": 1}
        start_s = time.monotonic() + 1.0
        totals, _ = agent.drive(spans_s=spans, ramp_s=0.05, load=load, start_at_s=start_s)
    assert totals["ok"] == totals["scheduled"]
    before_spans_s = [at_s - start_s for at_s in server.connected_s if at_s > start_s + 0.5]
    assert len(before_spans_s) == 2
    # Accepted on a busy machine: it may take a moment until the server gets to it.
    for connected_s, (begin_s, _) in zip(before_spans_s, spans[1:], strict=True):
        assert begin_s - 0.5 < connected_s < begin_s + 0.2


def test_results_wait_until_all_others_are_through_too() -> None:
    with ScriptedServer() as server, AgentProcess() as agent:
        agent.ready(server.base_url)
        start_s = time.monotonic() + 0.5
        agent.drive(spans_s=[[0.0, 0.2], [0.3, 0.5]], ramp_s=0.05, start_at_s=start_s, rest_until_s=1.5)
        assert time.monotonic() >= start_s + 1.5


def test_the_others_are_through_by_the_common_start_whoever_has_the_first_turn() -> None:
    """An agent whose own first turn came late rested for so much longer."""
    message = {**DRIVE, "spans_s": [[2.0, 2.2], [3.0, 3.2]], "ramp_s": 0.05, "start_at_s": 100.0}
    load = operation_of(json.dumps({**message, "rest_until_s": 5.0}))
    assert isinstance(load, Drive)
    timetable = timetable_of(load, now_s=99.0)
    assert timetable.start_s == 102.0
    assert timetable.rest_until_s == 105.0


def test_turns_that_have_begun_already_are_refused_rather_than_shifted_into_those_of_others() -> None:
    with ScriptedServer() as server, AgentProcess() as agent:
        agent.ready(server.base_url)
        kind, text = agent.error(**{**DRIVE, **SLICES, "start_at_s": time.monotonic() - 0.5})
        assert kind == "TooLate"
        assert "too busy" in text
