"""What the field's rules give for a number of CPUs. Pure."""

from __future__ import annotations

import math


def rules_of_thumb(cpus: float) -> dict[str, int]:
    """What the field's rules for workers give for so many CPUs, the rules that agree under one name."""
    whole = max(1, math.floor(cpus))
    return {
        "1 per container": 1,
        "1 per CPU": whole,
        "2 x CPU": max(1, round(2 * cpus)),
        "2 x CPU + 1": max(1, round(2 * cpus)) + 1,
        "max(CPU, 2)": max(whole, 2),
        "2 to 4 a machine": 3,
    }
