"""A client that dials a port nobody listens on may be given that same port, and be connected to itself."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from harness.adapters.raw_client import Fate, RawClient


def test_a_client_that_reached_itself_was_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def to_itself(*_: Any) -> socket.socket:
        connection = socket.socket()
        connection.bind(("127.0.0.1", 0))
        connection.connect(connection.getsockname())
        return connection

    monkeypatch.setattr(socket, "create_connection", to_itself)
    assert RawClient(1).look("/").fate is Fate.REFUSED
