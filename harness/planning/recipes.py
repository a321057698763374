"""The recipes: what each is installed from, started by, and must turn out to be. Pure: nothing runs here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from harness.model import OWN_COMMAND
from harness.planning import fronts, servers

UVICORN_H11 = "uvicorn.protocols.http.h11_impl.H11Protocol"
UVICORN_HTTPTOOLS = "uvicorn.protocols.http.httptools_impl.HttpToolsProtocol"
UVICORN_ZTTP = "uvicorn.protocols.http.zttp_impl.ZttpProtocol"
GUNICORN_H1C = "gunicorn_h1c."
GUNICORN_PURE = "gunicorn.asgi.parser.PythonProtocol"
GRANIAN_RUST = "granian._granian.ASGIHTTPProtocol"
HYPERCORN_H11 = "hypercorn.protocol.h11.H11Protocol"
NGINX = "nginx/"
TLS_13 = "TLSv1.3 TLS_AES_256_GCM_SHA384"
"""OpenSSL's first choice on both sides; the load generator offers nothing older than TLS 1.3."""

PROXY_HEADERS = "proxy-headers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """What the probe must report, as prefixes: class paths from inside, proxy and TLS (None: without); and
    exactly these features."""

    loop: str
    http: str
    features: frozenset[str] = frozenset()
    front: str | None = None
    tls: str | None = None

    @property
    def scheme(self) -> str:
        """Of URLs, also as the app sees it."""
        return "http" if self.tls is None else "https"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One way to install and start the app."""

    description: str
    simplicity: int
    """Rank, 0 the simplest: fewer moving parts, fewer compiled dependencies. Breaks ties in the verdict."""
    stack: Stack
    command: servers.Command
    behind: fronts.Behind | None = None
    """The commands of the servers behind it, where `command` is a proxy's."""
    image: str | None = None
    """The stage of Dockerfile.variants and file in requirements/ that it shares; None for its own."""
    lock: str | None = None
    """Stem of the file in requirements/ that it shares, where the stage is its own."""
    parts: tuple[str, ...] = ()
    """Further stages whose images its processes run in."""
    programs: tuple[str, ...] = ()
    """What it runs that is not Python's: in its image, and without images to be found on the machine."""
    env: tuple[tuple[str, str], ...] = ()
    """Settings of the app that make it this recipe."""
    fixed: frozenset[str] = frozenset()
    """Levels that it has no option for: it runs with the server's own at the default level, and no other."""
    most_keep_alive_s: int | None = None
    caution: str | None = None
    """What a team must know before it deploys this, said wherever the recipe is listed or ranked."""


def image_of(recipe: str) -> str:
    """The stage of Dockerfile.variants that a recipe is built from."""
    return RECIPES[recipe].image or recipe


def lock_of(recipe: str) -> str:
    """Stem of a recipe's file in requirements/: its own name, where nothing else is known."""
    known = RECIPES.get(recipe)
    return (known and (known.lock or known.image)) or recipe


_STANDARD = Stack(loop="uvloop.", http=UVICORN_HTTPTOOLS, features=frozenset({PROXY_HEADERS}))
_UNKNOWN = Stack(loop="", http="")
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
            stack=_STANDARD,
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
            stack=_UNKNOWN,
            command=servers.gunicorn_sync,
            image="gunicorn-uvicorn",
        ),
        "uvicorn-tls": Recipe(
            description="uvicorn[standard] terminating TLS itself",
            simplicity=20,
            stack=replace(_STANDARD, tls=TLS_13),
            command=servers.uvicorn_tls,
            lock="uvicorn-standard",
            programs=("openssl",),
        ),
        "nginx-plain": Recipe(
            description="nginx in front of uvicorn[standard], each in a container of its own",
            simplicity=21,
            stack=replace(_STANDARD, front=NGINX),
            command=fronts.nginx,
            behind=fronts.one_server(servers.uvicorn_standard),
            lock="uvicorn-standard",
            parts=("nginx",),
            programs=("nginx",),
        ),
        "nginx-tls": Recipe(
            description="nginx terminating TLS in front of uvicorn[standard], each in a container of its own",
            simplicity=22,
            stack=replace(_STANDARD, front=NGINX, tls=TLS_13),
            command=fronts.nginx,
            behind=fronts.one_server(servers.uvicorn_standard),
            lock="uvicorn-standard",
            parts=("nginx",),
            programs=("nginx", "openssl"),
        ),
        "nginx-replicas": Recipe(
            description="nginx in front of single-worker uvicorn[standard], a container for each worker",
            simplicity=23,
            stack=replace(_STANDARD, front=NGINX),
            command=fronts.nginx,
            behind=fronts.replicas(servers.uvicorn_standard),
            lock="uvicorn-standard",
            parts=("nginx",),
            programs=("nginx",),
        ),
        OWN_COMMAND: Recipe(
            description="the image's own command, a black box",
            simplicity=30,
            stack=_UNKNOWN,
            command=servers.own_command,
            fixed=frozenset(
                {"workers", "access_log", "keep_alive_s", "graceful_timeout_s", "worker_timeout_s"}
            ),
        ),
    }
)

EXPECTED_STACK: Mapping[str, Stack] = MappingProxyType(
    {name: recipe.stack for name, recipe in RECIPES.items() if name != OWN_COMMAND}
)
"""What the probe must report per recipe (validity rule I9). Compare with str.startswith.
A black box reports nothing."""
