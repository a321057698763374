"""Durations as people write them. Pure."""

from __future__ import annotations

import re

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}


def parse_duration(text: str) -> float:
    """Seconds of "90s", "5m", "1h" or "90". Raises ValueError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip())
    if found is None or float(found[1]) == 0:
        raise ValueError(f'{text!r} is no duration. Fix: write such as "90s", "5m" or "1h"')
    return float(found[1]) * _UNITS[found[2]]
