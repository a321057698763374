"""The frozen nouns of what is measured: a team's app or image, and the services that it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

ServiceLife = Literal["block", "run"]
DEFAULT_PORT = 8000


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A real thing the app needs, such as a database: a container on the run's own network, by its name."""

    name: str
    """Also its host name, as the app sees it."""
    image: str
    command: tuple[str, ...] = ()
    """Empty: the image's own."""
    env: Mapping[str, str] = field(default_factory=dict)
    ready: str | tuple[str, ...] = ()
    """Either "tcp:PORT" or a command inside the service that ends with exit code 0; empty: once it runs."""
    setup: tuple[tuple[str, ...], ...] = ()
    """Commands run once in the app's image, in order, before the first variant starts."""
    life: ServiceLife = "run"
    """Fresh for each block, or kept for the whole run."""
    writable: tuple[str, ...] = ()
    """Directories that it writes to: given as temporary file systems."""
    user: str | None = None
    """As it runs; None is what the image says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One of several versions of the app that are compared, by the one thing that differs from the target."""

    name: str
    requirements: str | None = None
    """Another requirements file of the context."""
    sha256: str | None = None
    """Of that file when the matrix was read."""
    ref: str | None = None
    """A branch, tag or commit of the context's git repository."""
    image: str | None = None
    """Another image."""
    commit: str | None = None
    """What `ref` stood for when the matrix was read."""
    packages: tuple[str, ...] = ()
    """Requirements of pip that are installed after the target's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is measured. Paths are absolute, or relative to `context`; values of secrets are never part of it.

    Its image is `image`, or built from `dockerfile`, or made here from `requirements` and the context.
    """

    name: str
    app: str | None
    """Import string of an ASGI app, "orders.main:app" or "orders.main:create_app()". None: nothing but a
    black box, started by its own command."""
    context: str
    """Absolute path of the build context."""
    commit: str | None = None
    """Of the context's git repository, whose files are taken; None: the files as they lie there."""
    app_dir: str = ""
    """Directory inside the context, or absolute inside the image, that the import string starts from."""
    requirements: str | None = None
    """File in the context: requirements.txt, pyproject.toml, uv.lock, poetry.lock or Pipfile.lock."""
    packages: tuple[str, ...] = ()
    """Requirements of pip that are installed after those, which may change what those said."""
    dockerfile: str | None = None
    image: str | None = None
    base_image: str | None = None
    """What an image made here starts from; None is the harness's own base."""
    command: tuple[str, ...] = ()
    """The own command of a black box; empty: what its image starts."""
    port: int = DEFAULT_PORT
    """Where that command listens."""
    python: str | None = None
    """The interpreter inside `image` or `dockerfile` that has the app's packages; None: found there."""
    ready: str | None = None
    """Path that answers 2xx once the app can serve; None: the first request of the workload, as expected."""
    env: Mapping[str, str] = field(default_factory=dict)
    secret_env: tuple[str, ...] = ()
    """Names of variables whose values come from `env_file` when the run starts, and are stored nowhere."""
    env_file: str | None = None
    writable: tuple[str, ...] = ()
    """Absolute directories inside the image that the app writes to: given as temporary file systems. They are
    empty: what the image has there is hidden."""
    user: str | None = None
    """As it runs, "uid:gid"; None: the image's own where that is not root, otherwise 10001:10001."""
    capabilities: tuple[str, ...] = ()
    """Powers of root that it keeps; containers have none otherwise."""
    services: tuple[Service, ...] = ()


def at_version(target: Target, version: Version | None) -> Target:
    """The target in one version, under a name of its own."""
    if version is None:
        return target
    return replace(
        target,
        name=f"{target.name}-{version.name}",
        requirements=version.requirements or target.requirements,
        image=version.image or target.image,
        commit=version.commit,
        packages=version.packages,
    )


def of_life(target: Target, life: ServiceLife) -> tuple[Service, ...]:
    return tuple(service for service in target.services if service.life == life)
