"""The exact command line of every server, for any variant it can have. Pure: nothing runs here.

Event loops, parsers and worker classes are named wherever a server has an option for them, so that a
missing package is an error and not a silent fallback.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.model import Variant
from harness.planning.placeholders import PORT, TLS_DIRECTORY
from harness.target import Target

WRAPPER = "harness_probe.asgi:app"
"""The import string of the app with the wrapper around it."""
ASYNCIO_BACKLOG = 100
"""Of a server that is created without saying one."""
GRANIAN_BACKLOG = 128
"""The least it takes."""
CALLED = "()"
"""The end of an import string that names a factory."""

Argv = tuple[str, ...]
Command = Callable[[Variant, Target], Argv]


def import_string(variant: Variant, target: Target) -> str:
    """What the server imports. Raises ValueError for a target that has no app."""
    if target.app is None:
        raise ValueError(f"{target.name} has no app")
    return WRAPPER if variant.wrapped else target.app


def host(variant: Variant) -> str:
    """Only a load that comes through another network namespace needs more than loopback."""
    return "0.0.0.0" if variant.network in ("bridge", "published") else "127.0.0.1"


def source_directory(target: Target) -> str:
    """What a reload watches: the app's top package, or all of where its import string starts from."""
    module = (target.app or "").partition(":")[0]
    package = module.partition(".")[0] if "." in module else ""
    return "/".join(part for part in (target.app_dir, package) if part) or "."


def level_problem(server: Argv, variant: Variant) -> str | None:
    """Why this command line cannot be started with these levels, or None when it can."""
    program = server[0]
    supervised = "--workers" in server and server[server.index("--workers") + 1] != "1"
    if program == "uvicorn" and variant.max_requests is not None and not supervised:
        return (
            f"max_requests = {variant.max_requests}, but one uvicorn process ends after them and nothing "
            "starts it again; exclude it, or take 2 workers"
        )
    if program == "gunicorn" and "asgi" in server and variant.backlog is not None:
        return (
            f"backlog = {variant.backlog}, but gunicorn's asgi worker listens with "
            f"{ASYNCIO_BACKLOG} whatever --backlog says; exclude it"
        )
    if program == "granian" and variant.backlog is not None and variant.backlog < GRANIAN_BACKLOG:
        return f"backlog = {variant.backlog}, but granian takes {GRANIAN_BACKLOG} at least"
    return None


def bare_problem(program: str, variant: Variant, target: Target) -> str | None:
    """Why this server cannot run this app by itself, or None when it can."""
    attribute = (target.app or "").partition(":")[2]
    if variant.threads is not None:
        return f"threads = {variant.threads} is set by the wrapper, and a bare app has none"
    if program == "gunicorn" and "." in attribute.removesuffix(CALLED):
        return f"gunicorn takes no dotted name after the colon, as in {target.app!r}"
    if program != "fastapi":
        return None
    if attribute.endswith(CALLED):
        return f"`fastapi run` takes no factory, and the app is {target.app!r}"
    if target.app_dir:
        return f"`fastapi run` looks for the app in the working directory only, not in {target.app_dir!r}"
    if not variant.access_log:
        return "`fastapi run` has no option for the access log, and writes one"
    return None


def own_command(_: Variant, target: Target) -> Argv:
    """Empty where the image's own entry point is to stay."""
    return target.command


def uvicorn_plain(variant: Variant, target: Target) -> Argv:
    return _uvicorn(variant, target, loop="asyncio", http="h11")


def uvicorn_standard(variant: Variant, target: Target) -> Argv:
    return _uvicorn(variant, target, loop="uvloop", http="httptools")


def uvicorn_no_proxy_headers(variant: Variant, target: Target) -> Argv:
    return (*uvicorn_standard(variant, target), "--no-proxy-headers")


def uvicorn_tls(variant: Variant, target: Target) -> Argv:
    return (
        *uvicorn_standard(variant, target),
        *("--ssl-keyfile", f"{TLS_DIRECTORY}/key.pem", "--ssl-certfile", f"{TLS_DIRECTORY}/cert.pem"),
    )


def uvicorn_reload(variant: Variant, target: Target) -> Argv:
    # The flag excludes --workers. Without a directory it watches the working directory, whatever that is.
    watched = source_directory(target)
    return _uvicorn(variant, target, "--reload", "--reload-dir", watched, loop="uvloop", http="httptools")


def uvicorn_zttp(variant: Variant, target: Target) -> Argv:
    return _uvicorn(variant, target, loop="uvloop", http="zttp")


def uvicorn_rloop(variant: Variant, target: Target) -> Argv:
    return _uvicorn(variant, target, loop="rloop:new_event_loop", http="httptools")


def gunicorn_uvicorn(variant: Variant, target: Target) -> Argv:
    return _gunicorn(variant, target, "--worker-class", "uvicorn_worker.UvicornWorker")


def gunicorn_uvicorn_deprecated(variant: Variant, target: Target) -> Argv:
    return _gunicorn(variant, target, "--worker-class", "uvicorn.workers.UvicornWorker")


def gunicorn_asgi(variant: Variant, target: Target) -> Argv:
    return _gunicorn_asgi(variant, target, parser="fast")


def gunicorn_asgi_pure(variant: Variant, target: Target) -> Argv:
    return _gunicorn_asgi(variant, target, parser="python")


def gunicorn_sync(variant: Variant, target: Target) -> Argv:
    return _gunicorn(variant, target, "--worker-class", "sync")


def fastapi_run(variant: Variant, target: Target) -> Argv:
    # It has no access log flag either; the wrapper follows HARNESS_ACCESS_LOG.
    app = import_string(variant, target)
    return (
        *("fastapi", "run", "--entrypoint", app, "--host", host(variant), "--port", PORT),
        *("--workers", str(variant.workers), "--proxy-headers"),
    )


def fastapi_run_no_proxy_headers(variant: Variant, target: Target) -> Argv:
    return (*fastapi_run(variant, target)[:-1], "--no-proxy-headers")


def granian(variant: Variant, target: Target) -> Argv:
    app, *options = _named(variant, target, directory="--working-dir")
    return (
        *("granian", app, *options, "--interface", "asgi", "--host", host(variant), "--port", PORT),
        *("--workers", str(variant.workers), "--loop", "uvloop", "--http", "1"),
        "--access-log" if variant.access_log else "--no-access-log",
        # In milliseconds, and counted from the end of the answer before: it is the idle keep-alive as well.
        *("--http1-header-read-timeout", str(variant.keep_alive_s * 1000)),
        *("--workers-kill-timeout", str(variant.graceful_timeout_s)),
        *_stated(("--backlog", variant.backlog)),
    )


def hypercorn(variant: Variant, target: Target) -> Argv:
    # It closes every connection after 1,000 requests, for which there is no option.
    app = import_string(variant, target)
    if not variant.wrapped and target.app_dir:
        app = f"{target.app_dir}/{app}"
    return (
        *("hypercorn", app, "--bind", f"{host(variant)}:{PORT}"),
        *("--workers", str(variant.workers), "--worker-class", "uvloop"),
        *(("--access-logfile", "-") if variant.access_log else ()),
        *("--keep-alive", str(variant.keep_alive_s)),
        *("--graceful-timeout", str(variant.graceful_timeout_s)),
        *_stated(("--backlog", variant.backlog), ("--max-requests", variant.max_requests)),
    )


def _stated(*options: tuple[str, int | None]) -> Argv:
    """What is left out stays the server's own."""
    return tuple(word for flag, value in options if value is not None for word in (flag, str(value)))


def _named(variant: Variant, target: Target, *, directory: str) -> Argv:
    """The app, and the options of a server that has them for factories and for where the app is."""
    app = import_string(variant, target)
    options = ("--factory",) if app.endswith(CALLED) else ()
    where = () if variant.wrapped or not target.app_dir else (directory, target.app_dir)
    return (app.removesuffix(CALLED), *options, *where)


def _uvicorn(variant: Variant, target: Target, *processes: str, loop: str, http: str) -> Argv:
    # With 1 worker uvicorn serves in the first process; with more, that process only supervises.
    app, *options = _named(variant, target, directory="--app-dir")
    return (
        *("uvicorn", app, *options, "--host", host(variant), "--port", PORT),
        *(processes or ("--workers", str(variant.workers))),
        *("--loop", loop, "--http", http),
        "--access-log" if variant.access_log else "--no-access-log",
        *("--timeout-keep-alive", str(variant.keep_alive_s)),
        *("--timeout-graceful-shutdown", str(variant.graceful_timeout_s)),
        # A worker that ends just when its parent asks for a sign of life is replaced after this time only.
        # Where workers end on purpose, that is a pause of the whole server: its own 5 s hold, as deployed.
        *_stated(
            ("--timeout-worker-healthcheck", None if variant.max_requests else variant.worker_timeout_s),
            ("--backlog", variant.backlog),
            ("--limit-concurrency", variant.limit_concurrency),
            ("--limit-max-requests", variant.max_requests),
        ),
    )


def _gunicorn(variant: Variant, target: Target, *worker: str) -> Argv:
    where = () if variant.wrapped or not target.app_dir else ("--pythonpath", target.app_dir)
    return (
        *("gunicorn", import_string(variant, target), *where, "--bind", f"{host(variant)}:{PORT}"),
        *("--workers", str(variant.workers), *worker),
        *(("--access-logfile", "-") if variant.access_log else ()),
        *("--keep-alive", str(variant.keep_alive_s)),
        *("--graceful-timeout", str(variant.graceful_timeout_s)),
        *("--timeout", str(variant.worker_timeout_s)),
        # The heartbeat file must be writable under a read-only root, and not stall on a disk.
        *("--worker-tmp-dir", "/dev/shm"),
        # It would be written to the home directory, which is read-only.
        "--no-control-socket",
        *(("--preload",) if variant.preload else ()),
        *_stated(("--backlog", variant.backlog), ("--max-requests", variant.max_requests)),
    )


def _gunicorn_asgi(variant: Variant, target: Target, *, parser: str) -> Argv:
    # With the default lifespan mode a failing start-up would be taken for an app without one, and served.
    return _gunicorn(
        variant,
        target,
        *("--worker-class", "asgi", "--asgi-loop", "uvloop"),
        *("--http-parser", parser, "--asgi-lifespan", "on"),
    )
