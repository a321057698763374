"""An OpenAPI document behind its references, and its schemas as plain JSON Schema without any."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from harness.importers.har_request import LOGIN_HINT
from harness.importers.literals import fits_matrix

MAX_DEPTH = 24
MAX_NODES = 3000
DEPTHS = (MAX_DEPTH, 8, 5, 3, 2, 1)
MAX_SCHEMA = 4000
"""Characters: what does not fit is cut where it is deepest, and so checks less."""
MAX_HOPS = 32
"""References that lead to references."""
IGNORED = frozenset(
    {
        *(
            "title",
            "description",
            "example",
            "examples",
            "default",
            "deprecated",
            "$comment",
            "$id",
            "$schema",
        ),
        *("xml", "externalDocs", "discriminator", "readOnly", "writeOnly", "nullable", "contentMediaType"),
    }
)
"""Keywords that no answer can break, and those of OpenAPI that JSON Schema does not know."""
SCHEMA_MAPS = frozenset({"properties", "patternProperties", "dependentSchemas"})
SCHEMA_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
SCHEMAS = frozenset({"items", "additionalProperties", "contains", "propertyNames"})
NOT_WEAKENED = frozenset({"not", "if", "then", "else", "unevaluatedItems", "unevaluatedProperties"})
"""A part that allows more would make these allow less."""


class Document:
    """Reads what a document says, however wrong its types are."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def paths(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for path, item in self._document["paths"].items():
            if isinstance(path, str) and path.startswith("/") and isinstance(item, Mapping):
                yield path, item

    def security(self) -> list[Any]:
        found = self._document.get("security")
        return found if isinstance(found, list) else []

    def resolved(self, node: Any) -> Mapping[str, Any]:
        """What a node or its reference is; empty where that is nothing, elsewhere, or a circle."""
        for _ in range(MAX_HOPS):
            if not isinstance(node, Mapping):
                return {}
            reference = node.get("$ref")
            if not isinstance(reference, str):
                return node
            node = self._at(reference)
        return {}

    def _at(self, reference: str) -> Any:
        if not reference.startswith("#/"):
            return None
        node: Any = self._document
        for part in reference[2:].split("/"):
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            node = node.get(key) if isinstance(node, Mapping) else None
        return node

    def server_warnings(self) -> Iterator[str]:
        servers = self._document.get("servers")
        first = self.resolved(servers[0]) if isinstance(servers, list) and servers else {}
        try:
            prefix = urlsplit(str(first.get("url", ""))).path.rstrip("/")
        except ValueError:
            return
        if prefix:
            yield (
                f"servers[0].url has the path {prefix[:80]!a}. Requests go to the app itself, without it. "
                f"Fix: put it before each path if the app itself serves there."
            )

    def security_warning(self, name: str, users: list[str]) -> str:
        """How requests that need a scheme can get what it asks for."""
        components = self.resolved(self._document.get("components"))
        scheme = self.resolved(self.resolved(components.get("securitySchemes")).get(name))
        kind = str(scheme.get("type", "unknown"))
        needed = f"{users[0]}" + (f" and {len(users) - 1} more" if len(users) > 1 else "")
        return f"{needed}: need security scheme {name[:40]!a} ({kind[:20]}). {self._hint(kind, scheme)}"

    def _hint(self, kind: str, scheme: Mapping[str, Any]) -> str:
        if kind == "apiKey" and scheme.get("in") == "header":
            return f'Fix: add headers = {{ {scheme.get("name", "x-api-key")} = "{{env:API_KEY}}" }}.'
        if kind == "http" and scheme.get("scheme") == "basic":
            return 'Fix: add headers = { authorization = "Basic {env:BASIC_CREDENTIALS}" }.'
        password = self.resolved(self.resolved(scheme.get("flows")).get("password"))
        if "tokenUrl" in password:
            return (
                f'Fix: add [[scenarios.before]] with method = "POST", path = "/'
                f'{str(password["tokenUrl"])[:80].lstrip("/")}", form = {{ username = "{{env:LOGIN_USER}}", '
                f'password = "{{env:LOGIN_PASSWORD}}" }} and keep = {{ token = "json:access_token" }}; then '
                f'headers = {{ authorization = "Bearer {{token}}" }}.'
            )
        return LOGIN_HINT

    def inlined(self, schema: Any) -> Mapping[str, Any] | None:
        """A schema as JSON Schema 2020-12 without references; None where it allows everything.

        A part that refers to itself, or lies too deep, allows everything: the check is weaker, never wrong.
        """
        for depth in DEPTHS:
            plain = _Inliner(self, depth).schema(schema, ())
            if len(json.dumps(plain)) <= MAX_SCHEMA:
                return plain if isinstance(plain, Mapping) and plain else None
        return None


class _Inliner:
    """Bounds the work for one schema: references can make a small document a huge one."""

    def __init__(self, document: Document, depth: int) -> None:
        self._document, self._depth, self._left = document, depth, MAX_NODES

    def schema(self, node: Any, inside: tuple[int, ...]) -> Any:
        if isinstance(node, bool):
            return node
        target = self._document.resolved(node)
        self._left -= 1
        # Its siblings narrow a referenced schema further (OpenAPI 3.1): leaving them out asks less.
        if not target or self._left < 0 or len(inside) >= self._depth or id(target) in inside:
            return {}
        plain = {}
        for key, value in target.items():
            made = self._keyword(key, value, target, (*inside, id(target)))
            if made is not None:
                # Two alternatives that allow more may both fit.
                plain["anyOf" if key == "oneOf" and "anyOf" not in target else key] = made
        return _nullable(plain) if target.get("nullable") is True else plain

    def _keyword(self, key: str, value: Any, schema: Mapping[str, Any], inside: tuple[int, ...]) -> Any:
        """The keyword's value, None where it is left out."""
        if key in IGNORED | NOT_WEAKENED or key.startswith(("x-", "$")) or value is None:
            return None
        if key in SCHEMA_MAPS and isinstance(value, Mapping):
            return {str(name): self.schema(item, inside) for name, item in value.items()}
        if key in SCHEMA_LISTS and isinstance(value, list):
            return [self.schema(item, inside) for item in value]
        if key in SCHEMAS:
            return self.schema(value, inside)
        if key in ("exclusiveMinimum", "exclusiveMaximum") and isinstance(value, bool):
            # OpenAPI 3.0: a flag next to the bound. Left out, the bound itself stays.
            return None
        if key in ("enum", "const") and schema.get("nullable") is True:
            return None
        return value if fits_matrix(value) else None


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    kind = schema.get("type")
    if isinstance(kind, str):
        return {**schema, "type": [kind, "null"]}
    return {"anyOf": [schema, {"type": "null"}]} if schema else {}
