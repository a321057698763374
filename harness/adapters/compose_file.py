"""Reads a compose file within bounds: texts, lists and tables, no other objects, and no bombs of anchors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from harness.errors import ConfigurationError

MAX_BYTES = 256_000
MAX_NODES = 50_000
"""Counted where each alias is a copy."""
MERGE = "<<"
NULL = "tag:yaml.org,2002:null"


class _TooLarge(ValueError):
    """Aliases make more of the file than anyone has written."""


def read_compose(path: Path) -> Any:
    """Tables, lists, texts and None. Raises ConfigurationError.

    Scalars stay the texts that they are: to YAML 1.1, 22:22 is a number and "no" a truth value.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigurationError(str(path), [f"larger than {MAX_BYTES:,} bytes; this is no compose file"])
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigurationError(str(path), ["no such file"]) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(str(path), [f"cannot be read: {error}"]) from error
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            return {}
        _count(root, {}, set())
        return _plain(root)
    except yaml.YAMLError as error:
        raise ConfigurationError(str(path), [f"not valid YAML: {' '.join(str(error).split())}"]) from error
    except (RecursionError, _TooLarge) as error:
        why = "nested too deeply, or its anchors and aliases make too much of it; this is no compose file"
        raise ConfigurationError(str(path), [why]) from error


def _count(node: yaml.Node, known: dict[int, int], above: set[int]) -> int:
    """Nodes at and below this one. Raises _TooLarge, also for what contains itself."""
    if id(node) in known:
        return known[id(node)]
    if id(node) in above:
        raise _TooLarge
    above.add(id(node))
    children: list[yaml.Node] = []
    if isinstance(node, yaml.SequenceNode):
        children = node.value
    elif isinstance(node, yaml.MappingNode):
        children = [part for pair in node.value for part in pair]
    total = 1 + sum(_count(child, known, above) for child in children)
    above.remove(id(node))
    if total > MAX_NODES:
        raise _TooLarge
    known[id(node)] = total
    return total


def _plain(node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key, value in node.value:
            name, item = _key(key), _plain(value)
            if name == MERGE:
                for table in item if isinstance(item, list) else [item]:
                    # Of several, the first that has a key gives its value.
                    merged = {**table, **merged} if isinstance(table, dict) else merged
            else:
                own[name] = item
        return {**merged, **own}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    return None if node.tag == NULL else str(node.value)


def _key(node: yaml.Node) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else "?"
