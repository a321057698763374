"""The exact command line of every server, for any variant it can have. Pure: nothing runs here.

Event loops, parsers and worker classes are named wherever a server has an option for them, so that a
missing package is an error and not a silent fallback.
"""

from __future__ import annotations

from harness.model import Variant
from harness.planning.placeholders import PORT, TLS_DIRECTORY

APP = "target_app.main:app"

Argv = tuple[str, ...]


def host(variant: Variant) -> str:
    """Only a load that comes through another network namespace needs more than loopback."""
    return "0.0.0.0" if variant.network in ("bridge", "published") else "127.0.0.1"


def uvicorn_plain(variant: Variant) -> Argv:
    return _uvicorn(variant, loop="asyncio", http="h11")


def uvicorn_standard(variant: Variant) -> Argv:
    return _uvicorn(variant, loop="uvloop", http="httptools")


def uvicorn_no_proxy_headers(variant: Variant) -> Argv:
    return (*uvicorn_standard(variant), "--no-proxy-headers")


def uvicorn_tls(variant: Variant) -> Argv:
    return (
        *uvicorn_standard(variant),
        *("--ssl-keyfile", f"{TLS_DIRECTORY}/key.pem", "--ssl-certfile", f"{TLS_DIRECTORY}/cert.pem"),
    )


def uvicorn_reload(variant: Variant) -> Argv:
    # The flag excludes --workers. Without a directory it watches the working directory, whatever that is.
    return _uvicorn(variant, "--reload", "--reload-dir", "target_app", loop="uvloop", http="httptools")


def uvicorn_zttp(variant: Variant) -> Argv:
    return _uvicorn(variant, loop="uvloop", http="zttp")


def uvicorn_rloop(variant: Variant) -> Argv:
    return _uvicorn(variant, loop="rloop:new_event_loop", http="httptools")


def gunicorn_uvicorn(variant: Variant) -> Argv:
    return _gunicorn(variant, "--worker-class", "uvicorn_worker.UvicornWorker")


def gunicorn_uvicorn_deprecated(variant: Variant) -> Argv:
    return _gunicorn(variant, "--worker-class", "uvicorn.workers.UvicornWorker")


def gunicorn_asgi(variant: Variant) -> Argv:
    return _gunicorn_asgi(variant, parser="fast")


def gunicorn_asgi_pure(variant: Variant) -> Argv:
    return _gunicorn_asgi(variant, parser="python")


def gunicorn_sync(variant: Variant) -> Argv:
    return _gunicorn(variant, "--worker-class", "sync")


def fastapi_run(variant: Variant) -> Argv:
    # It has no access log flag either; the app follows TARGET_ACCESS_LOG.
    return (
        *("fastapi", "run", "--entrypoint", APP, "--host", host(variant), "--port", PORT),
        *("--workers", str(variant.workers), "--proxy-headers"),
    )


def fastapi_run_no_proxy_headers(variant: Variant) -> Argv:
    return (*fastapi_run(variant)[:-1], "--no-proxy-headers")


def granian(variant: Variant) -> Argv:
    return (
        *("granian", APP, "--interface", "asgi", "--host", host(variant), "--port", PORT),
        *("--workers", str(variant.workers), "--loop", "uvloop", "--http", "1"),
        "--access-log" if variant.access_log else "--no-access-log",
        # In milliseconds, and counted from the end of the answer before: it is the idle keep-alive as well.
        *("--http1-header-read-timeout", str(variant.keep_alive_s * 1000)),
        *("--workers-kill-timeout", str(variant.graceful_timeout_s)),
    )


def hypercorn(variant: Variant) -> Argv:
    # It closes every connection after 1,000 requests, for which there is no option.
    return (
        *("hypercorn", APP, "--bind", f"{host(variant)}:{PORT}"),
        *("--workers", str(variant.workers), "--worker-class", "uvloop"),
        *(("--access-logfile", "-") if variant.access_log else ()),
        *("--keep-alive", str(variant.keep_alive_s)),
        *("--graceful-timeout", str(variant.graceful_timeout_s)),
    )


def _uvicorn(variant: Variant, *processes: str, loop: str, http: str) -> Argv:
    # With 1 worker uvicorn serves in the first process; with more, that process only supervises.
    return (
        *("uvicorn", APP, "--host", host(variant), "--port", PORT),
        *(processes or ("--workers", str(variant.workers))),
        *("--loop", loop, "--http", http),
        "--access-log" if variant.access_log else "--no-access-log",
        *("--timeout-keep-alive", str(variant.keep_alive_s)),
        *("--timeout-graceful-shutdown", str(variant.graceful_timeout_s)),
        *("--timeout-worker-healthcheck", str(variant.worker_timeout_s)),
    )


def _gunicorn(variant: Variant, *worker: str) -> Argv:
    return (
        *("gunicorn", APP, "--bind", f"{host(variant)}:{PORT}"),
        *("--workers", str(variant.workers), *worker),
        *(("--access-logfile", "-") if variant.access_log else ()),
        *("--keep-alive", str(variant.keep_alive_s)),
        *("--graceful-timeout", str(variant.graceful_timeout_s)),
        *("--timeout", str(variant.worker_timeout_s)),
        # The heartbeat file must be writable under a read-only root, and not stall on a disk.
        *("--worker-tmp-dir", "/dev/shm"),
        # It would be written to the home directory, which is read-only.
        "--no-control-socket",
    )


def _gunicorn_asgi(variant: Variant, *, parser: str) -> Argv:
    # With the default lifespan mode a failing start-up would be taken for an app without one, and served.
    return _gunicorn(
        variant,
        *("--worker-class", "asgi", "--asgi-loop", "uvloop"),
        *("--http-parser", parser, "--asgi-lifespan", "on"),
    )
