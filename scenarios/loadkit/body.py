"""The bodies of requests, as bytes with the type to say of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Protocol
from urllib.parse import quote, urlencode
from uuid import uuid4

from scenarios.loadkit.template import Values, as_text, fill_json, fill_text


class Body(Protocol):
    """What a request carries."""

    @property
    def template(self) -> Any:
        """The texts in it that may hold variables."""
        ...

    def content(self, values: Values) -> tuple[bytes, str | None]:
        """The bytes, and their type where there is one to say."""
        ...


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes as they are."""

    data: bytes

    @property
    def template(self) -> Any:
        return None

    def content(self, _: Values) -> tuple[bytes, str | None]:
        return self.data, None


@dataclass(frozen=True, slots=True)
class Text:
    """Text in UTF-8."""

    template: str

    def content(self, values: Values) -> tuple[bytes, str | None]:
        return fill_text(self.template, values).encode(), None


@dataclass(frozen=True, slots=True)
class Json:
    """A JSON value."""

    template: Any

    def content(self, values: Values) -> tuple[bytes, str | None]:
        filled = fill_json(self.template, values)
        return json.dumps(filled, separators=(",", ":"), ensure_ascii=False).encode(), "application/json"


@dataclass(frozen=True, slots=True)
class Form:
    """A form's fields, urlencoded."""

    template: Mapping[str, str]

    def content(self, values: Values) -> tuple[bytes, str | None]:
        filled = {name: fill_text(as_text(value), values) for name, value in self.template.items()}
        return urlencode(filled).encode("ascii"), "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Part:
    """A file in a multipart form."""

    field_name: str
    path: str
    content_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Multipart:
    """A form's fields and files (RFC 7578)."""

    template: Mapping[str, str]
    parts: tuple[Part, ...]
    boundary: str = field(default_factory=lambda: uuid4().hex)

    def content(self, values: Values) -> tuple[bytes, str | None]:
        start = f"--{self.boundary}\r\nContent-Disposition: form-data; name="
        fields = [
            f'{start}"{_quoted(name)}"\r\n\r\n{fill_text(as_text(value), values)}\r\n'.encode()
            for name, value in self.template.items()
        ]
        files = [
            f'{start}"{_quoted(part.field_name)}"; filename="{_quoted(PurePosixPath(part.path).name)}"\r\n'
            f"Content-Type: {part.content_type}\r\n\r\n".encode()
            + part.data
            + b"\r\n"
            for part in self.parts
        ]
        data = b"".join([*fields, *files, f"--{self.boundary}--\r\n".encode()])
        return data, f"multipart/form-data; boundary={self.boundary}"


def _quoted(name: str) -> str:
    """As browsers do: percent-encoded where it would end the quotes or the line."""
    return "".join(quote(letter) if letter in '"\r\n' else letter for letter in name)
