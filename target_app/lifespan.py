"""Start-up and shutdown of one worker process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from target_app.faults import hang_if_told
from target_app.migrate import migrate
from target_app.settings import Settings


def lifespan_of(settings: Settings) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """A lifespan in which the app is ready, after a migration where the settings ask for it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if settings.migrate_in_lifespan:
            migrate(settings.runtime_dir)
        if settings.faults:
            await hang_if_told(settings.runtime_dir)
        app.state.started = True
        try:
            yield
        finally:
            app.state.started = False

    return lifespan
