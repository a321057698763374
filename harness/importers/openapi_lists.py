"""Which list endpoint gives an id that exists, and where in its answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.importers.openapi_operation import PLACEHOLDER, Operation
from harness.importers.openapi_schema import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class ListStep:
    """A value to keep from the answer of GET `path`."""

    path: str
    variable: str
    keep: str
    """As in RequestSpec.keep."""


class Lists:
    """The endpoints of a document that list what others take by id."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._by_path = {path.rstrip("/"): path for path, _ in document.paths()}
        self._owners: dict[str, str] = {}

    def steps_for(self, operation: Operation) -> Mapping[str, ListStep]:
        """Steps by path parameter: of each that stands last in "/things/{id}", where /things lists them."""
        steps: dict[str, ListStep] = {}
        for found in PLACEHOLDER.finditer(operation.path):
            parent = operation.path[: found.start()].rstrip("/")
            if operation.path[found.start() - 1] != "/" or PLACEHOLDER.search(parent):
                continue
            keep = self._id_in(parent, found[1])
            if keep is not None:
                path = self._by_path[parent]
                steps[found[1]] = ListStep(path=path, variable=self._variable(found[1], path), keep=keep)
        return steps

    def _id_in(self, parent: str, parameter: str) -> str | None:
        """Where the first listed id is: "json:0.id", or "json:items.0.id" where the list is a member."""
        path = self._by_path.get(parent)
        item = self._document.resolved(dict(self._document.paths()).get(path or ""))
        if path is None or not isinstance(item.get("get"), Mapping):
            return None
        listing = Operation(self._document, path, "GET", item)
        if any(one.get("required") is True for one in listing.parameters.values()):
            return None
        _, schema = listing.response()
        answer = self._document.resolved(schema)
        inside = {"": answer, **self._document.resolved(answer.get("properties"))}
        for member, listed in inside.items():
            name = self._id_name(self._document.resolved(listed), parameter)
            if name is not None:
                return f"json:{member}.0.{name}" if member else f"json:0.{name}"
        return None

    def _id_name(self, listed: Mapping[str, Any], parameter: str) -> str | None:
        if listed.get("type") != "array":
            return None
        properties = self._document.resolved(self._document.resolved(listed.get("items")).get("properties"))
        wanted = (parameter, parameter.rpartition("_")[2], "id")
        return next((name for name in wanted if name in properties and "." not in name), None)

    def _variable(self, parameter: str, path: str) -> str:
        """The parameter's name; with that of its list before it where another list has given that one."""
        name = re.sub(r"\W", "_", parameter, flags=re.ASCII)
        name = name if not name[:1].isdigit() else f"_{name}"
        if self._owners.setdefault(name, path) != path:
            name = re.sub(r"\W+", "_", f"{path}_{name}", flags=re.ASCII).strip("_")
        return name
