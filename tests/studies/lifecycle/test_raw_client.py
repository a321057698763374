"""What the client without retries says of answers of every kind, and of none."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from studies.lifecycle.raw_client import Fate, RawClient


def served_once(answer: bytes, *, stays: bool) -> int:
    """The port of a server that gives one answer, and then ends the connection or keeps it open."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener, listener.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(answer)
            if stays:
                # Until the client has had enough.
                connection.recv(1)

    threading.Thread(target=serve, daemon=True).start()
    return int(listener.getsockname()[1])


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
    with RawClient(served_once(answer, stays=stays)).sent("/work") as connection:
        reply = connection.reply(0.2)
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
