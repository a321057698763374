"""A part of a matrix, by the ids of its cells. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from harness.model import Cell, Matrix

NAMED = 12
"""Cells of a message."""


class NothingSelected(ValueError):
    """No cell is left."""


def selected(matrix: Matrix, *, only: Sequence[str] = (), skip: Sequence[str] = ()) -> Matrix:
    """The variants and scenarios of the cells that match, and the baseline, which all are compared with.

    A pattern is the id of a cell or of a variant, or the name of a scenario; * and ? mean what they do in a
    shell. Raises NothingSelected.
    """
    scenarios, variants = matrix.scenarios, matrix.variants
    cells = [Cell(variant=variant, scenario=scenario) for scenario in scenarios for variant in variants]
    kept = [
        cell
        for cell in cells
        if (not only or any(_matches(cell, pattern) for pattern in only))
        and not any(_matches(cell, pattern) for pattern in skip)
    ]
    if not kept:
        there = ", ".join(cell.id for cell in cells[:NAMED])
        more = f" and {len(cells) - NAMED} more" if len(cells) > NAMED else ""
        raise NothingSelected(f"no cell is left. There are {there}{more}")
    ids = {cell.variant.id for cell in kept} | {matrix.baseline_id}
    names = {cell.scenario.name for cell in kept}
    return replace(
        matrix,
        variants=tuple(variant for variant in variants if variant.id in ids),
        scenarios=tuple(scenario for scenario in scenarios if scenario.name in names),
    )


def _matches(cell: Cell, pattern: str) -> bool:
    return any(fnmatchcase(name, pattern) for name in (cell.id, cell.variant.id, cell.scenario.name))
