"""What each worker has served, readable by all of them.

Only one worker answers a probe, so every worker keeps its counters in a small mapped file that the
others can read. Counting costs one header scan, two looks at the clock and two writes to memory per
request, a microsecond in all.
"""

from __future__ import annotations

import os
import struct
from mmap import mmap
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

PAGE = struct.Struct("<5Qd")
"""start time of the process, requests, sum of ids, xor of ids, requests in flight, and the sum of the
clock's readings at their ends less that at their beginnings."""
AT_BEGIN, BEGIN_OFFSET = struct.Struct("<4Qd"), 8
AT_END, END_OFFSET = struct.Struct("<Qd"), 32
"""The parts of PAGE that the begin and the end of a request change."""
_write_begin, _write_end = AT_BEGIN.pack_into, AT_END.pack_into
VITALS = struct.Struct("<Q3d3Q")
"""The fields of `Vitals`; they follow PAGE in a worker's file."""
SUFFIX = ".counters"
MASK = 2**64 - 1
ID_HEADER = b"x-harness-id"
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


class Signals(NamedTuple):
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


class WorkerReport(NamedTuple):
    """One live worker. Id sums are modulo 2**64."""

    pid: int
    requests: int
    id_sum: int
    id_xor: int
    in_flight: int
    signals: Signals

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**self._asdict(), "signals": self.signals._asdict()}


class WorkerCounters:
    """The counters of this process. Only its event loop writes them, so there is no lock."""

    __slots__ = ("_clock_s", "_id_sum", "_id_xor", "_in_flight", "_page", "_path", "_requests", "_start")

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
        # Locals, because this is the part that every request pays for.
        self._requests = requests = self._requests + 1
        self._id_sum = id_sum = (self._id_sum + request_id) & MASK
        self._id_xor = id_xor = self._id_xor ^ request_id
        self._in_flight = in_flight = self._in_flight + 1
        self._clock_s = clock_s = self._clock_s - monotonic()
        _write_begin(self._page, BEGIN_OFFSET, requests, id_sum, id_xor, in_flight, clock_s)

    def end(self) -> None:
        self._in_flight = in_flight = self._in_flight - 1
        self._clock_s = clock_s = self._clock_s + monotonic()
        _write_end(self._page, END_OFFSET, in_flight, clock_s)

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


def live_workers(directory: Path) -> list[WorkerReport]:
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


def _worker(pid: int, process: Process, page: bytes) -> WorkerReport:
    _, requests, id_sum, id_xor, in_flight, clock_s = PAGE.unpack_from(page)
    vitals = Vitals._make(VITALS.unpack_from(page, PAGE.size))
    now_s = monotonic()
    # Who is still in flight has begun, and ends now as far as anyone can tell.
    in_flight_s = in_flight * now_s + clock_s
    signals = Signals(at_s=now_s, cpu_s=process.cpu_s, in_flight_s=in_flight_s, **vitals._asdict())
    return WorkerReport(
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
