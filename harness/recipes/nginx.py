"""nginx as a front: its configuration as text. Pure: nothing runs here.

Where nginx's defaults differ from a uvicorn that faces clients itself, uvicorn's hold: as many requests
as they like on one connection, the same idle time and backlog. It never sends a request a second time,
because a repeated request would be measured as one, and writes no answer to disk. Its own access log is
off: that level is the app's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.deployment import ProcessSpec
from harness.model import Variant
from harness.recipes import uvicorn
from harness.recipes.placeholders import PORT, TLS_DIRECTORY, port
from harness.recipes.recipe import Argv, Behind, Command, Recipe
from harness.target import Target

LOOPBACK = "127.0.0.1"
CONFIG = "NGINX_CONFIG"
"""Environment variable that front/nginx.py reads the configuration from."""

WORKER_CONNECTIONS = 4096
MAX_CLIENTS = 2000
"""Each takes a connection of its own and one to a server, and nginx listens on some."""

_TEMPLATE = """\
daemon off;
worker_processes 1;
error_log stderr warn;
pid nginx.pid;
events {{ worker_connections {worker_connections}; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    keepalive_timeout {keep_alive_s}s;
    keepalive_requests 1000000000;
    upstream app {{
        least_conn;
        {servers}
        keepalive 1024;
        keepalive_requests 1000000000;
        keepalive_timeout {upstream_keep_alive_ms}ms;
    }}
    server {{
        listen {listen} backlog=2048;
        {tls}
        location / {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_next_upstream off;
            proxy_max_temp_file_size 0;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Fronted-By nginx/$nginx_version;
        }}
    }}
}}
"""
# Sessions are neither cached nor, by the load generator, taken up again: each connection is a full handshake.
_TLS = """\
ssl_certificate {directory}/cert.pem;
        ssl_certificate_key {directory}/key.pem;
        ssl_protocols TLSv1.3;
        ssl_session_cache off;"""


def command(_: Variant, __: Target) -> Argv:
    return ("python", "-m", "front.nginx")


def one_server(server: Command) -> Behind:
    """Behind the proxy a single server with all the workers."""
    return lambda variant, target: (_behind(server, variant, target, 1),)


def replicas(server: Command) -> Behind:
    """Behind the proxy as many servers as workers, each with one."""
    return lambda variant, target: tuple(
        _behind(server, replace(variant, workers=1), target, number)
        for number in range(1, variant.workers + 1)
    )


def fronted(
    variant: Variant, *, front: Argv, servers: Sequence[Argv], env: dict[str, str], host: str, tls: bool
) -> tuple[ProcessSpec, ...]:
    """The proxy on `host`, then the servers behind it, each with the app's settings `env`."""
    numbered = list(enumerate(servers, start=1))
    config = nginx_config(
        variant,
        listen=f"{host}:{PORT}",
        upstreams=[f"{LOOPBACK}:{port(number)}" for number, _ in numbered],
        tls_directory=TLS_DIRECTORY if tls else None,
    )
    return (
        ProcessSpec(name="nginx", argv=front, env={CONFIG: config}, image="nginx"),
        *(ProcessSpec(name=f"server-{number}", argv=argv, env=env) for number, argv in numbered),
    )


def nginx_config(
    variant: Variant, *, listen: str, upstreams: Sequence[str], tls_directory: str | None
) -> str:
    """nginx.conf for a proxy on `listen` before servers on `upstreams` (address:port each).

    Paths in it are relative to nginx's prefix.
    """
    return _TEMPLATE.format(
        worker_connections=WORKER_CONNECTIONS,
        keep_alive_s=variant.keep_alive_s,
        # Shorter than the server's own: whoever closes an idle connection first must not be the server,
        # or a request may meet the closing.
        upstream_keep_alive_ms=variant.keep_alive_s * 800,
        # Never taken for down: while a server starts, it refuses, and would get no load for 10 s.
        servers="\n        ".join(f"server {upstream} max_fails=0;" for upstream in upstreams),
        listen=listen if tls_directory is None else f"{listen} ssl",
        tls="" if tls_directory is None else _TLS.format(directory=tls_directory),
    )


def _behind(server: Command, variant: Variant, target: Target, number: int) -> Argv:
    """A uvicorn on loopback, whatever way the load comes. Only the proxy may say who the client is."""
    argv = server(replace(variant, network="shared"), target)
    return (
        *(part.replace(PORT, port(number)) for part in argv),
        *("--proxy-headers", "--forwarded-allow-ips", LOOPBACK),
    )


def problem_of_one(variant: Variant, target: Target) -> str | None:
    """Of the server behind it."""
    return uvicorn.problem(replace(variant, workers=1), target)


FIXED = frozenset({"preload", "backlog"})
"""Clients meet nginx's backlog."""
_STACK = replace(uvicorn.STANDARD, front="nginx/")

RECIPES = {
    "nginx-plain": Recipe(
        description="nginx in front of uvicorn[standard], each in a container of its own",
        simplicity=21,
        stack=_STACK,
        command=command,
        behind=one_server(uvicorn.standard),
        lock="uvicorn-standard",
        parts=("nginx",),
        programs=("nginx",),
        fixed=FIXED,
        problem=uvicorn.problem,
    ),
    "nginx-tls": Recipe(
        description="nginx terminating TLS in front of uvicorn[standard], each in a container of its own",
        simplicity=22,
        stack=replace(_STACK, tls=uvicorn.TLS_13),
        command=command,
        behind=one_server(uvicorn.standard),
        lock="uvicorn-standard",
        parts=("nginx",),
        programs=("nginx", "openssl"),
        fixed=FIXED,
        problem=uvicorn.problem,
    ),
    "nginx-replicas": Recipe(
        description="nginx in front of single-worker uvicorn[standard], a container for each worker",
        simplicity=23,
        stack=_STACK,
        command=command,
        behind=replicas(uvicorn.standard),
        lock="uvicorn-standard",
        parts=("nginx",),
        programs=("nginx",),
        fixed=FIXED,
        problem=problem_of_one,
    ),
}
