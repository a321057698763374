"""Start-up and shutdown of one worker process, and the record they leave."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from fastapi import FastAPI

from target_app.counters import WorkerCounters
from target_app.faults import hang_if_told
from target_app.settings import Settings
from target_app.vitals import watch

RECORD = "lifespan.jsonl"


def lifespan_of(
    settings: Settings, counters: WorkerCounters
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """A lifespan that publishes the worker's counters while it runs."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        settings.runtime_dir.mkdir(parents=True, exist_ok=True)
        if not settings.access_log:
            silence_uvicorn_access_log()
        counters.publish(settings.runtime_dir)
        if settings.migrate_in_lifespan:
            record(settings.runtime_dir, "migration")
        if settings.faults:
            await hang_if_told(settings.runtime_dir)
        watcher = asyncio.create_task(watch(counters))
        record(settings.runtime_dir, "startup")
        app.state.started = True
        try:
            yield
        finally:
            app.state.started = False
            watcher.cancel()
            record(settings.runtime_dir, "shutdown")
            counters.withdraw()

    return lifespan


def silence_uvicorn_access_log() -> None:
    """What uvicorn's --no-access-log does. `fastapi run` has no such flag, hence from inside.

    uvicorn looks for handlers once per connection, so this must run before the first one.
    """
    logger = logging.getLogger("uvicorn.access")
    logger.handlers = []
    logger.propagate = False


def record(directory: Path, event: Literal["migration", "startup", "shutdown"]) -> None:
    """Append one line to lifespan.jsonl, whole even when several workers write at once."""
    line = json.dumps({"event": event, "pid": os.getpid(), "time": datetime.now(UTC).isoformat()}) + "\n"
    descriptor = os.open(directory / RECORD, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)
