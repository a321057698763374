"""The recipes, and the exact command and environment that start each of them. Pure: nothing runs here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from harness.model import ProcessSpec, Variant
from harness.planning import fronts
from harness.planning.placeholders import PORT, TLS_DIRECTORY

APP = "target_app.main:app"
CONTAINER_PORT = 8000
"""The port on every network path but `host`, where a free one of the host is taken."""
CONTAINER_TLS = "/opt/tls"
GENERATOR_ARGV = ("python", "-m", "scenarios.loadkit.agent")
"""One process of the load generator, the same for every variant."""

UVICORN_H11 = "uvicorn.protocols.http.h11_impl.H11Protocol"
UVICORN_HTTPTOOLS = "uvicorn.protocols.http.httptools_impl.HttpToolsProtocol"
GUNICORN_H1C = "gunicorn_h1c."
NGINX = "nginx/"
TLS_13 = "TLSv1.3 TLS_AES_256_GCM_SHA384"
"""OpenSSL's first choice on both sides; the load generator offers nothing older than TLS 1.3."""

_DEFAULT = Variant(recipe="", workers=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """What the probe must report, as prefixes: class paths from inside, proxy and TLS (None: without)."""

    loop: str
    http: str
    front: str | None = None
    tls: str | None = None

    @property
    def scheme(self) -> str:
        """Of URLs, also as the app sees it."""
        return "http" if self.tls is None else "https"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One way to install and start the app: a stage of Dockerfile.variants and a lock in requirements/."""

    description: str
    simplicity: int
    """Rank, 0 the simplest: fewer moving parts, fewer compiled dependencies. Breaks ties in the verdict."""
    stack: Stack
    command: Callable[[Variant], tuple[str, ...]]
    behind: Callable[[Variant], tuple[tuple[str, ...], ...]] | None = None
    """The commands of the servers behind it, where `command` is a proxy's."""
    lock: str | None = None
    """Stem of its file in requirements/, where that is another recipe's."""
    programs: tuple[str, ...] = ()
    """What it runs that is not Python's: in its image, and without images to be found on the machine."""


def server_argv(variant: Variant) -> tuple[str, ...]:
    """The command line of what the load goes to, with "{port}" where the engine puts the port.

    Raises ValueError for a variant that `impossible` names.
    """
    if problem := impossible(variant):
        raise ValueError(f"{variant.id}: {problem}")
    return RECIPES[variant.recipe].command(variant)


def server_env(variant: Variant) -> dict[str, str]:
    """The app's own settings. An engine without a private /tmp adds TARGET_RUNTIME_DIR."""
    return {"TARGET_VARIANT_ID": variant.id, "TARGET_ACCESS_LOG": str(variant.access_log).lower()}


def processes(variant: Variant) -> tuple[ProcessSpec, ...]:
    """Every process that makes up the deployment; the load goes to the first one.

    Raises ValueError for a variant that `impossible` names.
    """
    argv, env, behind = server_argv(variant), server_env(variant), RECIPES[variant.recipe].behind
    if behind is None:
        return (ProcessSpec(name="server", argv=argv, env=env),)
    return fronts.fronted(
        variant, front=argv, servers=behind(variant), env=env, host=_host(variant), tls=speaks_tls(variant)
    )


def speaks_tls(variant: Variant) -> bool:
    return RECIPES[variant.recipe].stack.tls is not None


def lock_of(recipe: str) -> str:
    """Stem of a recipe's file in requirements/: its own name, where nothing else is known."""
    return (RECIPES[recipe].lock if recipe in RECIPES else None) or recipe


def impossible(variant: Variant) -> str | None:
    """Why this recipe cannot have these levels, or None when it can."""
    if variant.recipe not in RECIPES:
        return f"unknown recipe {variant.recipe!r}; known are {', '.join(RECIPES)}"
    if variant.workers < 1:
        return f"workers is {variant.workers}, but a server needs at least 1"
    if RECIPES[variant.recipe].behind and (variant.cpu_quota is not None or variant.memory_mib is not None):
        return "cpu_quota and memory_mib would hold for each of its containers, not for all; leave them out"
    if variant.recipe != "fastapi-run":
        return None
    for level, flag in _NOT_IN_FASTAPI_RUN.items():
        value, only = getattr(variant, level), getattr(_DEFAULT, level)
        if value != only:
            return (
                f"{level} = {value}, but `fastapi run` has no {flag}; exclude it, or leave {level} at {only}"
            )
    return None


_NOT_IN_FASTAPI_RUN = {
    "keep_alive_s": "--timeout-keep-alive",
    # These two it runs with uvicorn's own (wait without end, 5 s) even at the default level. They act
    # only on stop and on a worker that hangs, never on a valid measurement; the engine bounds the stop.
    "graceful_timeout_s": "--timeout-graceful-shutdown",
    "worker_timeout_s": "--timeout-worker-healthcheck",
}


def _host(variant: Variant) -> str:
    """Only a load that comes through another network namespace needs more than loopback."""
    return "0.0.0.0" if variant.network in ("bridge", "published") else "127.0.0.1"


def _uvicorn(variant: Variant, *, loop: str, http: str) -> tuple[str, ...]:
    # Loop and parser are named, so that a missing package is an error and not a silent fallback.
    # With 1 worker uvicorn serves in the first process; with more, that process only supervises.
    return (
        *("uvicorn", APP, "--host", _host(variant), "--port", PORT),
        *("--workers", str(variant.workers), "--loop", loop, "--http", http),
        "--access-log" if variant.access_log else "--no-access-log",
        *("--timeout-keep-alive", str(variant.keep_alive_s)),
        *("--timeout-graceful-shutdown", str(variant.graceful_timeout_s)),
        *("--timeout-worker-healthcheck", str(variant.worker_timeout_s)),
    )


def _uvicorn_plain(variant: Variant) -> tuple[str, ...]:
    return _uvicorn(variant, loop="asyncio", http="h11")


def _uvicorn_standard(variant: Variant) -> tuple[str, ...]:
    return _uvicorn(variant, loop="uvloop", http="httptools")


def _uvicorn_tls(variant: Variant) -> tuple[str, ...]:
    return (
        *_uvicorn_standard(variant),
        *("--ssl-keyfile", f"{TLS_DIRECTORY}/key.pem", "--ssl-certfile", f"{TLS_DIRECTORY}/cert.pem"),
    )


def _gunicorn(variant: Variant, *worker: str) -> tuple[str, ...]:
    return (
        *("gunicorn", APP, "--bind", f"{_host(variant)}:{PORT}"),
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


def _gunicorn_uvicorn(variant: Variant) -> tuple[str, ...]:
    return _gunicorn(variant, "--worker-class", "uvicorn_worker.UvicornWorker")


def _gunicorn_asgi(variant: Variant) -> tuple[str, ...]:
    # `fast` and `uvloop` are named for the same reason as in _uvicorn. With the default lifespan
    # mode a failing start-up would be taken for an app without one, and served.
    return _gunicorn(
        variant,
        *("--worker-class", "asgi", "--asgi-loop", "uvloop"),
        *("--http-parser", "fast", "--asgi-lifespan", "on"),
    )


def _fastapi_run(variant: Variant) -> tuple[str, ...]:
    # It has no access log flag either; the app follows TARGET_ACCESS_LOG.
    return (
        *("fastapi", "run", "--entrypoint", APP, "--host", _host(variant), "--port", PORT),
        *("--workers", str(variant.workers)),
    )


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "uvicorn-plain": Recipe(
            description="uvicorn on h11 and asyncio, nothing compiled in the server",
            simplicity=0,
            stack=Stack(loop="asyncio.", http=UVICORN_H11),
            command=_uvicorn_plain,
        ),
        "uvicorn-standard": Recipe(
            description="uvicorn[standard]: httptools and uvloop",
            simplicity=1,
            stack=Stack(loop="uvloop.", http=UVICORN_HTTPTOOLS),
            command=_uvicorn_standard,
        ),
        "fastapi-run": Recipe(
            description="`fastapi run`, the official command, over uvicorn[standard]",
            simplicity=2,
            stack=Stack(loop="uvloop.", http=UVICORN_HTTPTOOLS),
            command=_fastapi_run,
        ),
        "gunicorn-asgi": Recipe(
            description="gunicorn with its own asgi worker, C parser and uvloop",
            simplicity=3,
            stack=Stack(loop="uvloop.", http=GUNICORN_H1C),
            command=_gunicorn_asgi,
        ),
        "gunicorn-uvicorn": Recipe(
            description="gunicorn supervising uvicorn workers (uvicorn-worker)",
            simplicity=4,
            stack=Stack(loop="uvloop.", http=UVICORN_HTTPTOOLS),
            command=_gunicorn_uvicorn,
        ),
        "uvicorn-tls": Recipe(
            description="uvicorn[standard] terminating TLS itself",
            simplicity=20,
            stack=Stack(loop="uvloop.", http=UVICORN_HTTPTOOLS, tls=TLS_13),
            command=_uvicorn_tls,
            lock="uvicorn-standard",
            programs=("openssl",),
        ),
        "nginx-plain": Recipe(
            description="nginx in front of uvicorn[standard], each in a container of its own",
            simplicity=21,
            stack=Stack(loop="uvloop.", http=UVICORN_HTTPTOOLS, front=NGINX),
            command=fronts.nginx,
            behind=fronts.one_server(_uvicorn_standard),
            lock="uvicorn-standard",
            programs=("nginx",),
        ),
        "nginx-tls": Recipe(
            description="nginx terminating TLS in front of uvicorn[standard], each in a container of its own",
            simplicity=22,
            stack=Stack(loop="uvloop.", http=UVICORN_HTTPTOOLS, front=NGINX, tls=TLS_13),
            command=fronts.nginx,
            behind=fronts.one_server(_uvicorn_standard),
            lock="uvicorn-standard",
            programs=("nginx", "openssl"),
        ),
        "nginx-replicas": Recipe(
            description="nginx in front of single-worker uvicorn[standard], a container for each worker",
            simplicity=23,
            stack=Stack(loop="uvloop.", http=UVICORN_HTTPTOOLS, front=NGINX),
            command=fronts.nginx,
            behind=fronts.replicas(_uvicorn_standard),
            lock="uvicorn-standard",
            programs=("nginx",),
        ),
    }
)

EXPECTED_STACK: Mapping[str, Stack] = MappingProxyType(
    {name: recipe.stack for name, recipe in RECIPES.items()}
)
"""What the probe must report per recipe (validity rule I9). Compare with str.startswith."""
