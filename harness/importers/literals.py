"""Recorded text made safe to write down: no variables by accident, no control codes, no secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite
from typing import Any
from urllib.parse import quote, urlsplit

MAX_TARGET = 8192
"""Characters of a path with its query; servers refuse longer ones."""
MAX_BODY = 16 * 1024
MAX_DEPTH = 60
TOML_INTEGERS = range(-(2**63), 2**63)

VARIABLE = re.compile(r"\{[A-Za-z_][\w.-]*\}", re.ASCII)
PREFIXED = re.compile(r"\{[A-Za-z_]\w*:[^{}\s\"]*\}", re.ASCII)
"""As "{env:NAME}", for which there is no other way to write it."""
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
SECRET = re.compile(
    r"password|passwd|pwd|secret|token|api[-_]?key|auth|credential|session|csrf|xsrf|signature|jwt", re.I
)
"""What a name of a header, parameter or member looks like whose value must not be written down."""
NOT_SECRET = re.compile(r"author(?!iz)", re.I)
URL_SAFE = "/:@!$&'()*+,;=-._~%"


class Unusable(ValueError):
    """A recorded request cannot be written down as one of ours; the text says why."""


def target(url: str) -> str:
    """Path and query as they go on the request line, braces and all else unsafe percent-encoded.

    Raises Unusable.
    """
    if len(url) > MAX_TARGET:
        raise Unusable(f"its URL is longer than {MAX_TARGET} characters")
    if CONTROL.search(url):
        raise Unusable("its URL holds control codes")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise Unusable("its URL is not valid") from error
    # "//host" at the start would be read as another origin.
    path = "/" + quote(_text(parts.path), safe=URL_SAFE).lstrip("/")
    return path + (f"?{quote(_text(parts.query), safe=URL_SAFE + '?')}" if parts.query else "")


def without_secrets(path: str) -> tuple[str, tuple[str, ...]]:
    """The target with values of secret parameters as "{env:NAME}", and the names of those variables."""
    bare, mark, query = path.partition("?")
    names: list[str] = []
    pairs = []
    for pair in query.split("&"):
        name, equals, value = pair.partition("=")
        if value and is_secret(name):
            names.append(variable(name))
            value = f"{{env:{names[-1]}}}"
        pairs.append(name + equals + value)
    return bare + mark + "&".join(pairs), tuple(names)


def is_secret(name: str) -> bool:
    return bool(SECRET.search(NOT_SECRET.sub("", name)))


def variable(name: str) -> str:
    """The environment variable that holds what `name` names."""
    return re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").upper() or "SECRET"


def escaped(text: str) -> str:
    """A text that stands for itself where variables are filled in: "{{name}}" for "{name}".

    Raises Unusable.
    """
    found = PREFIXED.search(text)
    if found:
        raise Unusable(f"it holds {found[0][:40]!a}, which would be read as a secret to fill in")
    return VARIABLE.sub(r"{\g<0>}", text)


def hidden(value: Any, names: list[str] | None) -> Any:
    """An escaped JSON value, texts of secret members as "{env:NAME}"; their names are added to `names`.

    With None for `names`, no member is a secret. Raises Unusable.
    """
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, Mapping):
        members = {}
        for key, item in value.items():
            if names is not None and isinstance(item, str) and item and is_secret(key):
                names.append(variable(key))
                members[escaped(key)] = f"{{env:{names[-1]}}}"
            else:
                members[escaped(key)] = hidden(item, names)
        return members
    if isinstance(value, list | tuple):
        return [hidden(item, names) for item in value]
    return value


def fits_matrix(value: Any, depth: int = 0) -> bool:
    """Whether a matrix file can hold a JSON value: no null, integers of 64 bits, no keys with variables."""
    if depth > MAX_DEPTH:
        return False
    if isinstance(value, Mapping):
        return all(not VARIABLE.search(key) and fits_matrix(item, depth + 1) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(fits_matrix(item, depth + 1) for item in value)
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, int):
        return value in TOML_INTEGERS
    return value is not None


def _text(part: str) -> str:
    """Lone surrogates, which a log's or a JSON's escapes can make, cannot be sent. Raises Unusable."""
    try:
        part.encode()
    except UnicodeEncodeError as error:
        raise Unusable("its URL is not valid Unicode") from error
    return part
