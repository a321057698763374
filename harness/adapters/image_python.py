"""Which interpreter in an image has its app's packages: found by looking at its files, nothing is run."""

from __future__ import annotations

import io
import posixpath
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from docker import DockerClient
from docker.errors import NotFound

from harness.adapters.docker_build import DEFAULT_PATH, DEFAULT_USER, RECIPE_LABEL

NAMES = ("python", "python3")
MOST_LINKS = 8
SYMLINK = 1 << 27
"""The bit in Go's file modes, which the engine answers with."""

Exists = Callable[[str], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """What an image says of itself."""

    env: Mapping[str, str]
    workdir: str
    user: str
    ours: bool
    """Whether it is a layer or a part that the harness built, whose user is chosen already."""
    command: tuple[str, ...]
    """Entry point and command in one."""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> ImageFacts:
        pairs = (entry.partition("=") for entry in config.get("Env") or ())
        return cls(
            env={name: value for name, _, value in pairs},
            workdir=config.get("WorkingDir") or "/",
            user=config.get("User") or "",
            ours=RECIPE_LABEL in (config.get("Labels") or {}),
            command=(*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())),
        )


def candidates(facts: ImageFacts, wanted: str | None) -> Iterator[str]:
    """Paths of interpreters, the likeliest first: what the team says, what its command names, an environment
    in the working directory, what is on the PATH."""
    directories = facts.env.get("PATH", DEFAULT_PATH).split(":")
    if wanted is not None:
        yield from [posixpath.join(each, wanted) for each in directories] if "/" not in wanted else [wanted]
        return
    homes: list[str] = []
    if "VIRTUAL_ENV" in facts.env:
        homes.append(posixpath.join(facts.env["VIRTUAL_ENV"], "bin"))
    homes += [posixpath.dirname(word) for word in facts.command[:1] if word.startswith("/")]
    homes.append(posixpath.join(facts.workdir, ".venv", "bin"))
    for directory in (*homes, *directories):
        yield from (posixpath.join(directory, name) for name in NAMES)


def find_python(facts: ImageFacts, wanted: str | None, exists: Exists) -> str | None:
    return next((path for path in candidates(facts, wanted) if exists(path)), None)


def owner_options(user: str, passwd: str) -> str:
    """Mount options that give a temporary file system to a user, by number or by a name in `passwd`.

    Its mode is not enough: the engine gives it the mode of the directory that it hides.
    """
    name = user.partition(":")[0]
    entries = (line.split(":") for line in passwd.splitlines())
    uid = name if name.isdecimal() else next((e[2] for e in entries if e[0] == name and len(e) > 2), "")
    return f",uid={uid}" if uid else ""


def text_in(client: DockerClient, container: str, path: str) -> str:
    """A small file of a container's file system; empty where there is none."""
    try:
        stream, _ = client.api.get_archive(container, path)
    except NotFound:
        return ""
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        file = archive.extractfile(archive.getmembers()[0])
        return file.read().decode(errors="replace") if file else ""


def files_of(client: DockerClient, container: str) -> Exists:
    """Whether a path, its links followed, is in a container's file system."""

    def target(path: str) -> str | None:
        """Where a link leads; the path itself where it is none; None where there is nothing."""
        try:
            stream, stat = client.api.get_archive(container, path)
        except NotFound:
            return None
        with closing(stream):
            link = stat.get("linkTarget") if stat["mode"] & SYMLINK else None
        return posixpath.normpath(posixpath.join(posixpath.dirname(path), link)) if link else path

    def exists(path: str) -> bool:
        for _ in range(MOST_LINKS):
            found = target(path)
            if found is None or found == path:
                return found is not None
            path = found
        return False

    return exists


def runtime_user(wanted: str | None, facts: ImageFacts) -> str:
    """Who an app runs as: what the team says, else the image's own user unless that is root."""
    if wanted is not None:
        return wanted
    is_root = facts.user.partition(":")[0] in ("", "root", "0")
    return DEFAULT_USER if is_root and not facts.ours else facts.user
