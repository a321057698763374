"""Odd requests as bytes, and a client that keeps every byte of what comes back."""

from __future__ import annotations

import base64
import json
import re
import socket
import struct
import time
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

PATIENCE_S = 2.0
KEY = base64.b64encode(b"0123456789abcdef").decode()
MASK = b"\x01\x02\x03\x04"
CLOSE = "Connection: close"

Say = Callable[[int], bytes]
"""From a port to everything that one client sees."""


def request(line: str, *headers: str, body: bytes = b"", numbered: bool) -> bytes:
    head = [line, "Host: odd.test", *(("X-Harness-Id: 7",) if numbered else ()), *headers]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def steady(answer: bytes) -> bytes:
    """Without the date, the one thing that may differ."""
    return re.sub(rb"(?i)(\r\ndate: )[^\r]*", rb"\1-", answer)


def spoken(port: int, *sent: bytes, until: bytes | None = None) -> bytes:
    """What a server answers on one connection, until it closes, or `until` is there and we close."""
    with connected(port) as connection:
        with suppress(ConnectionError):  # it may have closed already
            for piece in sent:
                connection.sendall(piece)
        return steady(heard(connection, lambda so_far: until is not None and until in so_far))


def in_turn(port: int, first: bytes, then: bytes) -> bytes:
    """The second is sent once the first is answered: a server that ends the connection may have read what
    came with the first, or not.
    """
    with connected(port) as connection:
        connection.sendall(first)
        said = heard(connection, whole)
        with suppress(ConnectionError):  # it may have closed already
            connection.sendall(then)
        return steady(said + heard(connection, lambda _: False))


def conversed(port: int, asked: bytes, *frames: bytes) -> bytes:
    """A WebSocket: each frame is sent once what came before it is answered. A refusal ends at its length."""
    with connected(port) as connection:
        connection.sendall(asked)
        said = heard(connection, whole)
        if not said.startswith(b"HTTP/1.1 101"):
            return steady(said)
        with suppress(ConnectionError):
            for place, one in enumerate(frames, start=1):
                connection.sendall(one)
                said += heard(connection, bool if place < len(frames) else lambda _: False)
        return steady(said)


def whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    return bool(end) and (length is None or len(body) >= int(length[1]))


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), PATIENCE_S)


def heard(connection: socket.socket, enough: Callable[[bytes], bool]) -> bytes:
    said = b""
    while not enough(said):
        try:
            piece = connection.recv(65536)
        except (ConnectionResetError, TimeoutError):
            # How a connection ends is the kernel's doing, and some servers leave open what they refuse.
            break
        if not piece:
            break
        said += piece
    return said


def told(port: int, key: str, last: str) -> bytes:
    """What the app keeps under `key`, once something that begins with `last` is in it."""
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        with connected(port) as connection:
            connection.sendall(request(f"GET /seen?key={key} HTTP/1.1", CLOSE, numbered=False))
            answer = heard(connection, whole)
        seen = json.loads(answer.rpartition(b"\r\n\r\n")[2] or b"[]")
        if any(one.startswith(last) for one in seen) or time.monotonic() > deadline_s:
            return json.dumps(seen).encode()
        time.sleep(0.01)


def frame(opcode: int, payload: bytes) -> bytes:
    """One masked frame of a client (RFC 6455, section 5.2)."""
    masked = bytes(byte ^ MASK[index % 4] for index, byte in enumerate(payload))
    length = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + struct.pack(">H", len(payload))
    return bytes([0x80 | opcode]) + length + MASK + masked


def upgrade(path: str, *headers: str, numbered: bool) -> bytes:
    line = f"GET {path} HTTP/1.1"
    asked = (
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Version: 13",
    )
    return request(line, *asked, *headers, numbered=numbered)


LEAVE = frame(8, struct.pack(">H", 1000))
ODD_LINES = (
    *(
        "GET / HTTP/1.1",
        "GET /raw/scope_dump/a/b?x=1&x=2&empty= HTTP/1.1",
        "GET /raw/scope_dump/%C3%A4%2F%20b HTTP/1.1",
    ),
    *("GET /path/%FF%FE?q=%FF HTTP/1.1", "GET //double//slash HTTP/1.1", "GET /path/../up/./here HTTP/1.1"),
    *(
        "GET http://other.test/raw/scope_dump/ HTTP/1.1",
        "GET /path/?question?mark HTTP/1.1",
        "OPTIONS * HTTP/1.1",
    ),
    *("HEAD /teapot HTTP/1.1", "HEAD /stream HTTP/1.1", "OPTIONS /echo HTTP/1.1", "PROPFIND /echo HTTP/1.1"),
    *("POST /teapot HTTP/1.1", "GET /folder HTTP/1.1", "GET /folder/ HTTP/1.1", "GET /redirect HTTP/1.1"),
    *("GET /nothing HTTP/1.1", "GET /not_modified HTTP/1.1", "GET /handler_raises HTTP/1.1"),
    *(
        "GET /middleware-raises HTTP/1.1",
        "GET /raw/raises_at_once/ HTTP/1.1",
        "GET /raw/raises_late/ HTTP/1.1",
    ),
    *("GET /raw/answers_nothing/ HTTP/1.1", "GET /raw/too_short/ HTTP/1.1", "GET /raw/odd_chunks/ HTTP/1.1"),
    *(
        "GET /raw/trailing/ HTTP/1.1",
        "GET /raw/early_hint/ HTTP/1.1",
        "GET /stream HTTP/1.1",
        "GET /sync_stream HTTP/1.1",
    ),
    *(
        "GET /events HTTP/1.1",
        "GET /state HTTP/1.1",
        "GET /below/state HTTP/1.1",
        "GET /below/deeper/x HTTP/1.1",
    ),
    *("GET /in_a_thread HTTP/1.1", "GET /app_attributes HTTP/1.1", "GET /background_raises HTTP/1.1"),
    *("GET /.harness/other HTTP/1.1", "POST /.harness/probe HTTP/1.1", "GET /.harness/probe/more HTTP/1.1"),
    *("GET /stream HTTP/1.0", "GET /teapot HTTP/1.0", "BREW /echo HTTP/1.1", "GET /zipped/large HTTP/1.1"),
    *("GET /seen?key=lifespan HTTP/1.1", "GET /no/such/path HTTP/1.1", "GET /socket_echo HTTP/1.1"),
)


def cases(*, numbered: bool) -> Mapping[str, Say]:
    """Every conversation by its name. `numbered`: with the header that the wrapper counts by."""
    return dict(_cases(numbered))


def _cases(numbered: bool) -> Iterator[tuple[str, Say]]:
    def asked(line: str, *headers: str, body: bytes = b"", close: bool = True) -> bytes:
        return request(line, *headers, *((CLOSE,) if close else ()), body=body, numbered=numbered)

    def once(*sent: bytes) -> Say:
        return lambda port: spoken(port, *sent)

    for line in ODD_LINES:
        yield line, once(asked(line))
    yield from _with_headers(asked, once)
    yield from _with_bodies(asked, once)
    yield from _on_one_connection(asked, once)
    yield from _seen_by_the_app(asked, numbered)
    yield from _sockets(numbered)


def _with_headers(asked, once):
    dump = "GET /raw/scope_dump/ HTTP/1.1"
    yield "twice the same header", once(asked(dump, "X-A: 1", "x-a: 2", "Cookie: a=1", "Cookie: b=2"))
    yield (
        "odd values",
        once(asked(dump, "X-Empty:", "X-Spaces:   padded  ", "X-Latin: \xe4\xff", "X-Case: MiXeD")),
    )
    yield "a long header", once(asked(dump, "X-Long: " + "v" * 6000))
    yield "gzip", once(asked("GET /zipped/large HTTP/1.1", "Accept-Encoding: gzip"))
    yield (
        "forwarded",
        once(asked("GET /folder HTTP/1.1", "X-Forwarded-Proto: https", "X-Forwarded-For: 192.0.2.1")),
    )
    yield "an id that is none", once(asked(dump, "X-Harness-Id: seven"))
    yield "a second id", once(asked(dump, "X-Harness-Id: 8"))
    yield "no host", once(b"GET /teapot HTTP/1.1\r\nConnection: close\r\n\r\n")
    yield "no request at all", once(b"\x16\x03\x01 nonsense\r\n\r\n")


def _with_bodies(asked, once):
    def post(path, *headers, body=b""):
        return once(asked(f"POST {path} HTTP/1.1", *headers, body=body))

    body = bytes(range(256)) * 20
    length = f"Content-Length: {len(body)}"
    chunked = (
        b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (b"a", b"bc" * 300, b"d")) + b"0\r\n\r\n"
    )
    zipped = zlib.compress(body)
    yield "echo", post("/echo", length, body=body)
    yield "an empty body", post("/echo", "Content-Length: 0")
    yield "no length", post("/echo")
    yield "chunked", post("/echo", "Transfer-Encoding: chunked", body=chunked)
    yield "received in pieces", post("/raw/receives/", "Content-Length: 300000", body=b"x" * 300_000)
    yield (
        "compressed body",
        post("/echo", "Content-Encoding: deflate", f"Content-Length: {len(zipped)}", body=zipped),
    )
    yield "expects 100", post("/echo", "Expect: 100-continue", length, body=body)
    yield "unread", post("/leaves_body_unread", length, body=body)
    yield "a body of GET", once(asked("GET /echo HTTP/1.1", "Content-Length: 3", body=b"abc"))
    yield (
        "a form",
        post(
            "/form", "Content-Type: application/x-www-form-urlencoded", "Content-Length: 9", body=b"a=1&b=%C3"
        ),
    )
    part = b'--x\r\ncontent-disposition: form-data; name="f"; filename="a.txt"\r\n\r\ntext\r\n--x--\r\n'
    kind = "Content-Type: multipart/form-data; boundary=x"
    yield "a file", post("/form", kind, f"Content-Length: {len(part)}", body=part)


def _on_one_connection(asked, once):
    last = asked("GET /teapot HTTP/1.1")
    one, other = (asked(f"GET {path} HTTP/1.1", close=False) for path in ("/state", "/stream"))
    body = asked("POST /echo HTTP/1.1", "Content-Length: 3", body=b"abc", close=False)
    unread = asked("POST /leaves_body_unread HTTP/1.1", "Content-Length: 3", body=b"abc", close=False)
    yield "keep-alive", once(one, other, body, last)
    yield "pipelined", once(one + other + body + last)
    yield "unread, then another", once(unread, last)
    old = asked("GET /state HTTP/1.0", "Connection: keep-alive", close=False)
    yield "HTTP/1.0, kept alive", lambda port: in_turn(port, old, last)


def _seen_by_the_app(asked, numbered):
    """What a client cannot see, each under a key of its own."""

    def cut(sent: Callable[[str], bytes], last: str, *, after: bytes = b"", begun: str = "") -> Say:
        """A client that is gone once it heard `after`, or the app has `begun`. The rest is chance."""

        def say(port: int) -> bytes:
            key = uuid.uuid4().hex
            with connected(port) as connection:
                connection.sendall(sent(key))
                if begun:
                    told(port, key, begun)
                answered = heard(connection, lambda so_far: after in so_far)[: len(after)]
            return answered + b"; the app saw " + told(port, key, last)

        return say

    def whole(path: str, last: str) -> Say:
        def say(port: int) -> bytes:
            key = uuid.uuid4().hex
            return spoken(port, asked(f"GET {path}{key} HTTP/1.1")) + told(port, key, last)

        return say

    def upload(key: str) -> bytes:
        return asked(f"POST /upload_cut?key={key} HTTP/1.1", "Content-Length: 1000", body=b"x" * 10)

    def endless(key: str) -> bytes:
        return asked(f"GET /endless?key={key} HTTP/1.1")

    def waiting(key: str) -> bytes:
        return asked(f"GET /raw/waits_for_disconnect/?{key} HTTP/1.1")

    def streaming(key: str) -> bytes:
        return upgrade(f"/socket_stream?key={key}", numbered=numbered)

    yield "gone from a stream", cut(endless, "stream left", after=b"HTTP/1.1 200 ")
    yield "gone before the answer", cut(waiting, "http.disconnect", begun="waiting")
    yield "gone in the middle of its body", cut(upload, "client went away", begun="reading")
    yield "a socket whose client vanishes", cut(streaming, "gone", after=b'"number"')
    yield "a task after the answer", whole("/background?key=", "task ran")
    yield "received after the end", whole("/raw/after_the_end/?", "then received")


def _sockets(numbered):
    def talk(path: str, *frames: bytes, headers: tuple[str, ...] = (), last: str = "") -> Say:
        def say(port: int) -> bytes:
            key = uuid.uuid4().hex
            asked = upgrade(f"{path}?key={key}", *headers, numbered=numbered)
            said = conversed(port, asked, *frames)
            return said + told(port, key, last) if last else said

        return say

    text, data = frame(1, "gr\xfc\xdf".encode()), frame(2, bytes(range(200)))
    yield "echo in a socket", talk("/socket_echo", text, data, frame(9, b"ping"), LEAVE, last="closed")
    protocols = ("Sec-WebSocket-Protocol: chat, superchat",)
    yield "a subprotocol", talk("/socket_echo", LEAVE, headers=protocols)
    yield "a socket that the app closes", talk("/socket_echo", frame(1, b"close"), LEAVE)
    yield "a socket whose handler raises", talk("/socket_echo", frame(1, b"raise"), LEAVE)
    yield "a socket refused", talk("/socket_refused")
    yield "a socket denied", talk("/socket_denied")
    yield "no such socket", talk("/no_such_socket")
    yield "told by a socket", talk("/socket_stream", LEAVE)
