"""Requests as bytes: as much as can be is made before the load, and joined when a request is due."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Protocol
from uuid import uuid4

from scenarios.loadkit.accepted import Checker
from scenarios.loadkit.client import SendOnceClient
from scenarios.loadkit.errors import BadRequest
from scenarios.loadkit.request import NO_VALUES, Request
from scenarios.loadkit.template import UUID_MARK, Values, as_text, fill_path, fill_text, names_in
from wire.workloads import UUID

MAX_BYTES = 256 * 1024 * 1024
ID_HEADER = b"x-harness-id: "
BODY_METHODS = ("POST", "PUT", "PATCH")

Part = Sequence[bytes]
"""One for all requests of a kind, or one for each row."""


class Budget:
    """The bytes that may be kept ready, all kinds and clients together."""

    def __init__(self, left: int = MAX_BYTES) -> None:
        self.left = left

    def take(self, size: int, request: Request) -> None:
        """Raises BadRequest."""
        self.left -= size
        if self.left < 0:
            raise BadRequest(
                f"{request.label}: the requests come to more than {MAX_BYTES >> 20} MiB, and all are "
                f"kept ready; use fewer rows of data, fewer clients or shorter bodies"
            )


class Outgoing(Protocol):
    """One kind of request of one client, ready to be sent."""

    checker: Checker

    def next(self, request_id: int) -> tuple[bytes, Values]:
        """The bytes of a request under this id, and the values of the variables in it."""
        ...


class Fixed:
    """The same bytes each time, but for the id."""

    __slots__ = ("_head", "_tail", "checker")

    def __init__(self, head: bytes, tail: bytes, checker: Checker) -> None:
        self._head, self._tail, self.checker = head, tail, checker

    def next(self, request_id: int) -> tuple[bytes, Values]:
        return b"%b%d%b" % (self._head, request_id, self._tail), NO_VALUES


class Varying:
    """Other bytes for each row, and a new UUID in each request where there is one."""

    __slots__ = ("_kept", "_parts", "_rows", "_turn", "checker")

    def __init__(self, parts: tuple[Part, Part, Part], *, kept: Values, rows: Rows, checker: Checker) -> None:
        self._parts, self._kept, self._rows, self.checker = parts, kept, rows, checker

    def next(self, request_id: int) -> tuple[bytes, Values]:
        row = self._rows.next()
        line, head, tail = (part[row] if len(part) > 1 else part[0] for part in self._parts)
        data = b"%b%b%d%b" % (line, head, request_id, tail)
        values: Values = NO_VALUES
        if self.checker.needs_values:
            values = {**self._kept, **self._rows.values[row]}
        if self._rows.unique:
            made = str(uuid4())
            data = data.replace(UUID_MARK.encode(), made.encode())
            values = {**values, UUID: made} if self.checker.needs_values else values
        return data, values


class Rows:
    """The rows of a kind of request, taken in turn by all clients of the process together."""

    __slots__ = ("next", "unique", "values")

    def __init__(self, request: Request, *, unique: bool) -> None:
        self.values: Sequence[Values] = request.rows or (NO_VALUES,)
        self.unique = unique
        turn: Iterator[int] = cycle(range(len(self.values)))
        self.next: Callable[[], int] = turn.__next__


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a request: how to make its bytes, and the names of the variables in it."""

    names: frozenset[str]
    make: Callable[[Values], bytes]


class Prepared:
    """One kind of request to one server. What does not depend on the client is made once, here.

    Raises BadRequest for more rows or bytes than can be kept ready.
    """

    def __init__(
        self, request: Request, client: SendOnceClient, *, kept: frozenset[str], budget: Budget
    ) -> None:
        self.request, self.checker = request, Checker(request)
        self._columns = frozenset(request.rows[0]) if request.rows else frozenset()
        self._kept = kept
        self._pieces = pieces(request, client)
        names = frozenset().union(*(piece.names for piece in self._pieces))
        self._rows = Rows(request, unique=UUID in names)
        self._varies = bool(names & self._columns) or self._rows.unique or self.checker.needs_values
        self.of_clients = bool(names & kept) or (self.checker.needs_values and bool(kept))
        self._shared = [
            None if piece.names & kept else self._made(piece, NO_VALUES, budget) for piece in self._pieces
        ]

    def outgoing(self, kept: Values, budget: Budget) -> Outgoing:
        """For a client with these kept values."""
        line, head, tail = (
            self._made(piece, kept, budget) if shared is None else shared
            for piece, shared in zip(self._pieces, self._shared, strict=True)
        )
        if not self._varies:
            return Fixed(line[0] + head[0], tail[0], self.checker)
        return Varying((line, head, tail), kept=kept, rows=self._rows, checker=self.checker)

    def _made(self, piece: _Piece, kept: Values, budget: Budget) -> Part:
        rows = self._rows.values if piece.names & self._columns else (NO_VALUES,)
        made: list[bytes] = []
        for row in rows:
            made.append(piece.make({UUID: UUID_MARK, **kept, **row}))
            budget.take(len(made[-1]), self.request)
        return made


def whole(request: Request, client: SendOnceClient, values: Values) -> bytes:
    """A single request without an id, which stays out of the server's count of the load."""
    filled = {UUID: str(uuid4()), **values}
    line, head, tail = (piece.make(filled) for piece in pieces(request, client))
    return line + head.removesuffix(ID_HEADER) + tail.removeprefix(b"\r\n")


def first_values(request: Request, kept: Values) -> Values:
    """The kept values with the first row's."""
    return {**kept, **request.rows[0]} if request.rows else kept


def pieces(request: Request, client: SendOnceClient) -> tuple[_Piece, _Piece, _Piece]:
    """Request line; headers up to the id; what follows the id."""
    headers = dict(request.headers)

    def line(values: Values) -> bytes:
        return f"{request.method} {fill_path(request.path, values)} HTTP/1.1\r\n".encode("ascii")

    def head(values: Values) -> bytes:
        filled = {name: fill_text(as_text(value), values) for name, value in headers.items()}
        try:
            return client.header_lines(filled) + ID_HEADER
        except BadRequest as error:
            raise BadRequest(f"{request.label}: {error}") from error

    return (
        _Piece(frozenset(names_in(request.path)), line),
        _Piece(frozenset(names_in(headers)), head),
        _Piece(frozenset(names_in(request.body.template)), lambda values: _tail(request, headers, values)),
    )


def _tail(request: Request, headers: Mapping[str, str], values: Values) -> bytes:
    """The headers that depend on the body, unless the request has its own, and the body."""
    given = {name.lower() for name in headers}
    data, content_type = request.body.content(values)
    lines = b""
    if content_type and "content-type" not in given:
        lines += f"Content-Type: {content_type}\r\n".encode("latin-1")
    if (data or request.method in BODY_METHODS) and "content-length" not in given:
        lines += b"Content-Length: %d\r\n" % len(data)
    return b"\r\n%b\r\n%b" % (lines, data)
