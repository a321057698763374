"""A HAR that a browser wrote, as requests to one origin."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import ConfigurationError
from harness.importers.har_request import LOGIN_HINT, Entry, LeftOut, request_of
from harness.importers.imported import DEFAULT_LIMIT, SAFE_METHODS, WRITE_METHODS, Imported, counted, weighted
from harness.importers.literals import Unusable
from harness.workload import RequestSpec

MAX_SIZE = 64 * 1024 * 1024
MAX_ENTRIES = 50_000
STATIC_TYPES = frozenset({"stylesheet", "script", "image", "font", "media", "manifest"})
STATIC_ENDINGS = (
    *(".css", ".js", ".mjs", ".map", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".ico", ".webp", ".avif"),
    *(".woff", ".woff2", ".ttf", ".otf", ".mp4", ".webm", ".mp3", ".wasm"),
)


class _Log(BaseModel):
    model_config = ConfigDict(extra="ignore")
    entries: list[Any] = Field(max_length=MAX_ENTRIES)


class _Har(BaseModel):
    model_config = ConfigDict(extra="ignore")
    log: _Log


@dataclass(slots=True)
class _Skipped:
    """What was left out, counted by reason."""

    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, what: str, why: str) -> None:
        self.reasons[what, why] += 1

    def warnings(self) -> Iterator[str]:
        for (what, why), number in self.reasons.items():
            yield counted(number, what, why)


def from_har(
    text: str | bytes,
    *,
    where: str,
    origin: str | None = None,
    writes: bool = False,
    limit: int = DEFAULT_LIMIT,
) -> Imported:
    """The requests that a HAR shows to `origin` (None: the most frequent), with the mix seen as weights.

    Raises ConfigurationError when it is no HAR, or nothing of it can be used.
    """
    skipped = _Skipped()
    entries = list(_to_one_origin(_entries(text, where, skipped), origin, where, skipped))
    secrets: Counter[str] = Counter()
    specs = [spec for entry in entries if (spec := _spec(entry, writes, secrets, skipped)) is not None]
    requests, mixed = weighted(specs, limit=limit)
    warnings = (*skipped.warnings(), *_secret_warnings(secrets), *mixed)
    if not requests:
        raise ConfigurationError(where, ("no request of it can be used", *warnings))
    return Imported(requests=requests, warnings=warnings)


def _entries(text: str | bytes, where: str, skipped: _Skipped) -> Iterator[Entry]:
    if len(text) > MAX_SIZE:
        raise ConfigurationError(
            where,
            [
                f"{len(text) / 2**20:.0f} MiB exceed {MAX_SIZE // 2**20} MiB, the most that is read. "
                f"Fix: record it again without response bodies"
            ],
        )
    try:
        har = _Har.model_validate(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(where, [f"not a HAR: {_first_line(error)}"]) from error
    for raw in har.log.entries:
        try:
            yield Entry.model_validate(raw)
        except ValidationError as error:
            skipped.add("malformed entry", _first_problem(error))


def _to_one_origin(
    entries: Iterable[Entry], origin: str | None, where: str, skipped: _Skipped
) -> Iterator[Entry]:
    by_origin: dict[str, list[Entry]] = {}
    for entry in entries:
        found = _origin(entry.request.url)
        if found is None:
            skipped.add("request", "its URL is not one of http or https")
        else:
            by_origin.setdefault(found, []).append(entry)
    if not by_origin:
        raise ConfigurationError(where, ["it holds no request over HTTP", *skipped.warnings()])
    chosen = _origin(origin) if origin else max(by_origin, key=lambda name: len(by_origin[name]))
    if chosen not in by_origin:
        raise ConfigurationError(where, [f"no request to {origin}; it has those to {', '.join(by_origin)}"])
    for other in by_origin.keys() - {chosen}:
        for _ in by_origin[other]:
            skipped.add("request", f"sent to {other}, not to {chosen} (--origin chooses)")
    yield from by_origin[chosen]


def _spec(entry: Entry, writes: bool, secrets: Counter[str], skipped: _Skipped) -> RequestSpec | None:
    method, status = entry.request.method.upper(), entry.response.status
    if entry.resource_type in STATIC_TYPES or urlsplit(entry.request.url).path.lower().endswith(
        STATIC_ENDINGS
    ):
        skipped.add("static asset", "a web server or CDN serves these")
    elif method not in SAFE_METHODS + WRITE_METHODS:
        skipped.add(f"{method[:20]!a} request", "browsers send these by themselves")
    elif method in WRITE_METHODS and not writes:
        skipped.add(f"{method} request", "it may change data (--writes takes these in)")
    elif not 200 <= status < 500:
        skipped.add("request", f"answered {status}, which no app is expected to answer")
    else:
        try:
            return request_of(entry, secrets)
        except (Unusable, LeftOut) as error:
            skipped.add("request", str(error))
    return None


def _secret_warnings(secrets: Counter[str]) -> Iterator[str]:
    for name, number in secrets.items():
        if name.startswith("{env:"):
            yield f"A secret was recorded {number}x and is written as {name}. Set it in target.env_file."
        else:
            yield f"Header {name!a} was left out of {number} requests: it may hold a secret. {LOGIN_HINT}"


def _origin(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    default = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{parts.hostname}" + ("" if port in (None, default) else f":{port}")


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, problem['loc'])) or 'entry'}: {problem['msg']}"


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return _first_problem(error)
    return "nested too deeply" if isinstance(error, RecursionError) else str(error).splitlines()[0]
