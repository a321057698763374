"""A server that answers the `root` scenario as a script says, and keeps every id it saw."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

BODY = b'{"message":"hello"}'
VARIANT_ID = "scripted"

Script = Callable[[int], str]
"""From a request's id to what happens to it: a `_do_...` method of ScriptedServer, without the prefix."""


def answer(body: bytes, *, status: str = "200 OK", headers: str = "") -> bytes:
    """`headers` are whole lines."""
    head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{headers}\r\n"
    return head.encode("ascii") + body


class ScriptedServer:
    """Listens on loopback from a thread with an event loop of its own."""

    def __init__(
        self,
        script: Script = lambda _: "ok",
        *,
        stall_s: tuple[float, float] | None = None,
        ready: Callable[[], str] = lambda: "200 OK",
        probe: Callable[[], dict[str, object] | None] = lambda: {"workers": [{"pid": os.getpid()}]},
    ) -> None:
        self.ids: list[int] = []
        self._script, self._stall_s, self._ready, self._probe = script, stall_s, ready, probe
        self._first_s: float | None = None

    def __enter__(self) -> Self:
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, args=(listener,))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(timeout=10)
        assert not self._thread.is_alive()

    def _serve(self, listener: socket.socket) -> None:
        asyncio.set_event_loop(self._loop)
        self._stopped = asyncio.Event()
        self._loop.run_until_complete(self._until_stopped(listener))

    async def _until_stopped(self, listener: socket.socket) -> None:
        connections: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.add(asyncio.ensure_future(self._converse(reader, writer)))

        server = await asyncio.start_server(accept, sock=listener)
        await self._stopped.wait()
        server.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                if found := re.search(rb"\r\nx-harness-id: (\d+)\r\n", head):
                    request_id = int(found[1])
                    self.ids.append(request_id)
                    await self._wait_for_stall()
                    await getattr(self, f"_do_{self._script(request_id)}")(writer)
                else:
                    writer.write(self._unnumbered(head))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _unnumbered(self, head: bytes) -> bytes:
        if head.startswith(b"GET /.harness/probe "):
            report = self._probe()
            if report is None:
                return answer(b"", status="502 Bad Gateway")
            return answer(json.dumps({"variant_id": VARIANT_ID, **report}).encode())
        if head.startswith(b"GET /health/ready "):
            return answer(b"{}", status=self._ready())
        return answer(BODY)

    async def _wait_for_stall(self) -> None:
        if self._stall_s is None:
            return
        now_s = self._loop.time()
        self._first_s = self._first_s or now_s
        start_s, length_s = self._stall_s
        since_s = now_s - self._first_s - start_s
        if 0 <= since_s < length_s:
            await asyncio.sleep(length_s - since_s)

    async def _do_ok(self, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(BODY))

    async def _do_slow(self, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.02)
        writer.write(answer(BODY))

    async def _do_error(self, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"oops", status="500 Internal Server Error"))

    async def _do_wrong_body(self, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b'{"message":"bye"}'))

    async def _do_truncated(self, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(BODY)[:-5])
        writer.close()

    async def _do_last(self, writer: asyncio.StreamWriter) -> None:
        """Answers, and ends the connection without having said so."""
        writer.write(answer(BODY))
        writer.close()

    async def _do_close(self, writer: asyncio.StreamWriter) -> None:
        """Takes the request in and closes the connection instead of answering."""
        writer.close()

    async def _do_hang(self, writer: asyncio.StreamWriter) -> None:
        await self._stopped.wait()

    async def _do_trickle(self, writer: asyncio.StreamWriter) -> None:
        """A byte now and then: a time-out for each read would never be met."""
        for byte in answer(b"x" * 1000):
            writer.write(bytes([byte]))
            await asyncio.sleep(0.05)
