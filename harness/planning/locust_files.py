"""Locust files of a team's own: what can be said of them before anything is built."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.model import Scenario


def is_locust_file(scenario: Scenario) -> bool:
    """Whether it runs a Locust file as it is; the stem of a bundled scenario has no ".py"."""
    return scenario.locustfile.endswith(".py")


def locust_problems(source: bytes, *, closed: bool) -> Iterator[str]:
    """Why this Locust file cannot run under its load, each in a sentence with the fix.

    Nothing is imported: what the file needs may only be in the generator's image. Raises what `ast.parse`
    raises for a file that is no Python.
    """
    if not closed:
        yield (
            "a Locust file is a closed loop, it has no rate. Fix: give load.clients; for a rate or a "
            "capacity, put its requests into the matrix"
        )
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef) and any(_name(base) == "LoadTestShape" for base in node.bases):
            yield (
                f"line {node.lineno}: {node.name} is a LoadTestShape, but the load comes from the scenario. "
                f"Fix: take the class out"
            )


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
