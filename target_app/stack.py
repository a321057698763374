"""Which server, parser and log settings really serve this process, read off the live objects.

A server does not hand these to an ASGI app, and flags or installed packages only say what was
asked for. Hence a search among the objects of the process, once.
"""

from __future__ import annotations

import gc
import os
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

PACKAGES = (
    *("fastapi", "starlette", "pydantic", "uvicorn", "uvloop", "httptools", "h11"),
    *("gunicorn", "gunicorn-h1c", "uvicorn-worker", "fastapi-cli"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingStack:
    """Facts about the server. `keep_alive_s` is None when no known server runs the app."""

    server: str
    http: str
    access_log: bool
    keep_alive_s: float | None


@cache
def serving_stack() -> ServingStack:
    """The stack of this process. Call it while a request is served: parsers belong to connections."""
    worker = _gunicorn_worker()
    name = f"gunicorn {version('gunicorn')} ({worker.cfg.worker_class_str})" if worker else None
    for server in _instances("uvicorn.server", "Server"):
        for connection in server.server_state.connections:
            return ServingStack(
                server=name or f"uvicorn {version('uvicorn')}",
                http=class_path(connection),
                access_log=connection.access_log,
                keep_alive_s=float(connection.timeout_keep_alive),
            )
    for connection in _instances("gunicorn.asgi.protocol", "ASGIProtocol"):
        if worker and connection._callback_parser is not None:
            return ServingStack(
                server=name or "gunicorn",
                http=class_path(connection._callback_parser),
                access_log=worker.log.access_log_enabled,
                keep_alive_s=float(worker.cfg.keepalive),
            )
    return ServingStack(server="unknown", http="unknown", access_log=False, keep_alive_s=None)


@cache
def versions() -> dict[str, str]:
    """Installed versions of what a figure may depend on."""
    found = {"python": sys.version.split()[0]}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def class_path(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _gunicorn_worker() -> Any | None:
    # A forked worker also holds what its parent knew of the workers before it.
    workers = _instances("gunicorn.workers.base", "Worker")
    return next((worker for worker in workers if worker.pid == os.getpid()), None)


def _instances(module: str, name: str) -> list[Any]:
    """Live objects of a class, or none where nothing has imported its module."""
    if module not in sys.modules:
        return []
    wanted = getattr(sys.modules[module], name)
    # type() and not isinstance(): proxies among the objects would run code when asked for their class.
    return [value for value in gc.get_objects() if issubclass(type(value), wanted)]
