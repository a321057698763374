"""A table in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def without_bars(cell: str) -> str:
    """A cell that neither ends nor breaks its row."""
    return cell.replace("|", "\\|").replace("\n", " ")


def markdown_table(
    rows: Sequence[Sequence[str]], *, safe: Callable[[str], str] = without_bars, aligned: bool = False
) -> str:
    """The first row holds the headings. `aligned` pads the columns, for a reader of the text itself."""
    headings, *others = [[safe(cell) for cell in row] for row in rows]
    lines = [headings, ["---"] * len(headings), *others]
    if aligned:
        widths = [max(3, *(len(row[column]) for row in lines)) for column in range(len(headings))]
        rule = ["-" * width for width in widths]
        padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in lines]
        lines = [padded[0], rule, *padded[2:]]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)
