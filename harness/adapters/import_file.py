"""Reads a HAR, an access log or an OpenAPI document within bounds, and hands it to its importer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigurationError
from harness.importers.access_log import from_access_log
from harness.importers.har import from_har
from harness.importers.imported import Imported
from harness.importers.openapi import from_openapi, parsed
from harness.importers.openapi_generate import generator

MAX_BYTES = 200_000_000
"""A log is read line by line; the other two have tighter bounds of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """What the command line can say about an import."""

    origin: str | None = None
    """Of a HAR: the server whose requests are taken; None is the most frequent."""
    writes: bool = False
    """Take requests that may change data too."""


def import_file(kind: str, path: Path, options: ImportOptions) -> Imported:
    """Requests from a file of one of `KINDS`. Raises ConfigurationError."""
    if kind not in KINDS:
        raise ConfigurationError("--from", [f"{kind[:100]!r} is none of {', '.join(KINDS)}"])
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigurationError(
                str(path), [f"larger than {MAX_BYTES // 1_000_000} MB.\n    Fix: use a part of it"]
            )
        return KINDS[kind](path, options)
    except OSError as error:
        raise ConfigurationError(str(path), [f"cannot be read: {error.strerror}"]) from error


def _har(path: Path, options: ImportOptions) -> Imported:
    return from_har(path.read_bytes(), where=str(path), origin=options.origin, writes=options.writes)


def _access_log(path: Path, _: ImportOptions) -> Imported:
    with path.open(encoding="utf-8", errors="replace") as lines:
        return from_access_log(lines, where=str(path))


def _openapi(path: Path, options: ImportOptions) -> Imported:
    document = parsed(path.read_bytes(), where=str(path))
    generate = generator(document) if isinstance(document, Mapping) else None
    return from_openapi(document, where=str(path), writes=options.writes, generate=generate)


KINDS: Mapping[str, Callable[[Path, ImportOptions], Imported]] = {
    "openapi": _openapi,
    "har": _har,
    "access-log": _access_log,
}
