"""gunicorn, which supervises workers of uvicorn or of its own."""

from __future__ import annotations

from harness.model import Variant
from harness.recipes.placeholders import PORT
from harness.recipes.recipe import (
    CALLED,
    UNKNOWN,
    Argv,
    Command,
    ExpectedStack,
    Recipe,
    host,
    import_string,
    stated,
)
from harness.recipes.uvicorn import STANDARD
from harness.target import Target

H1C = "gunicorn_h1c."
PURE = "gunicorn.asgi.parser.PythonProtocol"
FIXED = frozenset({"limit_concurrency"})
"""Its --worker-connections lets further connections wait; nothing is refused."""
ASYNCIO_BACKLOG = 100
"""Of a server that is created without saying one."""


def command(worker: str, *more: str) -> Command:
    return lambda variant, target: _argv(variant, target, "--worker-class", worker, *more)


def own(parser: str) -> Command:
    """Its own asgi worker."""
    # With the default lifespan mode a failing start-up would be taken for an app without one, and served.
    return command("asgi", "--asgi-loop", "uvloop", "--http-parser", parser, "--asgi-lifespan", "on")


def problem(variant: Variant, target: Target) -> str | None:
    attribute = (target.app or "").partition(":")[2]
    if variant.bare and "." in attribute.removesuffix(CALLED):
        return f"gunicorn takes no dotted name after the colon, as in {target.app!r}"
    return None


def problem_of_own(variant: Variant, target: Target) -> str | None:
    if variant.backlog is not None:
        return (
            f"backlog = {variant.backlog}, but gunicorn's asgi worker listens with "
            f"{ASYNCIO_BACKLOG} whatever --backlog says; exclude it"
        )
    return problem(variant, target)


def _argv(variant: Variant, target: Target, *worker: str) -> Argv:
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
        *stated(("--backlog", variant.backlog), ("--max-requests", variant.max_requests)),
    )


RECIPES = {
    "gunicorn-asgi-pure": Recipe(
        description="gunicorn with its own asgi worker, parser in Python, and uvloop",
        simplicity=8,
        stack=ExpectedStack(loop="uvloop.", http=PURE),
        command=own("python"),
        image="gunicorn-uvicorn",
        fixed=FIXED,
        problem=problem_of_own,
    ),
    "gunicorn-asgi": Recipe(
        description="gunicorn with its own asgi worker, C parser and uvloop",
        simplicity=9,
        stack=ExpectedStack(loop="uvloop.", http=H1C),
        command=own("fast"),
        from_source=("gunicorn-h1c",),
        fixed=FIXED,
        problem=problem_of_own,
    ),
    "gunicorn-uvicorn": Recipe(
        description="gunicorn supervising uvicorn workers (uvicorn-worker)",
        simplicity=10,
        stack=STANDARD,
        command=command("uvicorn_worker.UvicornWorker"),
        fixed=FIXED,
        problem=problem,
    ),
    "gunicorn-uvicorn-deprecated": Recipe(
        description="gunicorn supervising the uvicorn workers that uvicorn itself brings",
        simplicity=11,
        stack=STANDARD,
        command=command("uvicorn.workers.UvicornWorker"),
        image="gunicorn-uvicorn",
        caution="deprecated: uvicorn.workers gives way to the package uvicorn-worker (gunicorn-uvicorn)",
        fixed=FIXED,
        problem=problem,
    ),
    "gunicorn-sync": Recipe(
        description="gunicorn with its default worker, which speaks WSGI to an ASGI app",
        simplicity=15,
        stack=UNKNOWN,
        command=command("sync"),
        image="gunicorn-uvicorn",
        fixed=FIXED,
        problem=problem,
    ),
}
