"""What all oracle servers share: a bare HTTP server that counts, reports, and asks when and how to answer."""

from __future__ import annotations

import asyncio
import json
import mmap
import os
import platform
import selectors
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

BODY = b'{"message":"hello"}'
VARIANT_ID = os.environ.get("HARNESS_VARIANT_ID", "oracle")


def http(body: bytes) -> bytes:
    """A whole keep-alive answer with status 200."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode("ascii") + body


ANSWER = http(BODY)


class Exchange:
    """One counted request, to be answered or dropped at any later time."""

    def __init__(self, transport: asyncio.Transport, number: int) -> None:
        self._transport = transport
        self.number = number
        """How many counted requests this worker has taken on, this one included."""

    def reply(self, answer: bytes = ANSWER) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)

    def drop(self) -> None:
        """Close the connection without an answer."""
        self._transport.close()


Behaviour = Callable[[Exchange], None]


class Vitals(NamedTuple):
    """CPU seconds and the lag of the event loop as the target app has it: looked at while it serves."""

    cpu_s: float = 0.0
    samples: int = 0
    lag_s: float = 0.0
    stalled_s: float = 0.0
    lag_max_s: float = 0.0


LOOK_EVERY_S = 0.05
STALL_S = 0.05
NO_THREADS = {"thread_limit": 0, "threads_busy": 0, "threads_waiting": 0}


class Counters:
    """What each worker counted, in memory that all of them share, so that any can report for all."""

    _ROW = struct.Struct("<4Q")
    _VITALS = struct.Struct("<dQ3d")
    _SIZE = _ROW.size + _VITALS.size

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._rows = mmap.mmap(-1, self._SIZE * workers)

    def open(self, worker: int) -> None:
        self._ROW.pack_into(self._rows, worker * self._SIZE, os.getpid(), 0, 0, 0)

    def requests(self, worker: int) -> int:
        return self._row(worker)[1]

    def tell(self, worker: int, vitals: Vitals) -> None:
        self._VITALS.pack_into(self._rows, worker * self._SIZE + self._ROW.size, *vitals)

    def count(self, worker: int, request_id: int) -> int:
        """How many requests the worker has counted, this one included."""
        pid, requests, id_sum, id_xor = self._row(worker)
        row = (pid, requests + 1, (id_sum + request_id) % 2**64, id_xor ^ request_id)
        self._ROW.pack_into(self._rows, worker * self._SIZE, *row)
        return requests + 1

    def close(self, pid: int) -> None:
        """Forget a worker that has ended."""
        for worker in range(self._workers):
            if self._row(worker)[0] == pid:
                self._ROW.pack_into(self._rows, worker * self._SIZE, 0, 0, 0, 0)

    def living(self) -> list[dict[str, object]]:
        names = ("pid", "requests", "id_sum", "id_xor")
        return [
            {**dict(zip(names, row, strict=True)), "in_flight": 0, "signals": self._signals(worker)}
            for worker in range(self._workers)
            if (row := self._row(worker))[0]
        ]

    def _signals(self, worker: int) -> dict[str, float]:
        told = self._VITALS.unpack_from(self._rows, worker * self._SIZE + self._ROW.size)
        return {"at_s": time.monotonic(), **Vitals._make(told)._asdict(), **NO_THREADS}

    def _row(self, worker: int) -> tuple[int, int, int, int]:
        pid, requests, id_sum, id_xor = self._ROW.unpack_from(self._rows, worker * self._SIZE)
        return pid, requests, id_sum, id_xor


class Connection(asyncio.Protocol):
    """Counts what carries an x-harness-id and hands it to the behaviour; answers all else at once."""

    def __init__(self, counters: Counters, worker: int, behave: Behaviour, *, access_log: bool) -> None:
        self._counters, self._worker, self._behave = counters, worker, behave
        self._access_log = access_log
        self._pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *heads, self._pending = (self._pending + data).split(b"\r\n\r\n")
        for head in heads:
            if self._access_log:
                sys.stderr.write(f"{head.partition(b' HTTP')[0].decode('latin-1')} 200\n")
            _, counted, rest = head.partition(b"\r\nx-harness-id: ")
            if counted:
                number = self._counters.count(self._worker, int(rest.partition(b"\r\n")[0]))
                self._behave(Exchange(self._transport, number))
            else:
                self._transport.write(self._probe() if head.startswith(b"GET /.harness/probe ") else ANSWER)

    def _probe(self) -> bytes:
        cpus = len(os.sched_getaffinity(0))
        report = {
            "variant_id": VARIANT_ID,
            "pid": os.getpid(),
            "uid": os.getuid(),
            "workers": self._counters.living(),
            "server": "oracle",
            "loop": f"asyncio.{type(asyncio.get_running_loop()).__name__}",
            "http": f"{Connection.__module__}.{Connection.__qualname__}",
            "access_log": self._access_log,
            "keep_alive_s": None,
            "versions": {"python": platform.python_version()},
            "cpus": {"host": os.cpu_count(), "affinity": cpus, "quota": float(cpus)},
        }
        return http(json.dumps(report).encode("ascii"))


async def watch(counters: Counters, worker: int) -> None:
    """Tell how this worker is, until cancelled."""
    vitals, before = Vitals(), counters.requests(worker)
    while True:
        due_s = time.monotonic() + LOOK_EVERY_S
        await asyncio.sleep(LOOK_EVERY_S)
        lag_s, requests = max(0.0, time.monotonic() - due_s), counters.requests(worker)
        if requests != before:
            stalled_s = lag_s if lag_s > STALL_S else 0.0
            vitals = Vitals(
                samples=vitals.samples + 1,
                lag_s=vitals.lag_s + lag_s,
                stalled_s=vitals.stalled_s + stalled_s,
                lag_max_s=max(vitals.lag_max_s, lag_s),
            )
        counters.tell(worker, vitals._replace(cpu_s=time.process_time()))
        before = requests


def run(
    port: int,
    behaviour_of: Callable[[int], Behaviour],
    *,
    workers: int = 1,
    listening: int | None = None,
    access_log: bool = False,
) -> None:
    """Serve on 127.0.0.1 until SIGTERM. `behaviour_of` is called in each worker with its index, from 0.

    The first process is itself worker 0 and collects the others when they end; it starts no new ones.
    Of the workers the first `listening` take connections, all by default.
    """
    listening = workers if listening is None else listening
    counters = Counters(workers)
    worker = next((index for index in range(1, workers) if os.fork() == 0), 0)
    counters.open(worker)
    behave = behaviour_of(worker)

    async def serve() -> None:
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()
        # As process 1 of a container there is no default action: without a handler the signal is ignored.
        loop.add_signal_handler(signal.SIGTERM, stopped.set)
        loop.add_signal_handler(signal.SIGCHLD, lambda: _collect(counters))
        watcher = loop.create_task(watch(counters, worker))
        if worker < listening:
            listener = _listener(port, shared=listening > 1)
            await loop.create_server(
                lambda: Connection(counters, worker, behave, access_log=access_log), sock=listener
            )
        await stopped.wait()
        watcher.cancel()

    # The epoll selector rounds timers up to whole milliseconds; select() takes microseconds.
    loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
    loop.run_until_complete(serve())


def _listener(port: int, *, shared: bool) -> socket.socket:
    """With `shared`, the kernel spreads connections over all sockets on this port, one for each worker."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("127.0.0.1", port))
    return listener


def _collect(counters: Counters) -> None:
    try:
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            counters.close(ended[0])
    except ChildProcessError:
        return
