"""ComposeValues of a service in a compose file, in every form that they may have there.

Each function adds what cannot be used to `left_out`, with the name of the service.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from harness.planning.compose_env import filled
from harness.planning.schema_base import SYSTEM_DIRECTORIES

PORT = re.compile(r"(?:.*:)?(?P<port>\d{1,5})(?:-\d+)?(?:/tcp)?")
USER = re.compile(r"[a-z0-9_][a-z0-9_-]{0,31}(:[a-z0-9_][a-z0-9_-]{0,31})?")
Table = Mapping[str, Any]


def image(name: str, table: Table, left_out: list[str]) -> str | None:
    image = table.get("image")
    if image is None:
        return None
    text = filled(image) if isinstance(image, str) else None
    if text is None or text.missing or not text.text.isprintable() or not text.text:
        left_out.append(f"image of {name}: {str(image)[:100]} has no value here. Fix: write it in")
        return None
    return text.text


def build(name: str, table: Table, left_out: list[str]) -> tuple[str | None, str | None]:
    """Context and Dockerfile."""
    build = table.get("build")
    if build is None:
        return None, None
    parts = {"context": build} if isinstance(build, str) else build
    if not isinstance(parts, Mapping):
        left_out.append(f"build of {name}: neither a directory nor a table")
        return ".", None
    unused = [str(key)[:60] for key in parts if key not in ("context", "dockerfile")]
    left_out += [f"build.{key} of {name}" for key in unused]
    context, dockerfile = (filled(str(parts.get(key) or "")) for key in ("context", "dockerfile"))
    if "://" in context.text or context.text.startswith("git@") or context.missing:
        left_out.append(f"build.context of {name}: {context.text[:100]} is no directory")
        return ".", dockerfile.text or None
    return context.text or ".", dockerfile.text or None


def command(name: str, key: str, value: Any, left_out: list[str]) -> tuple[str, ...]:
    words = value
    if isinstance(value, str):
        try:
            words = shlex.split(value)
        except ValueError:
            words = None
    if value is None or value == []:
        return ()
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        left_out.append(f"{key} of {name}: neither a text nor a list of words")
        return ()
    found = [filled(word) for word in words]
    if any(word.missing for word in found):
        left_out.append(f"{key} of {name}: holds variables without a value. Fix: write them in")
        return ()
    return tuple(word.text for word in found)


def ports(name: str, table: Table, left_out: list[str]) -> Iterator[int]:
    """Inside the container, those of `ports` first."""
    for key in ("ports", "expose"):
        given = table.get(key)
        if given is None:
            continue
        if not isinstance(given, list):
            left_out.append(f"{key} of {name}: no list")
            continue
        for item in given:
            text = item.get("target") if isinstance(item, Mapping) else item
            match = PORT.fullmatch(filled(text).text) if isinstance(text, str) else None
            if match and 1 <= int(match["port"]) <= 65_535:
                yield int(match["port"])
            else:
                left_out.append(f"{key} of {name}: {str(item)[:60]} is no TCP port")


def user(name: str, table: Table, left_out: list[str]) -> str | None:
    user = table.get("user")
    if user is None:
        return None
    if isinstance(user, str) and re.fullmatch(
        r"[a-z0-9_][a-z0-9_-]{0,31}(:[a-z0-9_][a-z0-9_-]{0,31})?", user
    ):
        return user
    left_out.append(f"user of {name}: {str(user)[:60]}")
    return None


def env_file(name: str, table: Table, left_out: list[str]) -> str | None:
    given = table.get("env_file")
    files = [given] if isinstance(given, str | Mapping) else given if isinstance(given, list) else []
    paths = [item.get("path") if isinstance(item, Mapping) else item for item in files]
    named = [path for path in paths if isinstance(path, str) and path and not filled(path).missing]
    if len(named) < len(paths) or (given and not paths):
        left_out.append(f"env_file of {name}: one of its files has no path")
    left_out += [f"env_file {path[:100]} of {name}: one file can be named" for path in named[1:]]
    return named[0] if named else None


def writable(name: str, table: Table, left_out: list[str]) -> tuple[str, ...]:
    """Directories of its volumes and temporary file systems: what was in them is not taken over."""
    found: dict[str, None] = {}
    for key in ("volumes", "tmpfs"):
        given = table.get(key)
        for item in given if isinstance(given, list) else [] if given is None else [given]:
            source, path = _mount(item, key)
            kept = path is not None and path.isprintable() and _own_directory(path) and not _is_bind(source)
            if kept and path is not None:
                found[path] = None
            if not kept or key == "volumes":
                what = f"{source or ''}{':' if source and path else ''}{path or ''}" or str(item)
                end = "is empty in every run" if kept else "is not mounted"
                left_out.append(f"{key} of {name}: {what[:100]} {end}")
    return tuple(found)


def _mount(item: Any, key: str) -> tuple[str | None, str | None]:
    """Source and directory inside of a mount."""
    if isinstance(item, Mapping):
        source, path = item.get("source"), item.get("target")
        return (source if isinstance(source, str) else None), (path if isinstance(path, str) else None)
    if not isinstance(item, str):
        return None, None
    parts = filled(item).text.split(":")
    if key == "tmpfs" or len(parts) == 1:
        return None, parts[0]
    return parts[0], parts[1]


def _is_bind(source: str | None) -> bool:
    return source is not None and source.startswith(("/", ".", "~", "$"))


def _own_directory(path: str) -> bool:
    parts = [part for part in path.split("/") if part]
    return path.startswith("/") and bool(parts) and ".." not in parts and parts[0] not in SYSTEM_DIRECTORIES
