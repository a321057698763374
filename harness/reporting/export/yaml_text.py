"""YAML as people write it: commands on one line, everything else one key a line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import yaml


class OneLine(list[Any]):
    """A list that is written on one line, such as a command."""


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Without anchors: a text that people edit says the same thing twice."""

    def ignore_aliases(self, _: Any) -> bool:
        return True


_Dumper.add_representer(
    OneLine, lambda dumper, data: dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)
)
_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)


def one_line(words: Iterable[str]) -> OneLine:
    return OneLine(words)


def yaml_text(documents: Sequence[Any]) -> str:
    """Keys stay in their order."""
    return str(yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True))
