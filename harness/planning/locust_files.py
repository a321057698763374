"""Locust files of a team's own: what can be said of them before anything is built."""

from __future__ import annotations

import ast

from harness.model import ClosedLoad, Scenario


def is_locust_file(scenario: Scenario) -> bool:
    """Whether it runs a Locust file as it is; the stem of a bundled scenario has no ".py"."""
    return scenario.locustfile.endswith(".py")


def locust_file_problem(scenario: Scenario, source: str) -> str | None:
    """Why this Locust file cannot run under this scenario, with the fix; None where nothing shows.

    Nothing is imported: what the file needs may only be in the generator's image.
    """
    name = scenario.locustfile
    if not isinstance(scenario.load, ClosedLoad):
        return (
            f"{name}: load = {scenario.load.kind!r}, but a Locust file is a closed loop: it has no rate.\n"
            f"Fix: give clients; for a rate or a capacity, put its requests into the matrix"
        )
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        return f"{name}: line {error.lineno}: {error.msg}.\nFix: it must run under `locust -f {name}`"
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and any(_name(base) == "LoadTestShape" for base in node.bases):
            return (
                f"{name}: line {node.lineno}: {node.name} is a LoadTestShape, but the load comes from the "
                f"scenario.\nFix: take the class out, and give clients and measure_s in the scenario"
            )
    return None


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
