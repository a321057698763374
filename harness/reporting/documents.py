"""Every file of a report, as names and bytes; the store writes them."""

from __future__ import annotations

from collections.abc import Iterator

from harness.reporting import html, markdown
from harness.reporting.data import ReportData
from harness.reporting.figures import all_figures, png


def documents(data: ReportData) -> Iterator[tuple[str, bytes]]:
    """The HTML report first, then its Markdown twin, then each figure as PNG."""
    figures = all_figures(data)
    yield "report.html", html.report(data, figures).encode()
    yield "report.md", markdown.report(data).encode()
    for name, figure in figures.items():
        yield f"{name}.png", png(figure)
