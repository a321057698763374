"""Benchmark FastAPI deployments in containers and turn the figures into a decision.

import harness
run = harness.load("results/20261130-125422-servers")   # or nothing: the newest run
run.headline; run.trials; run.verdicts; run.plot.ratios()
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Run", "__version__", "compare", "load"]

if TYPE_CHECKING:
    from harness.api import Run, compare, load


def __getattr__(name: str) -> Any:
    """The API on first use: it needs pandas and matplotlib, which the command line does without."""
    if name in ("Run", "compare", "load"):
        return getattr(import_module("harness.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
