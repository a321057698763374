"""The reference of matrix files is the one that the schema gives."""

from __future__ import annotations

import runpy
from pathlib import Path

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "reference.py"))


def test_the_page_is_up_to_date() -> None:
    """`python scripts/reference.py` writes it."""
    assert SCRIPT["TARGET"].read_text(encoding="utf-8") == SCRIPT["reference"]()


def test_every_table_of_the_schema_is_in_it() -> None:
    page = SCRIPT["reference"]()
    for heading in ("[target]", "[factors]", "[[scenarios.requests]]", "expect = { ... }", "[design]"):
        assert f"## `{heading}`" in page
    assert "| `slo_ms` | a number, 0 to 600,000 | `100.0` | The objective: a request that takes" in page
