"""What each worker has served, readable by all of them.

Only one worker answers a probe, so every worker keeps its counters in a small mapped file that the
others can read. Counting costs one header scan and two 40-byte writes to memory per request.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Awaitable
from mmap import mmap
from pathlib import Path

from pydantic import BaseModel
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PAGE = struct.Struct("<5Q")
"""start time of the process, requests, sum of ids, xor of ids, requests in flight."""
SUFFIX = ".counters"
MASK = 2**64 - 1
ID_HEADER = b"x-request-id"
MAX_ID_DIGITS = 20


class Worker(BaseModel):
    """One live worker. Id sums are modulo 2**64."""

    pid: int
    requests: int
    id_sum: int
    id_xor: int
    in_flight: int


class WorkerCounters:
    """The counters of this process. Only its event loop writes them, so there is no lock."""

    def __init__(self) -> None:
        self._start = self._requests = self._id_sum = self._id_xor = self._in_flight = 0
        self._page: mmap | bytearray = bytearray(PAGE.size)
        self._path: Path | None = None

    def publish(self, directory: Path) -> None:
        """Map the counters to a file of this process in `directory`, which appears there complete."""
        pid = os.getpid()
        start = start_time(pid)
        if start is None:
            raise RuntimeError(f"/proc/{pid}/stat does not show this process; is /proc mounted?")
        self._start = start
        self._path = directory / f"{pid}{SUFFIX}"
        unfinished = self._path.with_suffix(".new")
        with unfinished.open("w+b") as file:
            file.truncate(PAGE.size)
            self._page = mmap(file.fileno(), PAGE.size)
        self._write()
        unfinished.replace(self._path)

    def withdraw(self) -> None:
        """Leave the list of workers, at shutdown."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None

    def begin(self, request_id: int) -> None:
        self._requests += 1
        self._id_sum = (self._id_sum + request_id) & MASK
        self._id_xor ^= request_id
        self._in_flight += 1
        self._write()

    def end(self) -> None:
        self._in_flight -= 1
        self._write()

    def _write(self) -> None:
        PAGE.pack_into(
            self._page, 0, self._start, self._requests, self._id_sum, self._id_xor, self._in_flight
        )


class RequestCounter:
    """ASGI middleware: counts requests that carry an id, and stamps responses with the variant.

    A request counts when it arrives: whoever has its answer then finds it counted. It stays in flight
    until the app is done with it, also when a handler raises or the client goes away.
    """

    def __init__(self, app: ASGIApp, *, counters: WorkerCounters, variant_id: str) -> None:
        self._app = app
        self._counters = counters
        self._stamp = (b"x-variant-id", variant_id.encode("ascii"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        # Not a coroutine of its own: that would cost one more frame per message.
        def stamped(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], self._stamp]
            return send(message)

        request_id = id_of(scope)
        if request_id is None:
            await self._app(scope, receive, stamped)
            return
        self._counters.begin(request_id)
        try:
            await self._app(scope, receive, stamped)
        finally:
            self._counters.end()


def id_of(scope: Scope) -> int | None:
    """The decimal id of a request, modulo 2**64; None when there is none to count."""
    for name, value in scope["headers"]:
        if name == ID_HEADER:
            return int(value) & MASK if value.isdigit() and len(value) <= MAX_ID_DIGITS else None
    return None


def live_workers(directory: Path) -> list[Worker]:
    """Every worker that runs now, by pid. Files that dead processes left behind are passed over."""
    workers = []
    for path in sorted(directory.glob(f"*{SUFFIX}"), key=lambda path: int(path.stem)):
        try:
            start, requests, id_sum, id_xor, in_flight = PAGE.unpack(path.read_bytes())
        except FileNotFoundError:  # that worker has just withdrawn
            continue
        pid = int(path.stem)
        if start_time(pid) == start:
            workers.append(
                Worker(pid=pid, requests=requests, id_sum=id_sum, id_xor=id_xor, in_flight=in_flight)
            )
    return workers


def start_time(pid: int) -> int | None:
    """Clock ticks after boot at which a process started: with the pid it tells one process from the next
    that gets its number. None when the process is gone or only waits to be reaped.

    Source: proc_pid_stat(5), fields 3 (state) and 22 (starttime); field 2 may hold blanks and brackets.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else int(fields[18])
