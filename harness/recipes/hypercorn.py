"""hypercorn."""

from __future__ import annotations

from harness.model import Variant
from harness.recipes.placeholders import PORT
from harness.recipes.recipe import Argv, ExpectedStack, Recipe, host, import_string, stated
from harness.target import Target

FIXED = frozenset({"worker_timeout_s", "preload", "limit_concurrency"})
"""A worker that hangs is never noticed, let alone replaced."""


def command(variant: Variant, target: Target) -> Argv:
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
        *stated(("--backlog", variant.backlog), ("--max-requests", variant.max_requests)),
    )


RECIPES = {
    "hypercorn": Recipe(
        description="hypercorn on h11 and uvloop",
        simplicity=7,
        stack=ExpectedStack(loop="uvloop.", http="hypercorn.protocol.h11.H11Protocol"),
        command=command,
        fixed=FIXED,
    )
}
