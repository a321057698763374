"""A server for a team's own requests: remembers all that came, and answers as the path says."""

from __future__ import annotations

import gzip
import json
import socketserver
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

OK = "HTTP/1.1 200 OK\r\n"


@dataclass(frozen=True)
class Seen:
    """One request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def numbered(self) -> bool:
        return "x-harness-id" in self.headers


def answer(body: bytes = b"", *, status: str = "200 OK", headers: str = "") -> bytes:
    """`headers` are whole lines."""
    return f"HTTP/1.1 {status}\r\n{headers}content-length: {len(body)}\r\n\r\n".encode("latin-1") + body


def as_json(value: object, *, status: str = "200 OK", headers: str = "") -> bytes:
    return answer(json.dumps(value).encode(), status=status, headers=headers)


def coded(body: bytes, coding: str) -> bytes:
    return answer(body, headers=f"content-encoding: {coding}\r\n")


THING = b'{"thing": [1, 2]}'
BARE = zlib.compressobj(wbits=-zlib.MAX_WBITS)
FIXED: Mapping[str, bytes] = {
    "/thing": answer(THING),
    "/gzip": coded(gzip.compress(THING), "gzip"),
    "/zlib": coded(zlib.compress(THING), "deflate"),
    "/deflate": coded(BARE.compress(THING) + BARE.flush(), "deflate"),
    "/not-gzip": coded(b"plain", "gzip"),
    "/chunked": f"{OK}transfer-encoding: chunked\r\n\r\n".encode()
    + b'5\r\n{"thi\r\nc\r\nng": [1, 2]}\r\n0\r\n\r\n',
    "/until-closed": f"{OK}connection: close\r\n\r\n".encode() + THING,
    "/continue": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + answer(THING),
    "/created": as_json({"id": 7}, status="201 Created"),
    "/empty": b"HTTP/1.1 204 No Content\r\n\r\n",
    "/same": b"HTTP/1.1 304 Not Modified\r\ncontent-length: 17\r\n\r\n",
    "/slash": answer(status="307 Temporary Redirect", headers="location: http://127.0.0.1/slash/\r\n"),
    "/moved": answer(status="302 Found", headers="location: /elsewhere\r\n"),
    "/private": as_json({"detail": "who are you?"}, status="401 Unauthorized"),
    "/picky": as_json({"detail": "qty is missing"}, status="422 Unprocessable Content"),
    "/deep": answer(b"[" * 100_000),
    "/latin": answer(b"\xff\xfe{}"),
    "/twice": answer(THING) + answer(b"again"),
    "/broken": f"{OK}content-length: 10\r\n\r\nabc".encode(),
    "/nonsense": b"hello\r\n\r\n",
    "/head": f"{OK}content-length: 17\r\nx-total: 3\r\n\r\n".encode(),
    "/too-large": answer(b"too large", status="413 Content Too Large", headers="connection: close\r\n"),
}
CLOSING = ("/until-closed", "/broken", "/nonsense", "/too-large")


class OddServer:
    """A thread for each connection. `paths` adds answers of the test's own, made from what came."""

    def __init__(self, **paths: Callable[[Seen], bytes]) -> None:
        self.seen: list[Seen] = []
        self.paths = {f"/{name}": make for name, make in paths.items()}

    def __enter__(self) -> Self:
        odd = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                odd.converse(self)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address, daemon_threads, block_on_close = True, True, False

        self._server = Server(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)

    def converse(self, connection: socketserver.StreamRequestHandler) -> None:
        while request := self._read(connection):
            path = request.path.partition("?")[0]
            self.seen.append(request)
            make = self.paths.get(path)
            connection.wfile.write(make(request) if make else FIXED.get(path, answer(status="404 Not Found")))
            if path in CLOSING:
                return

    def of(self, path: str) -> list[Seen]:
        """What came for a path, its query aside."""
        return [request for request in self.seen if request.path.partition("?")[0] == path]

    @staticmethod
    def _read(connection: socketserver.StreamRequestHandler) -> Seen | None:
        try:
            line = connection.rfile.readline().decode("latin-1")
            if not line:
                return None
            method, path, _ = line.split()
            headers: dict[str, str] = {}
            while (header := connection.rfile.readline().decode("latin-1").strip()) != "":
                name, _, value = header.partition(":")
                headers[name.lower()] = value.strip()
            body = connection.rfile.read(int(headers.get("content-length", 0)))
        except ConnectionError:
            return None
        return Seen(method, path, headers, body)


def slowly(seconds: float, data: bytes) -> Callable[[Seen], bytes]:
    """An answer after a while."""

    def make(_: Seen) -> bytes:
        time.sleep(seconds)
        return data

    return make
