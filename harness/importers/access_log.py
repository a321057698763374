"""An access log of Apache, nginx, gunicorn or uvicorn as requests with the observed mix."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from apachelogs import COMBINED, COMMON, VHOST_COMBINED, InvalidEntryError, LogParser

from harness.errors import ConfigurationError
from harness.importers.imported import DEFAULT_LIMIT, SAFE_METHODS, Imported, counted, weighted
from harness.importers.literals import Unusable, target, without_secrets
from harness.workload import Expectation, RequestSpec

MAX_LINES = 500_000
MAX_LINE = 16 * 1024
NOT_MODIFIED, PARTIAL = 304, 206
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
UVICORN = re.compile(r'(?:^|\s)\S+ - "(?P<line>[^"]*)" (?P<status>\d{3})(?: [A-Za-z -]+)?$')
"""As it stands after "INFO:", a time stamp, or the name of a container."""
REQUEST_LINE = re.compile(r"(?P<method>[A-Z]{1,32}) (?P<target>\S+) HTTP/\d(?:\.\d)?")

Parse = Callable[[str], "tuple[str, int] | None"]


def from_access_log(lines: Iterable[str], *, where: str, limit: int = DEFAULT_LIMIT) -> Imported:
    """The GET and HEAD requests of a log that were answered 2xx or 3xx; their mix as weights.

    Raises ConfigurationError when no line can be used.
    """
    skipped: Counter[tuple[str, str]] = Counter()
    source = iter(lines)
    specs = list(_specs(islice(source, MAX_LINES), skipped))
    requests, mixed = weighted(specs, limit=limit)
    warnings = [counted(number, what, why) for (what, why), number in skipped.items()]
    if next(source, None) is not None:
        warnings.append(f"Only the first {MAX_LINES:,} lines were read.")
    warnings += mixed
    if any("?" in spec.path for spec in requests):
        warnings.append("Query strings are kept as logged. Check them for personal data.")
    if any("{env:" in spec.path for spec in requests):
        warnings.append("Secrets in query strings are written as {env:NAME}. Set them in target.env_file.")
    if not requests:
        raise ConfigurationError(where, ["no line of it can be used", *warnings])
    return Imported(requests=requests, warnings=tuple(warnings))


def _specs(lines: Iterable[str], skipped: Counter[tuple[str, str]]) -> Iterator[RequestSpec]:
    parsers = [_uvicorn, *map(_apache, (COMBINED, COMMON, VHOST_COMBINED))]
    for line in lines:
        text = COLOUR.sub("", line[: MAX_LINE + 1]).strip()
        if not text:
            continue
        found = _first(parsers, text) if len(text) <= MAX_LINE else None
        if found is None:
            skipped["line", "not a request in the combined, common, gunicorn or uvicorn format"] += 1
            continue
        spec = _spec(*found, skipped)
        if spec is not None:
            yield spec


def _first(parsers: list[Parse], text: str) -> tuple[str, int] | None:
    """What the first parser makes of a line that knows it; that one is asked first from then on."""
    for number, parse in enumerate(parsers):
        found = parse(text)
        if found is not None:
            parsers.insert(0, parsers.pop(number))
            return found
    return None


def _spec(request_line: str, status: int, skipped: Counter[tuple[str, str]]) -> RequestSpec | None:
    match = REQUEST_LINE.fullmatch(request_line)
    if match is None:
        skipped["line", "its request line is not one of HTTP"] += 1
    elif match["method"] not in SAFE_METHODS:
        skipped[f"{match['method']} request", "a log does not hold its body"] += 1
    elif not 200 <= status < 400 or status == PARTIAL:
        skipped["request", f"answered {status}"] += 1
    else:
        try:
            path, _ = without_secrets(target(match["target"]))
        except Unusable as error:
            skipped["request", str(error)] += 1
        else:
            # The log does not say what the client had in its cache: without that, the answer is a full one.
            expected = 200 if status == NOT_MODIFIED else status
            return RequestSpec(method=match["method"], path=path, expect=Expectation(status=expected))
    return None


def _uvicorn(text: str) -> tuple[str, int] | None:
    match = UVICORN.search(text)
    return (match["line"], int(match["status"])) if match else None


def _apache(log_format: str) -> Parse:
    parser = LogParser(log_format)

    def parse(text: str) -> tuple[str, int] | None:
        try:
            entry = parser.parse(text)
        except (InvalidEntryError, ValueError):
            return None
        if entry.request_line is None or entry.final_status is None:
            return None
        return entry.request_line, entry.final_status

    return parse
