"""Writes docs/reference.md from the schema of matrix files: `python scripts/reference.py`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.planning.schema import MatrixFile
from harness.reporting.markdown_table import markdown_table

TARGET = Path(__file__).parents[1] / "docs" / "reference.md"
TABLES = {
    "The file": None,
    "[target]": "TargetTable",
    "[[target.services]]": "ServiceTable",
    "[factors]": "Factors",
    "[[include]]": "Point",
    "[[exclude]]": "Pattern",
    "[[scenarios]]": "ScenarioTable",
    "load = { clients = ... }": "Closed",
    "load = { rate_per_s = ... }": "Open",
    "load = { capacity = true, ... }": "Capacity",
    "[[scenarios.requests]]": "WeightedRequest",
    "[[scenarios.before]]": "StepTable",
    "expect = { ... }": "ExpectTable",
    "files = { field = { ... } }": "FileTable",
    "workers = [{ name, count }]": "WorkerRule",
    "env = [{ name, set }]": "EnvSet",
    "version = [{ name, ... }]": "VersionTable",
    "[design]": "Design",
}
LONGEST_DEFAULT = 40
INTRODUCTION = """\
# harness.toml

Every key of a matrix file, written by `python scripts/reference.py` from the schema that reads it (`harness
schema` prints that). `harness init` writes a first file for your app, with comments; `matrices/` and
`examples/` hold others. An unknown key is an error.
"""


def reference() -> str:
    """The page, ending in a newline."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    schema = MatrixFile.model_json_schema()
    yield INTRODUCTION
    for heading, name in TABLES.items():
        table = schema if name is None else schema["$defs"][name]
        yield from (f"## `{heading}`" if name else f"## {heading}", "")
        if name and table.get("description"):
            yield from (table["description"].replace("\n", " "), "")
        required = set(table.get("required", ()))
        rows = [
            (f"`{key}`", _kind(value), "required" if key in required else _default(value), _said(value))
            for key, value in table["properties"].items()
        ]
        yield from (markdown_table([("key", "what it takes", "default", "what it is"), *rows]), "")


def _said(value: Mapping[str, Any]) -> str:
    return str(value.get("description", "")).replace("\n", " ")


def _default(value: Mapping[str, Any]) -> str:
    if "default" not in value or value["default"] is None:
        return "none"
    text = json.dumps(value["default"])
    return f"`{text}`" if len(text) <= LONGEST_DEFAULT else "see there"


def _kind(value: Mapping[str, Any]) -> str:
    """In a word or two, with its bounds."""
    if "$ref" in value:
        return "a table"
    for key in ("anyOf", "oneOf"):
        if key in value:
            kinds = (_kind(one) for one in value[key] if one.get("type") != "null")
            return " or ".join(dict.fromkeys(kinds))
    if "enum" in value:
        return ", ".join(f"`{json.dumps(one)}`" for one in value["enum"])
    if "const" in value:
        return f"`{json.dumps(value['const'])}`"
    kind = str(value.get("type", "anything"))
    if kind == "array":
        items = _kind(value.get("items", {}))
        return f"a list of {'tables' if items == 'a table' else items}"
    words = {"string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false"}
    return words.get(kind, "a table" if kind == "object" else "anything") + _bounds(value)


def _bounds(value: Mapping[str, Any]) -> str:
    low = value.get("minimum", value.get("exclusiveMinimum"))
    high = value.get("maximum", value.get("exclusiveMaximum"))
    if low is None and high is None:
        return ""
    if high is None:
        return f" from {low:g}"
    return f" up to {high:,.0f}" if low is None else f", {low:g} to {high:,.10g}"


def main() -> None:
    TARGET.write_text(reference(), encoding="utf-8")


if __name__ == "__main__":
    main()
