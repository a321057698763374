"""Every fate of a request is distinguished, and no request is ever sent twice."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import pytest

from studies.lifecycle.raw_client import Fate, RawClient
from tests.adapters.containers import eventually
from tests.scenarios.scripted_server import BODY, ScriptedServer

WITHIN_S = 5.0
HANG_S = 0.3


def client_of(server: ScriptedServer) -> RawClient:
    return RawClient(int(server.base_url.rpartition(":")[2]))


@contextmanager
def listening(handle: Callable[[socket.socket], None]) -> Iterator[RawClient]:
    """A server that does one thing to its only connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                handle(connection)

        thread = Thread(target=serve)
        thread.start()
        yield RawClient(listener.getsockname()[1])
        thread.join(WITHIN_S)


def reset(connection: socket.socket) -> None:
    connection.recv(1024)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize(
    ("script", "fate"),
    [
        ("ok", Fate.ANSWERED),
        ("error", Fate.ANSWERED),
        ("truncated", Fate.CLOSED),
        ("close", Fate.CLOSED),
        ("hang", Fate.HUNG),
        ("trickle", Fate.HUNG),
    ],
)
def test_a_request_is_sent_once_and_its_fate_told(script: str, fate: Fate) -> None:
    with ScriptedServer(lambda _: script) as server, client_of(server).sent("/") as connection:
        reply = connection.reply(WITHIN_S if fate is not Fate.HUNG else HANG_S)
        assert reply.fate is fate
        assert reply.ok is (script == "ok")
        assert server.ids == [1]


def test_an_answer_has_status_headers_and_body() -> None:
    with ScriptedServer() as server, client_of(server).sent("/") as connection:
        reply = connection.reply(WITHIN_S)
        assert (reply.status, reply.body) == (200, BODY)
        assert reply.headers["content-length"] == str(len(BODY))


def test_a_connection_that_stands_is_used_again_and_every_request_has_an_id_of_its_own() -> None:
    with ScriptedServer() as server:
        client = client_of(server)
        with client.open() as connection:
            for _ in range(3):
                client.send(connection, "/")
                assert connection.reply(WITHIN_S).ok
            assert not connection.ended
        assert server.ids == [1, 2, 3]


def test_a_look_has_no_number() -> None:
    with ScriptedServer() as server:
        assert client_of(server).look("/health/ready").ok
        assert server.ids == []


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with RawClient(port).sent("/") as connection:
        assert connection.reply(WITHIN_S).fate is Fate.REFUSED
        assert connection.ended


def test_a_reset_is_no_orderly_end() -> None:
    with listening(reset) as client, client.sent("/") as connection:
        assert connection.reply(WITHIN_S).fate is Fate.RESET


def test_an_ended_connection_is_seen_without_sending() -> None:
    with listening(lambda connection: None) as client, client.open() as connection:
        assert connection.reply(WITHIN_S).fate is Fate.CLOSED
        assert connection.ended


def test_the_client_may_come_from_another_address() -> None:
    seen: list[str] = []
    with listening(lambda connection: seen.append(connection.getpeername()[0])) as client:
        stranger = RawClient(client.port, source="127.0.0.2")
        with stranger.sent("/") as connection:
            connection.reply(WITHIN_S)
    assert seen == ["127.0.0.2"]


def test_an_answer_that_has_come_is_not_hung_however_late_one_looks() -> None:
    with ScriptedServer() as server, client_of(server).sent("/") as connection:
        assert eventually(lambda: connection.reply(0).fate is Fate.ANSWERED)


@pytest.mark.parametrize(
    ("answer", "stays", "fate", "status", "body"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", True, Fate.ANSWERED, 200, b"ok"),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            True,
            Fate.ANSWERED,
            200,
            b"ok",
        ),
        (b"HTTP/1.1 503 Unavailable\r\ncontent-length: 0\r\n\r\n", True, Fate.ANSWERED, 503, b""),
        (b"HTTP/1.0 200 OK\r\n\r\nok", False, Fate.ANSWERED, 200, b"ok"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok", False, Fate.CLOSED, None, b""),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok", True, Fate.HUNG, None, b""),
        (b"", False, Fate.CLOSED, None, b""),
        (b"no HTTP at all\r\n\r\n", True, Fate.CLOSED, None, b""),
    ],
)
def test_an_answer_is_whole_or_there_is_none(
    answer: bytes, stays: bool, fate: Fate, status: int | None, body: bytes
) -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(1024)
        connection.sendall(answer)
        if stays:
            # Until the client has had enough.
            connection.recv(1)

    with listening(serve) as client, client.sent("/work") as connection:
        reply = connection.reply(HANG_S)
    assert (reply.fate, reply.status, reply.body) == (fate, status, body)


def test_a_client_that_reached_itself_was_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that dials a port nobody listens on may be given that same port."""

    def to_itself(*_: Any) -> socket.socket:
        connection = socket.socket()
        connection.bind(("127.0.0.1", 0))
        connection.connect(connection.getsockname())
        return connection

    monkeypatch.setattr(socket, "create_connection", to_itself)
    assert RawClient(1).look("/").fate is Fate.REFUSED
