"""uvicorn: with what it can be installed with, and with what it can be told.

Event loop and parser are named, so that a missing package is an error and not a silent fallback.
"""

from __future__ import annotations

from dataclasses import replace

from harness.model import Variant
from harness.recipes.placeholders import PORT, TLS_DIRECTORY
from harness.recipes.recipe import PROXY_HEADERS, Argv, Command, ExpectedStack, Recipe, host, named, stated
from harness.target import Target

H11 = "uvicorn.protocols.http.h11_impl.H11Protocol"
HTTPTOOLS = "uvicorn.protocols.http.httptools_impl.HttpToolsProtocol"
ZTTP = "uvicorn.protocols.http.zttp_impl.ZttpProtocol"
TLS_13 = "TLSv1.3 TLS_AES_256_GCM_SHA384"
"""OpenSSL's first choice on both sides; the load generator offers nothing older than TLS 1.3."""
FIXED = frozenset({"preload"})

STANDARD = ExpectedStack(loop="uvloop.", http=HTTPTOOLS, features=frozenset({PROXY_HEADERS}))
"""Of uvicorn[standard], by itself and inside others."""


def command(*more: str, loop: str, http: str) -> Command:
    return lambda variant, target: _argv(
        variant, target, "--workers", str(variant.workers), loop=loop, http=http, more=more
    )


standard = command(loop="uvloop", http="httptools")


def reloading(variant: Variant, target: Target) -> Argv:
    # The flag excludes --workers. Without a directory it watches the working directory, whatever that is.
    watched = source_directory(target)
    return _argv(variant, target, "--reload", "--reload-dir", watched, loop="uvloop", http="httptools")


def source_directory(target: Target) -> str:
    """What a reload watches: the app's top package, or all of where its import string starts from."""
    module = (target.app or "").partition(":")[0]
    package = module.partition(".")[0] if "." in module else ""
    return "/".join(part for part in (target.app_dir, package) if part) or "."


def problem(variant: Variant, _: Target) -> str | None:
    if variant.max_requests is not None and variant.workers == 1:
        return (
            f"max_requests = {variant.max_requests}, but one uvicorn process ends after them and nothing "
            "starts it again; exclude it, or take 2 workers"
        )
    return None


def _argv(
    variant: Variant, target: Target, *processes: str, loop: str, http: str, more: tuple[str, ...] = ()
) -> Argv:
    # With 1 worker uvicorn serves in the first process; with more, that process only supervises.
    app, *options = named(variant, target, directory="--app-dir")
    return (
        *("uvicorn", app, *options, "--host", host(variant), "--port", PORT),
        *processes,
        *("--loop", loop, "--http", http),
        "--access-log" if variant.access_log else "--no-access-log",
        *("--timeout-keep-alive", str(variant.keep_alive_s)),
        *("--timeout-graceful-shutdown", str(variant.graceful_timeout_s)),
        # A worker that ends just when its parent asks for a sign of life is replaced after this time only.
        # Where workers end on purpose, that is a pause of the whole server: its own 5 s hold, as deployed.
        *stated(
            ("--timeout-worker-healthcheck", None if variant.max_requests else variant.worker_timeout_s),
            ("--backlog", variant.backlog),
            ("--limit-concurrency", variant.limit_concurrency),
            ("--limit-max-requests", variant.max_requests),
        ),
        *more,
    )


RECIPES = {
    "uvicorn-plain": Recipe(
        description="uvicorn on h11 and asyncio, nothing compiled in the server",
        simplicity=0,
        stack=ExpectedStack(loop="asyncio.", http=H11, features=frozenset({PROXY_HEADERS})),
        command=command(loop="asyncio", http="h11"),
        fixed=FIXED,
        problem=problem,
    ),
    "uvicorn-standard": Recipe(
        description="uvicorn[standard]: httptools and uvloop",
        simplicity=1,
        stack=STANDARD,
        command=standard,
        fixed=FIXED,
        problem=problem,
    ),
    "uvicorn-no-proxy-headers": Recipe(
        description="uvicorn[standard] with --no-proxy-headers: X-Forwarded-* is not looked at",
        simplicity=2,
        stack=ExpectedStack(loop="uvloop.", http=HTTPTOOLS),
        command=command("--no-proxy-headers", loop="uvloop", http="httptools"),
        image="uvicorn-standard",
        fixed=FIXED,
        problem=problem,
    ),
    "uvicorn-mounted": Recipe(
        description="uvicorn[standard], /v1 and /v2 as mounted sub-applications instead of routes",
        simplicity=3,
        stack=STANDARD,
        command=standard,
        image="uvicorn-standard",
        env=(("TARGET_MOUNTED", "true"),),
        fixed=FIXED,
        problem=problem,
    ),
    "uvicorn-zttp": Recipe(
        description="uvicorn with its new parser zttp, on uvloop",
        simplicity=12,
        stack=ExpectedStack(loop="uvloop.", http=ZTTP, features=frozenset({PROXY_HEADERS})),
        command=command(loop="uvloop", http="zttp"),
        caution="experimental: uvicorn 0.52 brought zttp and advises against it in production",
        fixed=FIXED,
        problem=problem,
    ),
    "uvicorn-rloop": Recipe(
        description="uvicorn with httptools on rloop, an event loop in Rust",
        simplicity=13,
        stack=ExpectedStack(loop="rloop.", http=HTTPTOOLS, features=frozenset({PROXY_HEADERS})),
        command=command(loop="rloop:new_event_loop", http="httptools"),
        image="uvicorn-zttp",
        caution="experimental: rloop calls itself not ready for production",
        fixed=FIXED,
        problem=problem,
    ),
    "uvicorn-reload": Recipe(
        description="uvicorn[standard] with --reload: a second process watches the source",
        simplicity=14,
        stack=ExpectedStack(loop="uvloop.", http=HTTPTOOLS, features=frozenset({PROXY_HEADERS, "reload"})),
        command=reloading,
        image="uvicorn-standard",
        fixed=frozenset({"workers", *FIXED}),
        problem=problem,
        caution="for development: any change of a source file restarts the one worker there is",
    ),
    "uvicorn-tls": Recipe(
        description="uvicorn[standard] terminating TLS itself",
        simplicity=20,
        stack=replace(STANDARD, tls=TLS_13),
        command=command(
            *("--ssl-keyfile", f"{TLS_DIRECTORY}/key.pem", "--ssl-certfile", f"{TLS_DIRECTORY}/cert.pem"),
            loop="uvloop",
            http="httptools",
        ),
        lock="uvicorn-standard",
        programs=("openssl",),
        fixed=FIXED,
        problem=problem,
    ),
}
