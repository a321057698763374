"""Values and comments that no text in them can break."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.planning.toml_text import comment, key, value

VALUES = st.recursive(
    st.text() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(name=st.text(), item=VALUES)
def test_what_is_written_is_what_is_read(name: str, item: Any) -> None:
    assert tomllib.loads(f"{key(name)} = {value(item)}\n") == {name: item}


@given(text=st.text())
def test_a_comment_is_one_whatever_is_in_it(text: str) -> None:
    assert tomllib.loads(comment(text)) == {}
    assert tomllib.loads(comment(text, indent="- ")) == {}


def test_half_a_character_is_replaced() -> None:
    assert tomllib.loads(f"a = {value('x' + chr(0xD800))}") == {"a": "x\ufffd"}


def test_what_toml_does_not_know_is_refused() -> None:
    with pytest.raises(TypeError, match="no TOML value"):
        value(None)
