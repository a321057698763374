"""A search among releases, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.analysis.metrics import METRICS
from harness.analysis.wording import change_interval, percent, signed
from harness.decision.bisect import BisectEnding, Bisection, BisectSide, BisectStep
from harness.reporting.wording import estimate, plain

_STYLES = {BisectEnding.FOUND: "green", BisectEnding.NO_CHANGE: "green"}


def to_terminal(found: Bisection) -> RenderableType:
    """The sentence first, then each step's releases; nothing of it is read as markup."""
    return Group(*_parts(found))


def _parts(found: Bisection) -> Iterator[RenderableType]:
    yield Text(plain(found.sentence), style=f"bold {_STYLES.get(found.ending, 'yellow')}")
    for number, step in enumerate(found.steps, 1):
        yield Text(f"\nStep {number}: {step.run}")
        yield _table(found.package, step)
    for remark in found.remarks:
        yield Text(f"! {plain(remark)}", style="yellow")
    if found.ending is BisectEnding.OPEN or found.ending is BisectEnding.NARROWED:
        yield Text("Next: more blocks detect smaller differences (--blocks).")


def _table(package: str, step: BisectStep) -> Table:
    metric = METRICS[step.ends.metric]
    floor = "" if step.ends.floor is None else f" (A/A floor {percent(step.ends.floor)})"
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for heading in (package, f"{metric.label}, {metric.unit}", f"against {step.old}{floor}", "like"):
        table.add_column(plain(heading), overflow="fold")
    sides = dict(step.sides)
    for release in step.releases:
        one = step.changes[step.old, release if release != step.old else step.new]
        value = estimate(one.before if release == step.old else one.after, metric.scale).text
        if release == step.old:
            table.add_row(release, value, "", "")
            continue
        side = sides.get(release)
        like = {BisectSide.OLD: step.old, BisectSide.NEW: step.new, BisectSide.OPEN: "undecided", None: ""}[
            side
        ]
        bounds = change_interval(one.ratio)
        table.add_row(
            release, value, f"{signed(one.ratio.center - 1)}{f' ({bounds})' if bounds else ''}", like
        )
    return table
