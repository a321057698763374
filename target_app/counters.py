"""What each worker has served, readable by all of them.

Only one worker answers a probe, so every worker keeps its counters in a small mapped file that the
others can read. Counting costs one header scan, two looks at the clock and two 48-byte writes to memory
per request.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Awaitable
from mmap import mmap
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from pydantic import BaseModel
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PAGE = struct.Struct("<5Qd")
"""start time of the process, requests, sum of ids, xor of ids, requests in flight, and the sum of the
clock's readings at their ends less that at their beginnings."""
VITALS = struct.Struct("<Q3d3Q")
"""The fields of `Vitals`; they follow PAGE in a worker's file."""
SUFFIX = ".counters"
MASK = 2**64 - 1
ID_HEADER = b"x-request-id"
MAX_ID_DIGITS = 20
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Vitals(NamedTuple):
    """How a worker's event loop and thread pool were, summed over looks at them while it served."""

    samples: int = 0
    lag_s: float = 0.0
    """How much later than asked for a timer fired."""
    stalled_s: float = 0.0
    """The part of `lag_s` in lags so long that the loop counts as blocked."""
    lag_max_s: float = 0.0
    """The longest lag; no sum."""
    thread_limit: int = 0
    """How many threads there may be at once; no sum."""
    threads_busy: int = 0
    threads_waiting: int = 0
    """Calls that waited for a thread."""


class Signals(BaseModel):
    """What tells where a worker's time goes. All but `at_s` and `thread_limit` grow; see `Vitals`."""

    at_s: float
    """CLOCK_MONOTONIC, seconds."""
    cpu_s: float
    in_flight_s: float
    """The number of requests in flight, integrated over time."""
    samples: int
    lag_s: float
    stalled_s: float
    lag_max_s: float
    thread_limit: int
    threads_busy: int
    threads_waiting: int


class Worker(BaseModel):
    """One live worker. Id sums are modulo 2**64."""

    pid: int
    requests: int
    id_sum: int
    id_xor: int
    in_flight: int
    signals: Signals


class WorkerCounters:
    """The counters of this process. Only its event loop writes them, so there is no lock."""

    def __init__(self) -> None:
        self._start = self._requests = self._id_sum = self._id_xor = self._in_flight = 0
        self._clock_s = 0.0
        self._page: mmap | bytearray = bytearray(PAGE.size + VITALS.size)
        self._path: Path | None = None

    def publish(self, directory: Path) -> None:
        """Map the counters to a file of this process in `directory`, which appears there complete."""
        pid = os.getpid()
        process = process_of(pid)
        if process is None:
            raise RuntimeError(f"/proc/{pid}/stat does not show this process; is /proc mounted?")
        self._start = process.start
        self._path = directory / f"{pid}{SUFFIX}"
        unfinished = self._path.with_suffix(".new")
        with unfinished.open("w+b") as file:
            file.truncate(PAGE.size + VITALS.size)
            self._page = mmap(file.fileno(), PAGE.size + VITALS.size)
        self._write()
        unfinished.replace(self._path)

    def withdraw(self) -> None:
        """Leave the list of workers, at shutdown."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None

    @property
    def seen(self) -> tuple[int, int]:
        """Requests that have come, and those that are in flight now."""
        return self._requests, self._in_flight

    def tell(self, vitals: Vitals) -> None:
        """Let the others read how this worker is."""
        VITALS.pack_into(self._page, PAGE.size, *vitals)

    def begin(self, request_id: int) -> None:
        self._requests += 1
        self._id_sum = (self._id_sum + request_id) & MASK
        self._id_xor ^= request_id
        self._in_flight += 1
        self._clock_s -= monotonic()
        self._write()

    def end(self) -> None:
        self._in_flight -= 1
        self._clock_s += monotonic()
        self._write()

    def _write(self) -> None:
        PAGE.pack_into(
            self._page,
            0,
            self._start,
            self._requests,
            self._id_sum,
            self._id_xor,
            self._in_flight,
            self._clock_s,
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
            page = path.read_bytes()
        except FileNotFoundError:  # that worker has just withdrawn
            continue
        pid, process = int(path.stem), process_of(int(path.stem))
        if process is not None and process.start == PAGE.unpack_from(page)[0]:
            workers.append(_worker(pid, process, page))
    return workers


def _worker(pid: int, process: Process, page: bytes) -> Worker:
    _, requests, id_sum, id_xor, in_flight, clock_s = PAGE.unpack_from(page)
    vitals = Vitals._make(VITALS.unpack_from(page, PAGE.size))
    now_s = monotonic()
    # Who is still in flight has begun, and ends now as far as anyone can tell.
    in_flight_s = in_flight * now_s + clock_s
    signals = Signals(at_s=now_s, cpu_s=process.cpu_s, in_flight_s=in_flight_s, **vitals._asdict())
    return Worker(
        pid=pid, requests=requests, id_sum=id_sum, id_xor=id_xor, in_flight=in_flight, signals=signals
    )


class Process(NamedTuple):
    """What the kernel tells of a process."""

    start: int
    """Clock ticks after boot at which it started: with the pid it tells one process from the next that
    gets its number."""
    cpu_s: float
    """User and system time of all its threads."""


def process_of(pid: int) -> Process | None:
    """None when the process is gone or only waits to be reaped.

    Source: proc_pid_stat(5), fields 3 (state), 14 and 15 (utime, stime) and 22 (starttime); field 2 may hold
    blanks and brackets.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *fields = stat.rpartition(")")[2].split()
    if state in "ZX":
        return None
    return Process(start=int(fields[18]), cpu_s=(int(fields[10]) + int(fields[11])) / TICKS_PER_S)
