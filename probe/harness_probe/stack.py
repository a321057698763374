"""Which server, parser and log settings really serve this process, read off the live objects.

A server does not hand these to an ASGI app, and flags or installed packages only say what was
asked for. Hence a search among the objects of the process, once.
"""

from __future__ import annotations

import gc
import os
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from types import CodeType, FunctionType
from typing import Any, NamedTuple

PACKAGES = (
    *("fastapi", "starlette", "pydantic", "uvicorn", "uvloop", "rloop", "httptools", "h11", "zttp"),
    *("gunicorn", "gunicorn-h1c", "uvicorn-worker", "fastapi-cli", "granian", "hypercorn"),
)

GRANIAN_LOGGED = ("_http_logger", "/granian/asgi.py")
"""Name and end of the file of the function through which granian sends what it logs."""


class ServingStack(NamedTuple):
    """Facts about the server. `keep_alive_s` is None when no known server runs the app."""

    server: str
    http: str
    access_log: bool
    keep_alive_s: float | None
    features: tuple[str, ...] = ()
    """What else it was told to do: "proxy-headers", "reload"."""


@cache
def serving_stack() -> ServingStack:
    """The stack of this process. Call it while a request is served: parsers belong to connections."""
    for found in (_uvicorn, _gunicorn_asgi, _hypercorn, _granian):
        if stack := found():
            return stack
    return ServingStack(server="unknown", http="unknown", access_log=False, keep_alive_s=None)


def _uvicorn() -> ServingStack | None:
    """uvicorn by itself, or inside a worker of gunicorn."""
    worker = _gunicorn_worker()
    for server in _instances("uvicorn.server", "Server"):
        config = server.config
        told = {"proxy-headers": config.proxy_headers, "reload": config.should_reload}
        for connection in server.server_state.connections:
            return ServingStack(
                server=_gunicorn_name(worker) if worker else f"uvicorn {version('uvicorn')}",
                http=class_path(connection),
                access_log=connection.access_log,
                keep_alive_s=float(connection.timeout_keep_alive),
                features=tuple(name for name, on in told.items() if on),
            )
    return None


def _gunicorn_asgi() -> ServingStack | None:
    worker = _gunicorn_worker()
    for connection in _instances("gunicorn.asgi.protocol", "ASGIProtocol"):
        if worker and connection._callback_parser is not None:
            return ServingStack(
                server=_gunicorn_name(worker),
                http=class_path(connection._callback_parser),
                access_log=worker.log.access_log_enabled,
                keep_alive_s=float(worker.cfg.keepalive),
            )
    return None


def _hypercorn() -> ServingStack | None:
    for connection in _instances("hypercorn.asyncio.tcp_server", "TCPServer"):
        return ServingStack(
            server=f"hypercorn {version('hypercorn')}",
            http=class_path(connection.protocol.protocol),
            access_log=connection.config.log.access_logger is not None,
            keep_alive_s=float(connection.config.keep_alive_timeout),
        )
    return None


def _granian() -> ServingStack | None:
    """Its HTTP/1 settings hold how long it waits for a request's head, which also ends idle connections."""
    for connection in _instances("granian._granian", "ASGIHTTPProtocol"):
        (settings, *_) = _instances("granian.http", "HTTP1Settings")
        # The access log is a wrapper around the app, made only where it was asked for.
        functions = (value for value in gc.get_objects() if type(value) is FunctionType)
        return ServingStack(
            server=f"granian {version('granian')}",
            http=class_path(connection),
            access_log=any(_is_granian_logger(function.__code__) for function in functions),
            keep_alive_s=settings.header_read_timeout / 1000,
        )
    return None


def _is_granian_logger(code: CodeType) -> bool:
    name, file = GRANIAN_LOGGED
    return code.co_name == name and code.co_filename.endswith(file)


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


def _gunicorn_name(worker: Any) -> str:
    return f"gunicorn {version('gunicorn')} ({worker.cfg.worker_class_str})"


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
