"""A comparison of two versions, for a terminal, a pull request or a program."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from pydantic import TypeAdapter
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.analysis.metrics import METRICS
from harness.analysis.wording import change_interval, percent, signed
from harness.decision.changes import Change, VersionComparison
from harness.decision.thresholds import Outcome
from harness.records import published_schema
from harness.reporting.markdown import inert
from harness.reporting.markdown_table import markdown_table
from harness.reporting.wording import ABSENT, estimate, plain

SCHEMA_VERSION = 1
NO_LIMIT = "no limit"
_HEADINGS = ("scenario", "metric", "{base}", "{new}", "change", "limit", "outcome")
_STYLES = {Outcome.PASS: "green", Outcome.REGRESSION: "red", Outcome.INCONCLUSIVE: "yellow"}
_COMPARISON = TypeAdapter(VersionComparison)


def to_terminal(found: VersionComparison) -> RenderableType:
    """The sentence first; nothing of it is read as markup."""
    return Group(*_parts(found))


def to_markdown(found: VersionComparison) -> str:
    """For a pull request, ending in a newline."""
    lines = [f"**{inert(found.sentence)}**", ""]
    if found.changes:
        rows = [_cells(found, one) for one in found.changes]
        lines += [markdown_table([_headings(found), *rows], safe=inert), ""]
    lines += [f"- {inert(note)}" for note in _notes(found)]
    return "\n".join(lines).rstrip() + "\n"


def to_json(found: VersionComparison) -> dict[str, Any]:
    """As `json_schema` describes."""
    return {"schema": SCHEMA_VERSION, **_COMPARISON.dump_python(found, mode="json")}


def json_schema() -> dict[str, Any]:
    """Of `to_json`."""
    return published_schema(_COMPARISON, SCHEMA_VERSION)


def _parts(found: VersionComparison) -> Iterator[RenderableType]:
    yield Text(plain(found.sentence), style=f"bold {_STYLES[found.outcome]}")
    rows = [(one, _cells(found, one)) for one in found.changes]
    # What is compared stands above its figures: as a column of its own it would push the others together.
    for place, those in groupby(rows, key=lambda row: row[1][0]):
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
        _, metric, *sides, change, limit, outcome = _headings(found)
        table.add_column(plain(metric))
        for heading in (*sides, change):
            table.add_column(plain(heading), overflow="fold")
        for heading, widest in ((limit, "-100 %"), (outcome, Outcome.INCONCLUSIVE)):
            table.add_column(plain(heading), no_wrap=True, min_width=len(widest))
        for one, (_, *cells, word) in those:
            style = _STYLES[one.outcome] if one.outcome else "dim"
            table.add_row(*(Text(plain(cell)) for cell in cells), Text(plain(word), style=style))
        yield Text(f"\n{plain(place)}", style="bold")
        yield table
    for note in _notes(found):
        yield Text(f"! {plain(note)}", style="yellow")


def _headings(found: VersionComparison) -> list[str]:
    return [heading.format(base=found.base, new=found.new) for heading in _HEADINGS]


def _cells(found: VersionComparison, one: Change) -> list[str]:
    several = len({change.variant_id for change in found.changes}) > 1
    metric = METRICS[one.metric]
    before, after = (estimate(value, metric.scale) for value in (one.before, one.after))
    bounds = change_interval(one.ratio)
    return [
        f"{one.scenario}, {one.variant_id}" if several else one.scenario,
        f"{metric.label}, {metric.unit}",
        before.text,
        after.text,
        f"{signed(one.ratio.center - 1)}{f' ({bounds})' if bounds else ''}",
        ABSENT if one.threshold is None else signed(one.threshold.change),
        NO_LIMIT if one.outcome is None else str(one.outcome),
    ]


def _notes(found: VersionComparison) -> Iterator[str]:
    yield from found.problems
    yield from found.warnings
    floors = {one.scenario: one.floor for one in found.judged if one.floor is not None}
    if floors:
        worst = max(floors, key=lambda name: floors[name])
        yield f"A/A floor: two equal deployments may differ by up to {percent(floors[worst])} on {worst}"
