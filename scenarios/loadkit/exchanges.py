"""Every HTTP exchange of a Locust file: numbered and counted below its clients, and sent once.

A request of a Locust file may be several exchanges (redirects), and the server counts exchanges. The standard
library's HTTPConnection carries those of `requests` and urllib3, geventhttpclient's HTTPClient those of
FastHttpUser; both are patched as this module is imported, and do as before while nothing is counted.
"""

from __future__ import annotations

import http.client
import os
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import geventhttpclient.client
from geventhttpclient.client import HTTPClient
from geventhttpclient.header import Headers
from requests.adapters import HTTPAdapter

HEADER = "x-harness-id"
_PORTS = {"http": 80, "https": 443}
_counting: list[Exchanges] = []
_timeouts_s: list[float] = []


class Exchanges:
    """Numbers what goes to one server, from `first_id` on; other servers are left alone."""

    def __init__(self, base_url: str, *, first_id: int) -> None:
        parts = urlsplit(base_url)
        self._server = (parts.hostname, parts.port or _PORTS[parts.scheme])
        self._first_id = first_id
        self._sent_s: dict[int, float] = {}
        self.sent = self.answered = self.id_sum = self.id_xor = 0
        self.in_flight_s = 0.0
        """Sum of the times from send to the head of the answer."""

    def begin(self, host: str, port: int | None) -> int | None:
        """The id of an exchange that goes out now; None for one with another server."""
        if (host, port) != self._server:
            return None
        number = self._first_id + self.sent
        self.sent += 1
        self._sent_s[number] = monotonic()
        return number

    def answer(self, number: int) -> None:
        """The head of its answer has come: the server has had the request."""
        self.in_flight_s += monotonic() - self._sent_s.pop(number)
        self.answered += 1
        self.id_sum = (self.id_sum + number) % 2**64
        self.id_xor ^= number


@contextmanager
def counted(base_url: str, *, first_id: int) -> Iterator[Exchanges]:
    """Whatever is sent to that server meanwhile carries an id."""
    exchanges = Exchanges(base_url, first_id=first_id)
    _counting.append(exchanges)
    try:
        yield exchanges
    finally:
        _counting.remove(exchanges)


@contextmanager
def requests_bounded(timeout_s: float) -> Iterator[None]:
    """`requests` waits for ever and trusts certificates of its own unless told; what a file gives stays."""
    _timeouts_s.append(timeout_s)
    try:
        yield
    finally:
        _timeouts_s.remove(timeout_s)


def _begin(host: str, port: int | None) -> tuple[Exchanges, int] | None:
    for exchanges in _counting:
        number = exchanges.begin(host, port)
        if number is not None:
            return exchanges, number
    return None


def _patch_standard_library() -> None:
    connection: Any = http.client.HTTPConnection
    endheaders, getresponse = connection.endheaders, connection.getresponse

    def numbered(self: Any, *args: Any, **options: Any) -> Any:
        self.harness_exchange = _begin(self.host, self.port)
        if self.harness_exchange:
            self.putheader(HEADER, str(self.harness_exchange[1]))
        return endheaders(self, *args, **options)

    def answered(self: Any, *args: Any, **options: Any) -> Any:
        response = getresponse(self, *args, **options)
        if exchange := getattr(self, "harness_exchange", None):
            exchange[0].answer(exchange[1])
            self.harness_exchange = None
        return response

    connection.endheaders, connection.getresponse = numbered, answered


def _patch_requests() -> None:
    adapter: Any = HTTPAdapter
    send = adapter.send

    def bounded(
        self: Any,
        request: Any,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        *args: Any,
        **options: Any,
    ) -> Any:
        if timeout is None and _timeouts_s:
            timeout = _timeouts_s[-1]
        if verify is True and _timeouts_s:
            # HttpUser looks at no variable that requests knows.
            verify = os.environ.get("SSL_CERT_FILE") or True
        return send(self, request, stream, timeout, verify, *args, **options)

    adapter.send = bounded


def _patch_geventhttpclient() -> None:
    """With its retries off: a GET on a reused connection that breaks would go out a second time."""
    request = HTTPClient.request

    def numbered(
        self: HTTPClient, method: str, request_uri: str, body: Any = b"", headers: Any = None
    ) -> Any:
        exchange = _begin(self.host, self.port)
        if exchange is None:
            return request(self, method, request_uri, body=body, headers=headers)
        with_id = Headers(headers)
        with_id[HEADER] = str(exchange[1])
        response = request(self, method, request_uri, body=body, headers=with_id)
        exchange[0].answer(exchange[1])
        return response

    patched: Any = HTTPClient
    patched.request = numbered
    module: Any = geventhttpclient.client
    assert callable(module._may_retry_after_send_error), "this geventhttpclient retries in another way"
    module._may_retry_after_send_error = lambda _: False


_patch_standard_library()
_patch_requests()
_patch_geventhttpclient()
