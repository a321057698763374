"""An HTTP client that sends each request exactly once."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from time import monotonic
from typing import Any

from gevent.ssl import SSLCertVerificationError, SSLContext, TLSVersion, create_default_context
from geventhttpclient import HTTPClient
from geventhttpclient._parser import HTTPParseError

from scenarios.loadkit.answer import Answer, HeadParser, Parser, whole_answer
from scenarios.loadkit.errors import BadRequest, Untrusted, WrongResponse
from wire.messages import DISCONNECTED, PORTLESS, REFUSED, TIMED_OUT

READ_BYTES = 64 * 1024


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

    def header_lines(self, headers: Mapping[str, str]) -> bytes:
        """The headers that every request has, and these, which win. Raises BadRequest."""
        try:
            head = self._build_request("GET", "/", headers=headers)
        except ValueError as error:
            raise BadRequest(f"headers that HTTP does not allow: {error}") from error
        return head.partition("\r\n")[2].removesuffix("\r\n").encode("latin-1")

    def ask(self, path: str) -> Answer:
        """The answer to a GET request without anything special."""
        return self.fetch(b"GET %b HTTP/1.1\r\n%b\r\n" % (path.encode("ascii"), self.header_lines({})))

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

    def reopen(self) -> None:
        """Have a connection open again, where the server has closed the idle one.

        What keeps it from that shows in the next request.
        """
        with suppress(OSError):
            self._connection_pool.return_socket(self._connection_pool.get_socket())

    def fetch(self, request: bytes, *, bodyless: bool = False) -> Answer:
        """The whole answer; `bodyless` for HEAD."""
        return whole_answer(self.exchange(request, bodyless=bodyless))

    def exchange(self, request: bytes, *, bodyless: bool = False) -> Parser:
        """Write once, read one whole answer, within the time-out once connected.

        Its status is TIMED_OUT, REFUSED or DISCONNECTED where none came. Raises Untrusted.
        """
        pool, response = self._connection_pool, parser(bodyless=bodyless)
        try:
            sock = self.connection()
        except NoConnection as none:
            response.status = none.status
            return response
        reusable = False
        try:
            written = write(sock, request)
            reusable = _read(sock, response) and written and response.should_keep_alive()
        except TimeoutError:
            response.complete, response.status = False, TIMED_OUT
        except (OSError, HTTPParseError):
            response.complete, response.status = False, DISCONNECTED
        finally:
            if reusable:
                pool.return_socket(sock)
            else:
                pool.release_socket(sock)
        return response

    def connection(self) -> Any:
        """A socket with nothing under way, to `release` at its end. Raises NoConnection, Untrusted."""
        try:
            return self._connection_pool.get_socket()
        except TimeoutError:
            raise NoConnection(TIMED_OUT) from None
        except SSLCertVerificationError as error:
            raise Untrusted(
                f"{self.host}:{self.port} has a certificate that is not trusted ({error.verify_message}): "
                f"set SSL_CERT_FILE to the file of one that is"
            ) from error
        except ConnectionRefusedError:
            raise NoConnection(REFUSED) from None
        except OSError as error:
            # The kernel's, where every local port waits for the end of an earlier connection.
            exhausted = error.errno == errno.EADDRNOTAVAIL
            raise NoConnection(PORTLESS if exhausted else DISCONNECTED) from None

    def release(self, sock: Any) -> None:
        """Close a connection."""
        self._connection_pool.release_socket(sock)


class NoConnection(Exception):
    """`status` says why: TIMED_OUT, REFUSED or DISCONNECTED."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def parser(*, bodyless: bool) -> Parser:
    """Of the answer to one request; `bodyless` for HEAD."""
    return HeadParser() if bodyless else Parser()


def write(sock: Any, request: bytes) -> bool:
    """False where the server would not have all of it: it may have answered all the same, as with 413."""
    try:
        sock.sendall(request)
    except ConnectionError:
        return False
    return True


def _read(sock: Any, response: Parser) -> bool:
    """Until the end of the answer. False where more came than that, or the connection's end ended it."""
    timeout_s = sock.gettimeout()
    deadline_s = monotonic() + timeout_s
    while (reusable := taken(response, sock.recv(READ_BYTES))) is None:
        # A socket's time-out starts anew with every byte: a trickling server would never meet it.
        remaining_s = deadline_s - monotonic()
        if remaining_s <= 0:
            raise TimeoutError
        sock.settimeout(remaining_s)
    sock.settimeout(timeout_s)
    return reusable


def taken(response: Parser, data: bytes) -> bool | None:
    """What was read from a connection, empty at its end. None: there is more to come.

    True when the answer is whole, and nothing but that came. Raises HTTPParseError.
    """
    response.received.append(data)
    try:
        response.feed(data)
    except HTTPParseError:
        if response.complete:
            return False
        raise
    if response.complete:
        return bool(data)
    if not data:
        raise HTTPParseError("the server closed the connection before the end of its answer")
    return None
