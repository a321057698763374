"""`fastapi run`, the official command."""

from __future__ import annotations

from harness.model import Variant
from harness.recipes.placeholders import PORT
from harness.recipes.recipe import CALLED, Argv, Command, ExpectedStack, Recipe, host, import_string
from harness.recipes.uvicorn import HTTPTOOLS, STANDARD
from harness.target import Target

FIXED = frozenset(
    {"keep_alive_s", "graceful_timeout_s", "worker_timeout_s"}
    | {"preload", "max_requests", "backlog", "limit_concurrency"}
)
"""Its graceful timeout is without end and its worker timeout 5 s. They act only on stop and on a worker
that hangs, never on a valid measurement; the engine bounds the stop."""


def command(proxy_headers: str) -> Command:
    def argv(variant: Variant, target: Target) -> Argv:
        # It has no access log flag either; the wrapper follows HARNESS_ACCESS_LOG.
        app = import_string(variant, target)
        return (
            *("fastapi", "run", "--entrypoint", app, "--host", host(variant), "--port", PORT),
            *("--workers", str(variant.workers), proxy_headers),
        )

    return argv


def problem(variant: Variant, target: Target) -> str | None:
    if not variant.bare:
        return None
    if (target.app or "").endswith(CALLED):
        return f"`fastapi run` takes no factory, and the app is {target.app!r}"
    if target.app_dir:
        return f"`fastapi run` looks for the app in the working directory only, not in {target.app_dir!r}"
    if not variant.access_log:
        return "`fastapi run` has no option for the access log, and writes one"
    return None


RECIPES = {
    "fastapi-run": Recipe(
        description="`fastapi run`, the official command, over uvicorn[standard]",
        simplicity=4,
        stack=STANDARD,
        command=command("--proxy-headers"),
        fixed=FIXED,
        problem=problem,
    ),
    "fastapi-run-no-proxy-headers": Recipe(
        description="`fastapi run --no-proxy-headers`: X-Forwarded-* is not looked at",
        simplicity=5,
        stack=ExpectedStack(loop="uvloop.", http=HTTPTOOLS),
        command=command("--no-proxy-headers"),
        image="fastapi-run",
        fixed=FIXED,
        problem=problem,
    ),
}
