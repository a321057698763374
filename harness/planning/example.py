"""The target of the example app that ships. Pure: nothing is looked at here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.target import Target

REQUIRED_SETTING = "TARGET_STAGE"
"""It does not start without."""

EXAMPLE = Target(
    name="target_app",
    app="target_app.main:app",
    context="",
    requirements="requirements/target_app.txt",
    ready="/health/ready",
    env={REQUIRED_SETTING: "benchmark"},
)
"""As far as commands go: its context is where the assets of the harness lie, which `example` is told."""


def is_example(target: Target, root: Path) -> bool:
    """Whether a target is the example in the assets at `root`, whatever its environment."""
    return target.context == str(root) and target.requirements == EXAMPLE.requirements


def example(root: Path) -> Target:
    return replace(EXAMPLE, context=str(root))
