"""One worker process of the server: when it serves, the others can read what it has counted."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from datetime import datetime, timezone
from pathlib import Path

from .counters import WorkerCounters
from .settings import Settings
from .vitals import thread_limiter, watch

RECORD = "lifespan.jsonl"


class Worker:
    """`pending` until it serves, which it does once in its life. Where it `waits`, the next request is to
    call `attend`: it has not begun to serve, or is idle."""

    __slots__ = ("_request", "_watcher", "counters", "pending", "settings", "waits")

    def __init__(self, settings: Settings) -> None:
        """Nothing is opened or written yet: this process may be one that only forks the workers."""
        self.settings = settings
        self.counters = WorkerCounters()
        self.pending = self.waits = True
        self._request: asyncio.Event | None = None
        self._watcher: asyncio.Task[None] | None = None

    def attend(self) -> None:
        """A request has come that it waits for. Needs a running event loop."""
        self.waits = False
        if self.pending:  # a server that has no lifespan
            self.begin()
        elif self._request is not None:
            self._request.set()

    def begin(self) -> None:
        """Join the list of workers. Needs a running event loop."""
        self.pending = False
        directory = self.settings.runtime_dir
        directory.mkdir(parents=True, exist_ok=True)
        if not self.settings.access_log:
            silence_uvicorn_access_log()
        if self.settings.threads is not None:
            limit_threads(self.settings.threads)
        self.counters.publish(directory)
        self._request = asyncio.Event()
        self._watcher = asyncio.get_running_loop().create_task(watch(self.counters, self._next_request))
        record(directory, "startup")

    async def _next_request(self) -> None:
        assert self._request is not None
        self._request.clear()
        self.waits = True
        await self._request.wait()

    def end(self) -> None:
        """Leave the list, at shutdown. May be called twice, and before `begin`."""
        if self._watcher is None:
            return
        self._watcher.cancel()
        self._watcher = None
        record(self.settings.runtime_dir, "shutdown")
        self.counters.withdraw()


def silence_uvicorn_access_log() -> None:
    """What uvicorn's --no-access-log does. `fastapi run` has no such flag, hence from inside.

    uvicorn looks for handlers once per connection, so this must run before the first one.
    """
    logger = logging.getLogger("uvicorn.access")
    logger.handlers = []
    logger.propagate = False


def limit_threads(count: int) -> None:
    """Raises RuntimeError for an app that has no such threads."""
    threads = thread_limiter()
    if threads is None:
        raise RuntimeError(
            f"HARNESS_THREADS = {count}, but the app has not imported anyio, whose threads these are.\n"
            f"Fix: leave the variable out."
        )
    threads.total_tokens = count


def record(directory: Path, event: str) -> None:
    """Append one line to lifespan.jsonl, whole even when several workers write at once."""
    line = json.dumps({"event": event, "pid": os.getpid(), "time": datetime.now(timezone.utc).isoformat()})
    descriptor = os.open(directory / RECORD, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)
