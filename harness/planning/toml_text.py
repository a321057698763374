"""TOML as text: values, keys and comments that stay what they are, whatever is in them."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

WIDTH = 98
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def value(item: Any) -> str:
    """Texts, numbers, truth values, lists and tables, on one line."""
    if isinstance(item, str):
        return _text(item)
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, int | float):
        return repr(item)
    if isinstance(item, Mapping):
        inside = ", ".join(f"{key(name)} = {value(part)}" for name, part in item.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(item, Sequence):
        return f"[{', '.join(map(value, item))}]"
    raise TypeError(f"no TOML value: {item!r}")


def key(name: str) -> str:
    """A key, in quotes where it needs them."""
    return name if BARE_KEY.fullmatch(name) else _text(name)


def comment(text: str, *, indent: str = "") -> str:
    """Lines that begin with #; nothing in `text` can end them early."""
    clean = " ".join(UNPRINTABLE.sub(" ", text).split())
    return textwrap.fill(
        clean,
        WIDTH,
        initial_indent=f"# {indent}",
        subsequent_indent=f"# {' ' * len(indent)}",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _text(item: str) -> str:
    # JSON's escapes are TOML's, but that TOML wants DEL escaped and knows no halves of characters.
    whole = item.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return json.dumps(whole, ensure_ascii=False).replace("\x7f", "\\u007f")
