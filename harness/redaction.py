"""Values of secrets, taken out of what others said before it is shown or stored. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import quote

SHORTEST_SECRET = 4
"""A shorter value stands by chance in too many texts, and protects nothing."""


def without_secrets(text: str, secrets: Mapping[str, str]) -> str:
    """Each value by its name, as "{env:NAME}": servers like to repeat what they were told, in JSON too."""
    for name, value in secrets.items():
        if len(value) < SHORTEST_SECRET:
            continue
        in_json = json.dumps(value)[1:-1]
        for form in (in_json.replace("\\", "\\\\"), in_json, quote(value, safe=""), value):
            text = text.replace(form, f"{{env:{name}}}")
    return text
