"""HTTP/1.1 over plain sockets: no retries, no redirects, no pool. What happens to a request is told as it is.

Clients that retry on a broken connection hide what a server loses: this one sends each request once,
with an id of its own, and says how it ended. It reads late on purpose: a scenario sends several requests,
does something to the server, and asks for the replies afterwards.
"""

from __future__ import annotations

import itertools
import json
import select
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Self

import h11

LOOPBACK = "127.0.0.1"
CONNECT_S = 5.0
"""Longer than the kernel's second retry (after 3 s), for a server whose accept queue is full for a moment."""
LAST_LOOK_S = 0.001
MAX_BYTES = 1 << 20
CHUNK_BYTES = 65_536


class Fate(StrEnum):
    """How a request ended."""

    ANSWERED = "answered"
    REFUSED = "refused"
    """No connection: nobody listens there. The client knows at once, and that nothing was done."""
    RESET = "reset"
    """The connection broke off with an error."""
    CLOSED = "closed"
    """The connection ended in good order, without a whole answer."""
    HUNG = "hung"
    """Nothing came, or not all of it, within the bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came of one request."""

    fate: Fate
    status: int | None = None
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = b""

    @property
    def ok(self) -> bool:
        return self.status == 200

    def json(self) -> dict[str, Any]:
        """The body of an answer. Raises ValueError when it is no JSON."""
        answer: dict[str, Any] = json.loads(self.body)
        return answer


class Connection:
    """One connection, made once. Its errors are the fate of the request they hit, never exceptions."""

    def __init__(self, port: int, *, source: str | None = None, timeout_s: float = CONNECT_S) -> None:
        self._host = f"{LOOPBACK}:{port}"
        self._socket: socket.socket | None = None
        self._failed: Fate | None = None
        try:
            # An address asked for comes with a port from the half of the range that servers get theirs from.
            source_address = (source, 0) if source else None
            self._socket = socket.create_connection((LOOPBACK, port), timeout_s, source_address)
        except OSError as error:
            self._failed = _fate_of(error)
            return
        if self._socket.getsockname() == self._socket.getpeername():
            # Nobody listened, and the client was given the very port it dialled: it has reached itself.
            self.close()
            self._failed = Fate.REFUSED

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def ended(self) -> bool:
        """Whether the other side has ended it, as far as a client can see without sending anything."""
        if self._socket is None:
            return True
        readable, _, _ = select.select([self._socket], [], [], 0)
        if not readable:
            return False
        try:
            return not self._socket.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def send(
        self,
        method: str,
        path: str,
        *,
        request_id: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send one request without a body; `reply` tells what came of it."""
        if self._socket is None:
            return
        lines = {"host": self._host, "content-length": "0", **(headers or {})}
        if request_id is not None:
            lines["x-harness-id"] = str(request_id)
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        try:
            self._socket.sendall(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("ascii"))
        except OSError as error:
            self._failed = _fate_of(error)

    def reply(self, within_s: float) -> Reply:
        """The answer to the request sent last, or its fate after `within_s` at most."""
        if self._failed is not None or self._socket is None:
            return _no_reply(self._failed or Fate.RESET)
        try:
            return _read(self._socket, time.monotonic() + within_s)
        except OSError as error:
            return _no_reply(_fate_of(error))

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            self._failed = self._failed or Fate.CLOSED


class RawClient:
    """Makes connections to one server on loopback, and numbers its requests."""

    def __init__(self, port: int, *, source: str | None = None) -> None:
        """`source` is the client's own address where it is to be another one, for example 127.0.0.2."""
        self.port, self._source = port, source
        self._ids = itertools.count(1)

    def open(self, *, timeout_s: float = CONNECT_S) -> Connection:
        return Connection(self.port, source=self._source, timeout_s=timeout_s)

    def sent(self, path: str, *, headers: Mapping[str, str] | None = None) -> Connection:
        """A new connection with one numbered POST on its way."""
        connection = self.open()
        self.send(connection, path, headers=headers)
        return connection

    def send(self, connection: Connection, path: str, *, headers: Mapping[str, str] | None = None) -> None:
        """A numbered POST on a connection that stands; POST, which nobody between may send twice."""
        connection.send("POST", path, request_id=next(self._ids), headers=headers)

    def look(self, path: str, *, within_s: float = 2.0, headers: Mapping[str, str] | None = None) -> Reply:
        """GET on a connection of its own, without a number, so that the app's counters pass it over."""
        with self.open(timeout_s=within_s) as connection:
            connection.send("GET", path, headers={"connection": "close", **(headers or {})})
            return connection.reply(within_s)


def _read(sock: socket.socket, deadline_s: float) -> Reply:
    """One response. Raises OSError."""
    peer = h11.Connection(our_role=h11.CLIENT)
    # What it reads is the answer to a request, which it has not seen.
    peer.send(h11.Request(method="POST", target="/", headers=[("host", LOOPBACK)]))
    peer.send(h11.EndOfMessage())
    reply = _no_reply(Fate.CLOSED)
    while True:
        try:
            event = peer.next_event()
        except h11.RemoteProtocolError:
            # It broke off in the middle, or is no HTTP.
            return _no_reply(Fate.CLOSED)
        if event is h11.NEED_DATA:
            # What has come is taken even past the deadline: it may have been spent on other connections.
            sock.settimeout(max(LAST_LOOK_S, deadline_s - time.monotonic()))
            peer.receive_data(sock.recv(CHUNK_BYTES))
        elif isinstance(event, h11.Response):
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
            reply = Reply(fate=Fate.ANSWERED, status=event.status_code, headers=headers)
        elif isinstance(event, h11.Data):
            reply = replace(reply, body=reply.body + bytes(event.data))
            if len(reply.body) > MAX_BYTES:
                raise ValueError(f"a response of more than {MAX_BYTES} bytes; ask for less")
        elif isinstance(event, h11.EndOfMessage):
            return reply
        elif isinstance(event, h11.ConnectionClosed):
            return _no_reply(Fate.CLOSED)


def _no_reply(fate: Fate) -> Reply:
    return Reply(fate=fate, headers={})


def _fate_of(error: OSError) -> Fate:
    if isinstance(error, ConnectionRefusedError):
        return Fate.REFUSED
    return Fate.HUNG if isinstance(error, TimeoutError) else Fate.RESET
