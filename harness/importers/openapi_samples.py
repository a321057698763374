"""One value that a schema allows: its example, its default, or the simplest of its type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.importers.openapi_schema import MAX_DEPTH, Document

MAX_TEXT = 4096
MAX_ITEMS = 100
FORMATS = {
    "date": "2025-01-31",
    "date-time": "2025-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000001",
}


class NoSample(ValueError):
    """No value is known; the text says of what and why."""

    def __init__(self, words: str, *, can_generate: bool = True) -> None:
        self.can_generate = can_generate
        super().__init__(words)


def documented(node: Mapping[str, Any], document: Document) -> tuple[Any, ...]:
    """The example of a parameter or media type, or of its schema: one value or none."""
    if "example" in node:
        return (node["example"],)
    for example in document.resolved(node.get("examples")).values():
        entry = document.resolved(example)
        if "value" in entry:
            return (entry["value"],)
    schema = document.resolved(node.get("schema"))
    examples = schema.get("examples")
    if isinstance(examples, list) and examples:
        return (examples[0],)
    return tuple(schema[key] for key in ("example", "default", "const") if key in schema)[:1]


def sample(schema: Any, document: Document, depth: int = 0) -> Any:
    """A value that the schema allows. Raises NoSample."""
    node = document.resolved(schema)
    if depth > MAX_DEPTH:
        raise NoSample("a schema that refers to itself")
    given = documented({"schema": node}, document)
    if given:
        return given[0]
    if isinstance(node.get("enum"), list) and node["enum"]:
        return node["enum"][0]
    for key in ("anyOf", "oneOf"):
        if isinstance(node.get(key), list) and node[key]:
            return _first_of(node[key], document, depth)
    if isinstance(node.get("allOf"), list):
        node = _merged(node, document)
    return _of_type(node, document, depth)


def _first_of(choices: list[Any], document: Document, depth: int) -> Any:
    reasons = []
    for choice in choices:
        try:
            value = sample(choice, document, depth + 1)
        except NoSample as error:
            reasons.append(error)
        else:
            if value is not None:
                return value
    if reasons:
        raise reasons[0]
    return None


def _merged(node: Mapping[str, Any], document: Document) -> Mapping[str, Any]:
    """All parts of an allOf as one schema, as far as objects need it."""
    merged: dict[str, Any] = {key: value for key, value in node.items() if key != "allOf"}
    properties: dict[str, Any] = dict(document.resolved(node.get("properties")))
    required = list(node["required"]) if isinstance(node.get("required"), list) else []
    for part in node["allOf"]:
        found = document.resolved(part)
        properties.update(document.resolved(found.get("properties")))
        required += found["required"] if isinstance(found.get("required"), list) else []
        merged = {**found, **merged}
    return {**merged, "properties": properties, "required": required}


def _of_type(node: Mapping[str, Any], document: Document, depth: int) -> Any:
    kind = node.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if kind == "object" or (kind is None and "properties" in node):
        return _object(node, document, depth)
    if kind == "array":
        return _array(node, document, depth)
    if kind == "string":
        return _string(node)
    if kind in ("integer", "number"):
        return _number(node, whole=kind == "integer")
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    raise NoSample("a schema without a type")


def _object(node: Mapping[str, Any], document: Document, depth: int) -> dict[str, Any]:
    """Required members only, and those with an example of their own."""
    properties = document.resolved(node.get("properties"))
    required = node.get("required") if isinstance(node.get("required"), list) else []
    made = {}
    for name, schema in properties.items():
        member = document.resolved(schema)
        if name in (required or ()) or "example" in member or member.get("examples"):
            made[str(name)] = sample(member, document, depth + 1)
    missing = [name for name in required or () if name not in made]
    if missing:
        raise NoSample(f"its member {str(missing[0])[:40]!a} has no schema")
    return made


def _array(node: Mapping[str, Any], document: Document, depth: int) -> list[Any]:
    least = node.get("minItems", 1)
    count = least if isinstance(least, int) and least > 1 else 1
    if count > MAX_ITEMS or (count > 1 and node.get("uniqueItems")):
        raise NoSample("a long or unique array")
    return [sample(node.get("items"), document, depth + 1)] * count


def _string(node: Mapping[str, Any]) -> str:
    if "pattern" in node:
        raise NoSample(f"a text that matches {str(node['pattern'])[:60]!a}")
    known = FORMATS.get(str(node.get("format")))
    if known:
        return known
    least, most = node.get("minLength", 0), node.get("maxLength", MAX_TEXT)
    if not isinstance(least, int) or not isinstance(most, int) or least > MAX_TEXT:
        raise NoSample("a text of an unusual length")
    return "example".ljust(least, "e")[: max(0, most)]


def _number(node: Mapping[str, Any], *, whole: bool) -> int | float:
    """1, or the nearest value inside of the bounds."""
    step = node.get("multipleOf")
    if step is not None:
        raise NoSample("a multiple of a number")
    value: float = 1
    for key, sign, margin in (
        ("minimum", 1, 0),
        ("exclusiveMinimum", 1, 1),
        ("maximum", -1, 0),
        ("exclusiveMaximum", -1, 1),
    ):
        bound = node.get(key)
        if isinstance(bound, int | float) and not isinstance(bound, bool) and abs(bound) < 2**53:
            inside = bound + sign * margin
            value = max(value, inside) if sign > 0 else min(value, inside)
    return int(value) if whole else value
