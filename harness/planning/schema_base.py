"""What every table of a matrix file is made of: strict models, and texts that may go where they go."""

from __future__ import annotations

import re
import shlex
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
SYSTEM_DIRECTORIES = frozenset(
    {"bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "proc", "root", "sbin", "sys", "usr"}
)
MAX_TEXT = 4_096

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")]
"""Names become file names, container names and ids, hence the narrow alphabet."""


class Table(BaseModel):
    """A TOML table: unknown keys and implicit conversions are mistakes."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


def _plain(text: str) -> str:
    if found := CONTROL.search(text):
        raise ValueError(f"control character {found[0]!r} at position {found.start()}; remove it")
    return text


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError(f"{text[:100]!r} is no variable name; use letters, digits and _, no digit first")
    if text.startswith("HARNESS_"):
        raise ValueError(f"{text[:100]!r}: names with HARNESS_ are the harness's own; choose another")
    return text


def _quoted(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        raise ValueError(f'not a text; write it in quotes: "{shown}"')
    return value


def _no_null(text: str) -> str:
    if "\0" in text:
        raise ValueError("holds a null character; remove it")
    return text


def _dns_label(text: str) -> str:
    if not DNS_LABEL.fullmatch(text):
        raise ValueError(
            f"{text[:100]!r} is no host name; use a-z, 0-9 and -, at most 63 of them, no - first or last"
        )
    return text


def _url_path(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError(f'{text[:100]!r} does not start with "/"')
    if any(character.isspace() for character in text):
        raise ValueError(f"{text[:100]!r} holds a space; write it as %20")
    if "#" in text:
        raise ValueError(f"{text[:100]!r} holds #, which is never sent; write %23, or leave the rest out")
    return _plain(text)


def _writable(text: str) -> str:
    parts = [part for part in text.split("/") if part]
    if not text.startswith("/") or ".." in parts or "." in parts:
        raise ValueError(f"{text[:100]!r} is not absolute; name a directory inside the image, such as /data")
    if not parts or parts[0] in SYSTEM_DIRECTORIES:
        raise ValueError(f"{text[:100]!r} belongs to the system; name a directory of the app's own")
    return _plain(text)


def words(value: Any) -> Any:
    """A command as one text is split as a shell would, without running one."""
    if not isinstance(value, str):
        return value
    try:
        return shlex.split(value)
    except ValueError as error:
        raise ValueError(f"{value[:100]!r} is no command: {error}") from error


PlainText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT), AfterValidator(_plain)]
EnvName = Annotated[str, AfterValidator(_name)]
EnvValue = Annotated[
    str, StringConstraints(max_length=131_072), AfterValidator(_no_null), BeforeValidator(_quoted)
]
Env = Annotated[dict[EnvName, EnvValue], Field(max_length=500)]
DnsLabel = Annotated[str, AfterValidator(_dns_label)]
UrlPath = Annotated[str, StringConstraints(max_length=8_192), AfterValidator(_url_path)]
Writable = Annotated[str, StringConstraints(max_length=1_024), AfterValidator(_writable)]
Port = Annotated[int, Field(ge=1, le=65_535)]
Word = Annotated[str, StringConstraints(max_length=MAX_TEXT), AfterValidator(_no_null)]
Command = Annotated[list[Word], Field(min_length=1, max_length=500), BeforeValidator(words)]
RelativePath = Annotated[str, StringConstraints(min_length=1, max_length=1_024), AfterValidator(_plain)]
User = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_][a-z0-9_-]{0,31}(:[a-z0-9_][a-z0-9_-]{0,31})?$")]
