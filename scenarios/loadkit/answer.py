"""One HTTP answer: parsed, and as the checks look at it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from geventhttpclient._parser import HTTPParseError, HTTPResponseParser

from wire.messages import DISCONNECTED, PORTLESS, REFUSED, TIMED_OUT

OK = 200
RIGHT = 200
"""What the record says of an answer that is as expected, whatever its own status."""

SWITCHING_PROTOCOLS = 101
GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
MAX_DECODED_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole HTTP answer, or how it failed to come (`status` < 0)."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    """Names in lower case; a name that came several times stands there several times."""

    def header(self, name: str) -> str | None:
        """All values of a header, joined by commas; None where it did not come."""
        values = [value for key, value in self.headers if key == name.lower()]
        return ", ".join(values) if values else None

    def cookie(self, name: str) -> str | None:
        """The value that the answer sets for a cookie."""
        for key, value in self.headers:
            pair = value.partition(";")[0]
            if key == "set-cookie" and pair.partition("=")[0].strip() == name:
                return pair.partition("=")[2].strip()
        return None

    def __str__(self) -> str:
        failures = {
            TIMED_OUT: "no answer in time",
            DISCONNECTED: "connection broken",
            REFUSED: "connection refused",
            PORTLESS: "no local port left",
        }
        return failures.get(self.status, f"status {self.status}")


class Parser(HTTPResponseParser):
    """Parses one final answer to its end, interim ones before it skipped; keeps its status and body."""

    complete = False
    status = 0
    body: bytes | bytearray = b""

    def __init__(self) -> None:
        super().__init__()
        self.received: list[bytes] = []

    def _on_message_begin(self) -> None:
        if self.complete:
            raise HTTPParseError("more than one answer to one request")

    def _on_message_complete(self) -> None:
        status = self.get_code()
        if status >= OK or status == SWITCHING_PROTOCOLS:
            self.complete, self.status = True, status

    def _on_body(self, data: bytearray) -> None:
        if self.body:
            self.body += data
        else:
            self.body = data

    def _on_headers_complete(self) -> bool:
        """Whether to skip a body."""
        return False

    def _skip(self, text: str) -> None:
        """The C parser requires every callback."""

    _on_status = _on_header_field = _on_header_value = _skip


class HeadParser(Parser):
    """Of the answer to HEAD: its headers tell of a body that does not come."""

    def _on_headers_complete(self) -> bool:
        return True


class _HeaderParser(Parser):
    """Keeps the headers of the final answer too."""

    def __init__(self, *, bodyless: bool) -> None:
        super().__init__()
        self.headers: list[list[str]] = []
        self._bodyless, self._in_name = bodyless, False

    def _on_message_begin(self) -> None:
        super()._on_message_begin()
        self.headers, self._in_name = [], False

    def _on_header_field(self, text: str) -> None:
        if self._in_name:
            self.headers[-1][0] += text
        else:
            self.headers.append([text, ""])
            self._in_name = True

    def _on_header_value(self, text: str) -> None:
        self.headers[-1][1] += text
        self._in_name = False

    def _on_headers_complete(self) -> bool:
        return self._bodyless


def whole_answer(response: Parser) -> Answer:
    """Everything in what a parser received, the body decoded as its headers say."""
    if not response.complete:
        return Answer(response.status)
    again = _HeaderParser(bodyless=isinstance(response, HeadParser))
    try:
        for data in response.received:
            again.feed(data)
    except HTTPParseError:
        # What follows a whole answer is not part of it.
        if not again.complete:
            raise
    headers = tuple((name.lower(), value) for name, value in again.headers)
    answer = Answer(again.status, bytes(again.body), headers)
    return Answer(answer.status, decoded(answer), headers)


def decoded(answer: Answer) -> bytes:
    """The body without its content coding; as it is where the coding is another one, or broken."""
    coding = (answer.header("content-encoding") or "").strip().lower()
    if coding not in ("gzip", "x-gzip", "deflate"):
        return answer.body
    # "deflate" means zlib's format; some servers send the bare one.
    for window_bits in (GZIP_OR_ZLIB, -zlib.MAX_WBITS):
        try:
            return zlib.decompressobj(window_bits).decompress(answer.body, MAX_DECODED_BYTES)
        except zlib.error:
            continue
    return answer.body
