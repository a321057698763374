"""An HTTP client that sends each request exactly once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from time import monotonic
from typing import Any

from gevent.ssl import SSLCertVerificationError, SSLContext, TLSVersion, create_default_context
from geventhttpclient import HTTPClient
from geventhttpclient._parser import HTTPParseError, HTTPResponseParser
from geventhttpclient.response import HTTPConnectionClosed, HTTPResponse

from scenarios.loadkit.errors import WrongResponse

OK = 200
TIMED_OUT, DISCONNECTED, WRONG_BODY = -1, -2, -3
"""Outcomes without a right answer; any other value is the HTTP status received."""

READ_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole HTTP answer, or how it failed to come (`status` < 0)."""

    status: int
    body: bytes

    def __str__(self) -> str:
        failures = {TIMED_OUT: "no answer in time", DISCONNECTED: "connection refused or broken"}
        return failures.get(self.status, f"status {self.status}")


class StatusOnly(HTTPResponseParser):
    """Parses a response to its end and keeps nothing of it but the status."""

    message_complete = False

    def _on_message_complete(self) -> None:
        self.message_complete = True

    def _skip(self, *_: Any) -> None:
        """The C parser requires every callback."""

    _on_message_begin = _on_headers_complete = _on_status = _skip
    _on_header_field = _on_header_value = _on_body = _skip


@cache
def tls_context(cafile: str | None = None) -> SSLContext:
    """TLS 1.3, the server's certificate and name verified; one context for all connections.

    Trusted is what the file SSL_CERT_FILE names, or else what the system trusts. Sessions are not
    taken up again: every connection makes a full handshake.
    """
    context = create_default_context(cafile=cafile)
    context.minimum_version = TLSVersion.TLSv1_3
    return context


class SendOnceClient(HTTPClient):
    """geventhttpclient without its retry, which has no switch.

    `HTTPClient.request` sends a GET again when a reused connection breaks, so the server counts two
    requests where the client reports one. This class keeps the connection pool and the parser, writes
    prepared bytes, and reports a broken connection as DISCONNECTED. The pool still replaces an idle
    connection that the server has closed *before* anything is written to it: nothing is sent twice.
    """

    @classmethod
    def to(cls, base_url: str, *, timeout_s: float, connections: int = 1) -> SendOnceClient:
        """A client of one server, given as http[s]://host:port. Connections are opened when first needed."""
        client = cls.from_url(
            base_url,
            concurrency=connections,
            connection_timeout=timeout_s,
            network_timeout=timeout_s,
            ssl_context_factory=tls_context,
        )
        assert isinstance(client, cls)
        return client

    def request_head(self, path: str, headers: Iterable[tuple[str, str]] = ()) -> bytes:
        """The bytes of a GET request, without the blank line that ends it."""
        return self._build_request("GET", path, headers=dict(headers)).removesuffix("\r\n").encode("latin-1")

    def agreed_tls(self) -> str | None:
        """Protocol and cipher of a connection, or None without TLS.

        Raises WrongResponse when there is no connection any more, and none can be made.
        """
        if not self.ssl:
            return None
        try:
            sock = self._connection_pool.get_socket()
        except OSError as error:
            raise WrongResponse(
                f"{self.host}:{self.port} broke off after it had answered ({error})"
            ) from error
        try:
            return f"{sock.version()} {sock.cipher()[0]}"
        finally:
            self._connection_pool.return_socket(sock)

    def send(self, request: bytes) -> int:
        """HTTP status of the answer, TIMED_OUT or DISCONNECTED."""
        return self._exchange(request, StatusOnly())

    def fetch(self, request: bytes) -> Answer:
        """Like `send`, and keeps the body."""
        response = HTTPResponse()
        status = self._exchange(request, response)
        return Answer(status, bytes(response._body_buffer))

    def _exchange(self, request: bytes, response: StatusOnly | HTTPResponse) -> int:
        """Write once, read one whole answer, within the time-out once connected.

        Raises WrongResponse when the server's certificate is not trusted.
        """
        pool = self._connection_pool
        try:
            sock = pool.get_socket()
        except TimeoutError:
            return TIMED_OUT
        except SSLCertVerificationError as error:
            raise WrongResponse(
                f"{self.host}:{self.port} has a certificate that is not trusted ({error.verify_message}): "
                f"set SSL_CERT_FILE to the file of one that is"
            ) from error
        except OSError:
            return DISCONNECTED
        reusable = False
        try:
            sock.sendall(request)
            _read(sock, response)
            reusable = response.should_keep_alive()
            return response.get_code()
        except TimeoutError:
            return TIMED_OUT
        except (OSError, HTTPParseError):
            return DISCONNECTED
        finally:
            if reusable:
                pool.return_socket(sock)
            else:
                pool.release_socket(sock)


def _read(sock: Any, response: StatusOnly | HTTPResponse) -> None:
    timeout_s = sock.gettimeout()
    deadline_s = monotonic() + timeout_s
    while True:
        data = sock.recv(READ_BYTES)
        if not data:
            raise HTTPConnectionClosed("the server closed the connection before the end of its answer")
        response.feed(data)
        if response.message_complete:
            break
        # A socket's time-out starts anew with every byte: a trickling server would never meet it.
        remaining_s = deadline_s - monotonic()
        if remaining_s <= 0:
            raise TimeoutError
        sock.settimeout(remaining_s)
    sock.settimeout(timeout_s)
