"""The recipes, and what starts each of them. Pure: nothing runs here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from harness.model import Variant
from harness.planning import servers

CONTAINER_PORT = 8000
"""The port on every network path but `host`, where a free one of the host is taken."""
GENERATOR_ARGV = ("python", "-m", "scenarios.loadkit.agent")
"""One process of the load generator, the same for every variant."""

UVICORN_H11 = "uvicorn.protocols.http.h11_impl.H11Protocol"
UVICORN_HTTPTOOLS = "uvicorn.protocols.http.httptools_impl.HttpToolsProtocol"
UVICORN_ZTTP = "uvicorn.protocols.http.zttp_impl.ZttpProtocol"
GUNICORN_H1C = "gunicorn_h1c."
GUNICORN_PURE = "gunicorn.asgi.parser.PythonProtocol"
GRANIAN_RUST = "granian._granian.ASGIHTTPProtocol"
HYPERCORN_H11 = "hypercorn.protocol.h11.H11Protocol"

PROXY_HEADERS = "proxy-headers"

_DEFAULT = Variant(recipe="", workers=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """What the probe must report from inside: class paths, as prefixes, and exactly these features."""

    loop: str
    http: str
    features: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One way to install and start the app."""

    description: str
    simplicity: int
    """Rank, 0 the simplest: fewer moving parts, fewer compiled dependencies. Breaks ties in the verdict."""
    stack: Stack
    command: Callable[[Variant], tuple[str, ...]]
    image: str | None = None
    """The stage of Dockerfile.variants and file in requirements/ that it shares; None for its own."""
    env: tuple[tuple[str, str], ...] = ()
    """Settings of the app that make it this recipe."""
    fixed: frozenset[str] = frozenset()
    """Levels that it has no option for: it runs with the server's own at the default level, and no other."""
    most_keep_alive_s: int | None = None
    caution: str | None = None
    """What a team must know before it deploys this, said wherever the recipe is listed or ranked."""


def image_of(recipe: str) -> str:
    """The stage of Dockerfile.variants, and the file in requirements/, that a recipe is built from."""
    return RECIPES[recipe].image or recipe


def server_argv(variant: Variant) -> tuple[str, ...]:
    """The server's command line, with "{port}" where the engine puts the port.

    Raises ValueError for a variant that `impossible` names.
    """
    if problem := impossible(variant):
        raise ValueError(f"{variant.id}: {problem}")
    return RECIPES[variant.recipe].command(variant)


def server_env(variant: Variant) -> dict[str, str]:
    """The app's own settings. An engine without a private /tmp adds TARGET_RUNTIME_DIR."""
    levels = {"TARGET_VARIANT_ID": variant.id, "TARGET_ACCESS_LOG": str(variant.access_log).lower()}
    return levels | dict(RECIPES[variant.recipe].env)


def impossible(variant: Variant) -> str | None:
    """Why this recipe cannot have these levels, or None when it can."""
    if variant.recipe not in RECIPES:
        return f"unknown recipe {variant.recipe!r}; known are {', '.join(RECIPES)}"
    if variant.workers < 1:
        return f"workers is {variant.workers}, but a server needs at least 1"
    recipe = RECIPES[variant.recipe]
    most = recipe.most_keep_alive_s
    if most is not None and variant.keep_alive_s > most:
        return f"keep_alive_s = {variant.keep_alive_s}, but {variant.recipe} takes {most} at most"
    for level in sorted(recipe.fixed):
        value, only = getattr(variant, level), getattr(_DEFAULT, level)
        if value != only:
            return (
                f"{level} = {value}, but {variant.recipe} has no option for it; exclude it, or leave "
                f"{level} at {only}"
            )
    return None


_STANDARD = Stack(loop="uvloop.", http=UVICORN_HTTPTOOLS, features=frozenset({PROXY_HEADERS}))
_NOT_IN_FASTAPI_RUN = frozenset({"keep_alive_s", "graceful_timeout_s", "worker_timeout_s"})
"""Its graceful timeout is without end and its worker timeout 5 s. They act only on stop and on a worker
that hangs, never on a valid measurement; the engine bounds the stop."""
_NO_WORKER_TIMEOUT = frozenset({"worker_timeout_s"})
"""A worker that hangs is never noticed, let alone replaced."""

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "uvicorn-plain": Recipe(
            description="uvicorn on h11 and asyncio, nothing compiled in the server",
            simplicity=0,
            stack=Stack(loop="asyncio.", http=UVICORN_H11, features=frozenset({PROXY_HEADERS})),
            command=servers.uvicorn_plain,
        ),
        "uvicorn-standard": Recipe(
            description="uvicorn[standard]: httptools and uvloop",
            simplicity=1,
            stack=_STANDARD,
            command=servers.uvicorn_standard,
        ),
        "uvicorn-no-proxy-headers": Recipe(
            description="uvicorn[standard] with --no-proxy-headers: X-Forwarded-* is not looked at",
            simplicity=2,
            stack=Stack(loop="uvloop.", http=UVICORN_HTTPTOOLS),
            command=servers.uvicorn_no_proxy_headers,
            image="uvicorn-standard",
        ),
        "uvicorn-mounted": Recipe(
            description="uvicorn[standard], /v1 and /v2 as mounted sub-applications instead of routes",
            simplicity=3,
            stack=Stack(
                loop="uvloop.", http=UVICORN_HTTPTOOLS, features=frozenset({PROXY_HEADERS, "mounted"})
            ),
            command=servers.uvicorn_standard,
            image="uvicorn-standard",
            env=(("TARGET_MOUNTED", "true"),),
        ),
        "fastapi-run": Recipe(
            description="`fastapi run`, the official command, over uvicorn[standard]",
            simplicity=4,
            stack=_STANDARD,
            command=servers.fastapi_run,
            fixed=_NOT_IN_FASTAPI_RUN,
        ),
        "fastapi-run-no-proxy-headers": Recipe(
            description="`fastapi run --no-proxy-headers`: X-Forwarded-* is not looked at",
            simplicity=5,
            stack=Stack(loop="uvloop.", http=UVICORN_HTTPTOOLS),
            command=servers.fastapi_run_no_proxy_headers,
            image="fastapi-run",
            fixed=_NOT_IN_FASTAPI_RUN,
        ),
        "granian": Recipe(
            description="granian: HTTP in Rust, asgi interface, uvloop",
            simplicity=6,
            stack=Stack(loop="uvloop.", http=GRANIAN_RUST),
            command=servers.granian,
            fixed=_NO_WORKER_TIMEOUT,
            most_keep_alive_s=60,
        ),
        "hypercorn": Recipe(
            description="hypercorn on h11 and uvloop",
            simplicity=7,
            stack=Stack(loop="uvloop.", http=HYPERCORN_H11),
            command=servers.hypercorn,
            fixed=_NO_WORKER_TIMEOUT,
        ),
        "gunicorn-asgi-pure": Recipe(
            description="gunicorn with its own asgi worker, parser in Python, and uvloop",
            simplicity=8,
            stack=Stack(loop="uvloop.", http=GUNICORN_PURE),
            command=servers.gunicorn_asgi_pure,
            image="gunicorn-uvicorn",
        ),
        "gunicorn-asgi": Recipe(
            description="gunicorn with its own asgi worker, C parser and uvloop",
            simplicity=9,
            stack=Stack(loop="uvloop.", http=GUNICORN_H1C),
            command=servers.gunicorn_asgi,
        ),
        "gunicorn-uvicorn": Recipe(
            description="gunicorn supervising uvicorn workers (uvicorn-worker)",
            simplicity=10,
            stack=_STANDARD,
            command=servers.gunicorn_uvicorn,
        ),
        "gunicorn-uvicorn-deprecated": Recipe(
            description="gunicorn supervising the uvicorn workers that uvicorn itself brings",
            simplicity=11,
            stack=_STANDARD,
            command=servers.gunicorn_uvicorn_deprecated,
            image="gunicorn-uvicorn",
            caution="deprecated: uvicorn.workers gives way to the package uvicorn-worker (gunicorn-uvicorn)",
        ),
        "uvicorn-zttp": Recipe(
            description="uvicorn with its new parser zttp, on uvloop",
            simplicity=12,
            stack=Stack(loop="uvloop.", http=UVICORN_ZTTP, features=frozenset({PROXY_HEADERS})),
            command=servers.uvicorn_zttp,
            caution="experimental: uvicorn 0.52 brought zttp and advises against it in production",
        ),
        "uvicorn-rloop": Recipe(
            description="uvicorn with httptools on rloop, an event loop in Rust",
            simplicity=13,
            stack=Stack(loop="rloop.", http=UVICORN_HTTPTOOLS, features=frozenset({PROXY_HEADERS})),
            command=servers.uvicorn_rloop,
            image="uvicorn-zttp",
            caution="experimental: rloop calls itself not ready for production",
        ),
        "uvicorn-reload": Recipe(
            description="uvicorn[standard] with --reload: a second process watches the source",
            simplicity=14,
            stack=Stack(
                loop="uvloop.", http=UVICORN_HTTPTOOLS, features=frozenset({PROXY_HEADERS, "reload"})
            ),
            command=servers.uvicorn_reload,
            image="uvicorn-standard",
            fixed=frozenset({"workers"}),
            caution="for development: any change of a source file restarts the one worker there is",
        ),
        "gunicorn-sync": Recipe(
            description="gunicorn with its default worker, which speaks WSGI to an ASGI app",
            simplicity=15,
            stack=Stack(loop="", http=""),
            command=servers.gunicorn_sync,
            image="gunicorn-uvicorn",
        ),
    }
)

EXPECTED_STACK: Mapping[str, Stack] = MappingProxyType(
    {name: recipe.stack for name, recipe in RECIPES.items()}
)
"""What the probe must report per recipe (validity rule I9). Compare with str.startswith."""
