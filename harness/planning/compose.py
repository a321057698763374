"""What a compose file says of one service and of what it depends on. What cannot be used is listed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from harness.errors import ConfigurationError
from harness.planning import compose_values
from harness.planning.compose_env import ComposeValues, app_env, service_env
from harness.planning.compose_values import Table
from harness.planning.schema_base import DNS_LABEL
from harness.planning.schema_target import IMPORT_STRING
from harness.planning.starter import ServiceDraft, Setting
from harness.planning.suggestions import unknown

SERVERS = ("uvicorn", "gunicorn", "hypercorn", "granian", "daphne", "fastapi")
USUAL_PORTS = {
    **{"postgres": 5432, "postgis": 5432, "timescaledb": 5432, "pgvector": 5432},
    **{"redis": 6379, "valkey": 6379, "mysql": 3306, "mariadb": 3306, "mongo": 27017},
    **{"rabbitmq": 5672, "memcached": 11211, "nats": 4222, "elasticsearch": 9200, "minio": 9000},
}
TAKEN = frozenset(
    {
        *("image", "build", "environment", "env_file", "command", "ports", "expose", "depends_on"),
        *("healthcheck", "user", "tmpfs", "volumes"),
    }
)
HEALTH_URL = re.compile(r"https?://[^/\s\"']+(?P<path>/[^\s\"'|;)#]*)")
MAX_SERVICES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FromCompose:
    """One service of a compose file as a target."""

    name: str
    file: str
    image: str | None
    context: str | None
    """Directory, relative to the compose file."""
    dockerfile: str | None
    app: str | None
    """The import string that its command names."""
    command: tuple[str, ...]
    port: int | None
    ready: str | None
    user: str | None
    env: tuple[Setting, ...]
    unset: tuple[tuple[str, str], ...]
    """Variables whose values must come from the env_file, and what is to be said where they do not."""
    env_file: str | None
    writable: tuple[str, ...]
    services: tuple[ServiceDraft, ...]
    left_out: tuple[str, ...]


def from_compose(document: Any, service: str, *, where: str) -> FromCompose:
    """The service of that name; the only one that is built where it is empty. Raises ConfigurationError."""
    services = document.get("services") if isinstance(document, Mapping) else None
    if not isinstance(services, Mapping) or not all(isinstance(s, Mapping) for s in services.values()):
        raise ConfigurationError(where, ["services is no table of tables; this is no compose file"])
    service = service or _only_built(services, where)
    if service not in services:
        raise ConfigurationError("--service", [unknown("service", service, tuple(services))])
    table, left_out = services[service], _top_level(document)
    needed = _needed(service, services, left_out)
    values = ComposeValues()
    drafts = tuple(
        draft for name in needed if (draft := _service(name, services[name], values, left_out, where))
    )
    image, (context, dockerfile) = (
        compose_values.image(service, table, left_out),
        compose_values.build(service, table, left_out),
    )
    if image is None and context is None:
        raise ConfigurationError(where, [f"services.{service}: neither image nor build; name one of them"])
    if context is not None and image is not None:
        image = None  # The name that compose gives to what it builds.
    command = compose_values.command(service, "command", table.get("command"), left_out)
    env, unset = app_env(service, table.get("environment"), values, left_out)
    left_out += _not_taken(service, table)
    return FromCompose(
        name=service,
        file=PurePosixPath(where).name,
        image=image,
        context=context,
        dockerfile=dockerfile,
        app=_app_in(command),
        command=command,
        port=next(compose_values.ports(service, table, left_out), None),
        ready=_health_path(table),
        user=compose_values.user(service, table, left_out),
        env=env,
        unset=tuple(unset.items()),
        env_file=compose_values.env_file(service, table, left_out),
        writable=compose_values.writable(service, table, left_out),
        services=drafts,
        left_out=tuple(dict.fromkeys(left_out)),
    )


def _only_built(services: Table, where: str) -> str:
    built = [name for name, table in services.items() if "build" in table]
    if len(built) == 1:
        return built[0]
    named = ", ".join(map(str, services)) or "none"
    raise ConfigurationError(where, [f"which of {named} is the app?\n    Fix: add --service NAME"])


def _top_level(document: Table) -> list[str]:
    plain = ("services", "version", "name", "volumes", "networks")
    return [f"{key} of the whole file" for key in document if key not in plain and not key.startswith("x-")]


def _needed(service: str, services: Table, left_out: list[str]) -> list[str]:
    """What it depends on, and what that depends on: what others need comes before them."""
    order: list[str] = []
    seen = {service}
    stack = [(service, iter(_depends_on(service, services, left_out)))]
    while stack:
        name, rest = stack[-1]
        other = next((other for other in rest if other not in seen), None)
        if other is None:
            order.append(name)
            stack.pop()
        else:
            seen.add(other)
            stack.append((other, iter(_depends_on(other, services, left_out))))
    needed = order[:-1]
    left_out += [f"{name}: more than {MAX_SERVICES} services" for name in needed[MAX_SERVICES:]]
    return needed[:MAX_SERVICES]


def _depends_on(name: str, services: Table, left_out: list[str]) -> list[str]:
    wanted = services[name].get("depends_on") or []
    if not isinstance(wanted, list | Mapping) or not all(isinstance(other, str) for other in wanted):
        left_out.append(f"depends_on of {name}: neither a list of names nor a table")
        return []
    strangers = [other for other in wanted if other not in services]
    left_out += [f"{other[:60]}, which {name} depends on: no such service" for other in strangers]
    return [other for other in wanted if other in services]


def _service(
    name: str, table: Table, values: ComposeValues, left_out: list[str], where: str
) -> ServiceDraft | None:
    image = compose_values.image(name, table, left_out)
    if image is None or "build" in table:
        left_out.append(f"{name}: is built from sources. Fix: build it, then add its image as a service")
        return None
    if not DNS_LABEL.fullmatch(name):
        left_out.append(f"{name[:60]!r}: no host name. Fix: use a-z, 0-9 and - for the name of the service")
        return None
    settings = [Setting(key="name", value=name, why=f"as in {PurePosixPath(where).name}; its host name too")]
    settings.append(Setting(key="image", value=image))
    if command := compose_values.command(name, "command", table.get("command"), left_out):
        settings.append(Setting(key="command", value=command))
    settings += _readiness(name, table, image, left_out)
    if user := compose_values.user(name, table, left_out):
        settings.append(Setting(key="user", value=user))
    if writable := compose_values.writable(name, table, left_out):
        settings.append(
            Setting(key="writable", value=writable, why="directories it writes to, empty at first")
        )
    env = service_env(name, table.get("environment"), values, left_out, file=PurePosixPath(where).name)
    if table.get("env_file"):
        left_out.append(f"env_file of {name}: write what it needs into its env")
    left_out += _not_taken(name, table)
    return ServiceDraft(settings=tuple(settings), env=env)


def _not_taken(name: str, table: Table) -> list[str]:
    unused = [str(key)[:60] for key in table if key not in TAKEN]
    return [f"{', '.join(unused)} of {name}"] if unused else []


def _app_in(command: tuple[str, ...]) -> str | None:
    """The import string in a server's command, such as `uvicorn orders.main:app`."""
    if not any(PurePosixPath(word).name in SERVERS for word in command):
        return None
    return next((word for word in command if IMPORT_STRING.fullmatch(word)), None)


def _readiness(name: str, table: Table, image: str, left_out: list[str]) -> Iterator[Setting]:
    check = table.get("healthcheck")
    test = check.get("test") if isinstance(check, Mapping) else None
    if isinstance(test, str):
        test = ["CMD-SHELL", test]
    if isinstance(test, list) and len(test) > 1 and all(isinstance(word, str) for word in test):
        kind, *words = test
        if kind in ("CMD", "CMD-SHELL"):
            words = ["sh", "-c", " ".join(words)] if kind == "CMD-SHELL" else words
            ready = [word.replace("$$", "$") for word in words]
            yield Setting(key="ready", value=ready, why="its healthcheck: a command that ends with 0")
            return
    if check is not None and test is None:
        left_out.append(f"healthcheck of {name}: names no test")
    port = next(compose_values.ports(name, table, left_out), None)
    why = "it is ready once this port accepts"
    if port is None:
        kind = PurePosixPath(image.partition("@")[0]).name.partition(":")[0]
        port, why = USUAL_PORTS.get(kind), f"assumed: the usual port of {kind}"
    if port is not None:
        yield Setting(key="ready", value=f"tcp:{port}", why=why)


def _health_path(table: Table) -> str | None:
    """The path that the healthcheck of the app asks for."""
    check = table.get("healthcheck")
    test = check.get("test") if isinstance(check, Mapping) else None
    words = " ".join(word for word in test if isinstance(word, str)) if isinstance(test, list) else test
    found = HEALTH_URL.search(words) if isinstance(words, str) else None
    return found["path"] if found and found["path"].isprintable() and "$" not in found["path"] else None
