"""granian: HTTP in Rust."""

from __future__ import annotations

from harness.model import Variant
from harness.recipes.placeholders import PORT
from harness.recipes.recipe import Argv, ExpectedStack, Recipe, host, named, stated
from harness.target import Target

FIXED = frozenset({"worker_timeout_s", "preload", "limit_concurrency", "max_requests"})
"""A worker that hangs is never noticed. It replaces workers by age or memory; its --backpressure lets
requests wait."""
LEAST_BACKLOG = 128


def command(variant: Variant, target: Target) -> Argv:
    app, *options = named(variant, target, directory="--working-dir")
    return (
        *("granian", app, *options, "--interface", "asgi", "--host", host(variant), "--port", PORT),
        *("--workers", str(variant.workers), "--loop", "uvloop", "--http", "1"),
        "--access-log" if variant.access_log else "--no-access-log",
        # In milliseconds, and counted from the end of the answer before: it is the idle keep-alive as well.
        *("--http1-header-read-timeout", str(variant.keep_alive_s * 1000)),
        *("--workers-kill-timeout", str(variant.graceful_timeout_s)),
        *stated(("--backlog", variant.backlog)),
    )


def problem(variant: Variant, _: Target) -> str | None:
    if variant.backlog is not None and variant.backlog < LEAST_BACKLOG:
        return f"backlog = {variant.backlog}, but granian takes {LEAST_BACKLOG} at least"
    return None


RECIPES = {
    "granian": Recipe(
        description="granian: HTTP in Rust, asgi interface, uvloop",
        simplicity=6,
        stack=ExpectedStack(loop="uvloop.", http="granian._granian.ASGIHTTPProtocol"),
        command=command,
        fixed=FIXED,
        most_keep_alive_s=60,
        problem=problem,
    )
}
