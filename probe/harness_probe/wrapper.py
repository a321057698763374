"""The ASGI app around the app: it counts numbered requests, answers the probe, and passes on all else."""

from __future__ import annotations

from typing import Any

from .counters import ID_HEADER, MASK, MAX_ID_DIGITS
from .loading import AsgiApp
from .report import answer
from .worker import Worker

PROBE_PATH = "/.harness/probe"


class Wrapped:
    """Takes calls for `app`. Scope, receive and send reach it as the server made them.

    A request counts when it arrives: whoever has its answer then finds it counted. It stays in flight
    until the app is done with it, also when a handler raises or the client goes away.

    A class with an `async def __call__`, because that is how servers tell ASGI 3 from ASGI 2 and WSGI.
    """

    # The names are long so that they hide no attribute of the app.
    __slots__ = ("_harness_app", "_harness_worker")

    def __init__(self, app: AsgiApp, worker: Worker) -> None:
        self._harness_app, self._harness_worker = app, worker

    def __getattr__(self, name: str) -> Any:
        """What a server or a tool looks for on an app is the app's own."""
        if name.startswith("_harness_"):  # asked for before it is set, as by `copy`
            raise AttributeError(name)
        return getattr(self._harness_app, name)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        worker, kind = self._harness_worker, scope["type"]
        if kind == "lifespan":
            return await observed_lifespan(self._harness_app, worker, scope, receive, send)
        if worker.waits:
            worker.attend()
        if kind != "http":
            return await self._harness_app(scope, receive, send)
        for name, value in scope["headers"]:
            if name == ID_HEADER:
                if not value.isdigit() or len(value) > MAX_ID_DIGITS:
                    break
                counters = worker.counters
                counters.begin(int(value) & MASK)
                try:
                    return await self._harness_app(scope, receive, send)
                finally:
                    counters.end()
        if scope["method"] == "GET" and scope["path"].endswith(PROBE_PATH):
            return await answer(worker.settings, scope, send)
        return await self._harness_app(scope, receive, send)


async def observed_lifespan(app: AsgiApp, worker: Worker, scope: Any, receive: Any, send: Any) -> Any:
    """The app's own lifespan. The worker counts as serving from the end of its start-up to that of its
    shutdown, and from now on where the app has no lifespan."""
    failed = False

    async def observed(message: Any) -> None:
        nonlocal failed
        kind = message["type"]
        if kind == "lifespan.startup.complete":
            worker.begin()
        elif kind == "lifespan.startup.failed":
            failed = True
        elif kind in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
            worker.end()
        await send(message)

    try:
        result = await app(scope, receive, observed)
    except Exception:
        if worker.pending and not failed:
            # The server takes this for an app without a lifespan, and serves it, or it ends.
            worker.begin()
        else:
            worker.end()
        raise
    if worker.pending and not failed:
        worker.begin()
    return result
