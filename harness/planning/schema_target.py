"""The tables [target] and [[target.services]]: what is measured, and what it needs."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from harness.planning.schema_base import (
    Command,
    DnsLabel,
    Env,
    PlainText,
    Port,
    RelativePath,
    Slug,
    Table,
    UrlPath,
    User,
    Word,
    Writable,
    words,
)

IMPORT_STRING = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*(\(\))?")
Capability = Literal["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"]
"""Of those that engines give a container by themselves."""
TCP = re.compile(r"tcp:([0-9]{1,5})")


def _import_string(text: str) -> str:
    if not IMPORT_STRING.fullmatch(text):
        raise ValueError(
            f"{text[:100]!r} is no import string; write it as "
            f'"orders.main:app", or "orders.main:create_app()" for a factory'
        )
    return text


def _readiness(value: Any) -> Any:
    """ "tcp:PORT" stays a text; any other text is a command."""
    if not isinstance(value, str):
        return value
    if not value.startswith("tcp:"):
        return words(value)
    port = TCP.fullmatch(value)
    if port is None or not 1 <= int(port[1]) <= 65_535:
        raise ValueError(f"{value[:100]!r} names no port; write tcp:5432, for example")
    return value


def _setup(value: Any) -> Any:
    """One command, or a list of them."""
    if isinstance(value, str):
        return [words(value)]
    if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
        # A word of a command holds a blank only on purpose: then these are commands.
        return [words(line) for line in value] if all(" " in line for line in value) else [value]
    return value


class ServiceTable(Table):
    """A real thing that the app needs, such as a database. The app reaches it by its name."""

    name: DnsLabel
    """Its host name, as the app sees it."""
    image: PlainText
    """The image that it runs from, for example "postgres:17"."""
    command: Command = []
    """Its command, in place of the image's own."""
    env: Env = {}
    """Environment variables. Values stand in the stored matrix: put secrets of the app into env_file."""
    ready: Annotated[str | list[Word], BeforeValidator(_readiness)] = ""
    """When it can be used: "tcp:PORT" once the port accepts, or a command inside it that ends with 0."""
    setup: Annotated[list[Command], Field(max_length=50), BeforeValidator(_setup)] = []
    """A command, or a list of commands, run once in the app's image before the first variant."""
    life: Literal["block", "run"] = "run"
    """Whether each block gets a fresh one ("block"), or it is kept for the whole run ("run")."""
    writable: Annotated[list[Writable], Field(max_length=20)] = []
    """Absolute directories that it writes to."""
    user: User | None = None
    """The user it runs as, "uid:gid"; left out: what the image says."""


class TargetTable(Table):
    """What is measured: an ASGI app by its import string, or an image with its own command."""

    name: Slug | None = None
    """What reports call it; left out: the name of the matrix."""
    app: Annotated[str, AfterValidator(_import_string)] | None = None
    """Import string, "orders.main:app" or "orders.main:create_app()"; left out: found as fastapi does."""
    context: RelativePath = "."
    """Build context: a directory, relative to this file."""
    app_dir: RelativePath | None = None
    """Directory that the import string starts from, inside the context or absolute inside the image."""
    requirements: RelativePath | None = None
    """File in the context with what to install: requirements.txt, pyproject.toml, uv.lock, poetry.lock or
    Pipfile.lock; left out: the first lock file found."""
    dockerfile: RelativePath | None = None
    """Dockerfile in the context to build the image from; each variant replaces its CMD."""
    image: PlainText | None = None
    """An image that is there, or can be pulled."""
    base_image: PlainText | None = None
    """What an image made from `requirements` starts from."""
    command: Command = []
    """The own command of recipe "own-command"; left out: what the image starts."""
    port: Port = 8000
    """The port that this command listens on."""
    python: PlainText | None = None
    """The Python inside the image that has the app's packages; left out: found there."""
    ready: UrlPath | None = None
    """Path that answers 2xx once the app can serve; left out: the first request is answered as expected."""
    env: Env = {}
    """Environment variables of the app. Values stand in the stored matrix: put secrets into env_file."""
    env_file: RelativePath | None = None
    """A file of KEY=VALUE lines, relative to this file. Only the names are stored."""
    writable: Annotated[list[Writable], Field(max_length=20)] = []
    """Absolute directories inside the image that the app writes to."""
    user: User | None = None
    """The user it runs as, "uid:gid"; left out: the image's own where that is not root."""
    capabilities: Annotated[list[Capability], Field(max_length=7)] = []
    """Powers of root that it needs, such as SETUID to become another user; the same for all variants."""
    services: Annotated[list[ServiceTable], Field(max_length=20)] = []
    """What the app needs, ready before it starts."""
