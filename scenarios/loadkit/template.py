"""Variables in texts: "{name}" is filled in where the name is known, "{{name}}" stays "{name}"."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from wire.workloads import VARIABLE

ON_REQUEST_LINES = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"<>\\^`{|}')

UUID_MARK = str(uuid4())
"""Stands in prepared bytes for the UUID that each request gets: as long as one, and found nowhere else."""

Values = Mapping[str, Any]


def fill_text(template: str, values: Values, quoted: Callable[[str], str] = lambda text: text) -> str:
    """A name that is not known stays as it is."""

    def filled(found: re.Match[str]) -> str:
        literal, name = found.groups()
        if literal:
            return str(literal)
        return quoted(as_text(values[name])) if name in values else found[0]

    return VARIABLE.sub(filled, template)


def fill_path(template: str, values: Values) -> str:
    """Values are percent-encoded; so is whatever else may not stand on a request line."""
    return quote(fill_text(template, values, lambda text: quote(text, safe="")), safe=ON_REQUEST_LINES)


def fill_json(template: Any, values: Values) -> Any:
    """Inside of strings; a string that is nothing but a variable becomes the value, whatever its type."""
    if isinstance(template, str):
        whole = VARIABLE.fullmatch(template)
        if whole and whole[2] in values:
            return values[whole[2]]
        return fill_text(template, values)
    if isinstance(template, list):
        return [fill_json(item, values) for item in template]
    if isinstance(template, dict):
        return {key: fill_json(item, values) for key, item in template.items()}
    return template


def as_text(value: Any) -> str:
    """Strings as they are, all else as JSON writes it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def names_in(template: Any) -> Iterator[str]:
    """The variables of a text, or of all strings in a JSON value."""
    if isinstance(template, str):
        yield from (found[2] for found in VARIABLE.finditer(template) if found[2])
    elif isinstance(template, list | tuple):
        for item in template:
            yield from names_in(item)
    elif isinstance(template, dict):
        yield from names_in([*template, *template.values()])
