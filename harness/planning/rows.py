"""Rows of a CSV or JSONL file, as variables of a request: values by column name."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from wire.workloads import MAX_ROWS

MAX_COLUMNS = 200
MAX_FIELD = 1_000_000
"""Characters of one value."""
COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")
"""What a column may be called, so that "{column}" can name it."""

Rows = tuple[Mapping[str, Any], ...]
"""Texts; of JSONL numbers, true and false too."""


class RowsError(ValueError):
    """A data file that cannot be used; the text names the file and the line."""


def parse_rows(name: str, content: bytes, *, most: int = MAX_ROWS) -> Rows:
    """The rows of the file called `name`, by its ending. Raises RowsError."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise RowsError(f"{name}, line {line}: not UTF-8. Fix: save the file as UTF-8") from error
    lower = name.lower()
    if lower.endswith(".csv"):
        found = _csv(name, text)
    elif lower.endswith((".jsonl", ".ndjson")):
        found = _jsonl(name, text)
    else:
        raise RowsError(f"{name}: neither .csv nor .jsonl. Fix: give the file the ending of its format")
    rows: list[Mapping[str, Any]] = []
    for row in found:
        if len(rows) == most:
            raise RowsError(f"{name}: more than {most:,} rows. Fix: keep the first {most:,}")
        rows.append(row)
    if not rows:
        raise RowsError(f"{name}: no rows. Fix: add at least one, below the header of a CSV")
    return tuple(rows)


def columns_of(rows: Rows) -> frozenset[str]:
    """Every row has the same columns."""
    return frozenset(rows[0])


def _csv(name: str, text: str) -> Iterator[Mapping[str, str]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    before = csv.field_size_limit(MAX_FIELD)
    try:
        header = next(reader, None)
        if header is None:
            return
        header = [column.strip() for column in header]
        _check_columns(f"{name}, line 1", header)
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise RowsError(
                    f"{name}, line {reader.line_num}: {len(row)} values under {len(header)} columns. "
                    "Fix: quote values that contain a comma"
                )
            yield dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise RowsError(f"{name}, line {reader.line_num}: not valid CSV ({error})") from error
    finally:
        csv.field_size_limit(before)


def _jsonl(name: str, text: str) -> Iterator[Mapping[str, Any]]:
    # Not splitlines(): JSON texts may hold U+2028 and its like as they are.
    columns: list[str] | None = None
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{name}, line {number}"
        row = _object(where, line)
        if columns is None:
            columns = list(row)
            _check_columns(where, columns)
        elif set(row) != set(columns):
            odd = ", ".join(sorted(set(row) ^ set(columns))[:5])
            raise RowsError(f"{where}: not the keys of the first row ({odd}). Fix: give every row the same")
        yield {key: _value(where, key, value) for key, value in row.items()}


def _object(where: str, line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RowsError(f"{where}: not valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise RowsError(f'{where}: not a JSON object. Fix: write {{"column": "value"}} on each line')
    return value


def _value(where: str, key: str, value: Any) -> Any:
    """As it is: a string that is nothing but a variable becomes a number where the file has one."""
    if isinstance(value, dict | list) or value is None:
        kind = "null" if value is None else "nested"
        raise RowsError(f"{where}: {key} is {kind}. Fix: use a text, a number, true or false")
    text = value if isinstance(value, str) else json.dumps(value)
    if len(text) > MAX_FIELD:
        raise RowsError(f"{where}: {key} is longer than {MAX_FIELD:,} characters")
    return value


def _check_columns(where: str, columns: list[str]) -> None:
    if len(columns) > MAX_COLUMNS:
        raise RowsError(f"{where}: more than {MAX_COLUMNS} columns")
    for column in columns:
        if not COLUMN.fullmatch(column):
            raise RowsError(
                f"{where}: column {column[:100]!r} cannot be a variable. "
                "Fix: begin with a letter or _, then letters, digits, _, . or -"
            )
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise RowsError(f"{where}: column {twice[0]} stands twice")
