"""Rows of data files: what is read, and which line a mistake is on."""

from __future__ import annotations

import contextlib
import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.planning.rows import RowsError, columns_of, parse_rows


def test_reads_a_csv_as_a_spreadsheet_saves_it() -> None:
    content = b'\xef\xbb\xbforder_id,sku\r\n1,"a,b"\r\n\r\n2,c\r\n'
    assert parse_rows("o.csv", content) == ({"order_id": "1", "sku": "a,b"}, {"order_id": "2", "sku": "c"})


def test_reads_json_lines_of_plain_values() -> None:
    content = b'{"a": "x", "n": 1.5, "b": true}\n\n{"n": 2, "a": "y", "b": false}\n'
    rows = parse_rows("o.JSONL", content)
    assert rows == ({"a": "x", "n": 1.5, "b": True}, {"n": 2, "a": "y", "b": False})
    assert columns_of(rows) == {"a", "n", "b"}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("o.csv", b"a,b\n1\n", "o.csv, line 2: 1 values under 2 columns"),
        ("o.csv", b"a\n\xff\n", "o.csv, line 2: not UTF-8"),
        ("o.csv", b"a\n", "no rows"),
        ("o.csv", b"", "no rows"),
        ("o.csv", b'a\n"x\n', "not valid CSV"),
        ("o.csv", b"a,a\n1,2\n", "column a stands twice"),
        ("o.csv", b"a b\n1\n", "column 'a b' cannot be a variable"),
        ("o.csv", b"a\n" + b"x" * 1_000_001, "not valid CSV"),
        ("o.csv", b",".join(b"c%d" % n for n in range(201)), "more than 200 columns"),
        ("o.jsonl", b'{"a": 1}\n{"b": 1}\n', "o.jsonl, line 2: not the keys of the first row (a, b)"),
        ("o.jsonl", b"[1]\n", "line 1: not a JSON object"),
        ("o.jsonl", b"{\n", "line 1: not valid JSON"),
        ("o.jsonl", b'{"a": [1]}\n', "line 1: a is nested"),
        ("o.jsonl", b'{"a": null}\n', "line 1: a is null"),
        ("o.jsonl", b'{"a": ' + b"[" * 200_000 + b"\n", "line 1: not valid JSON"),
        ("o.txt", b"a\n", "neither .csv nor .jsonl"),
    ],
)
def test_names_the_file_and_the_line_of_a_mistake(name: str, content: bytes, said: str) -> None:
    with pytest.raises(RowsError) as caught:
        parse_rows(name, content)
    assert said in str(caught.value)


def test_takes_no_more_rows_than_it_may() -> None:
    assert len(parse_rows("o.csv", b"a\n1\n2\n", most=2)) == 2
    with pytest.raises(RowsError, match="more than 2 rows"):
        parse_rows("o.csv", b"a\n1\n2\n3\n", most=2)


TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1))
def test_gives_back_what_was_written(values: list[tuple[str, str]]) -> None:
    expected = tuple({"a": a, "b": b} for a, b in values)
    table = io.StringIO(newline="")
    csv.writer(table).writerows([("a", "b"), *values])
    assert parse_rows("o.csv", table.getvalue().encode()) == expected
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in expected)
    assert parse_rows("o.jsonl", lines.encode()) == expected


@given(st.binary())
def test_whatever_it_is_given_it_answers_or_refuses(content: bytes) -> None:
    for name in ("o.csv", "o.jsonl"):
        with contextlib.suppress(RowsError):
            assert parse_rows(name, content)
