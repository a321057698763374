"""A run's verdict for a terminal: readable at 80 columns, without colour, and with hostile text in it."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.analysis.wording import objective
from harness.findings import ScenarioFinding
from harness.reporting import facts, run_tables, tables
from harness.reporting.cautions import cautions
from harness.reporting.data import ReportData
from harness.reporting.evidence_lines import evidence_lines
from harness.reporting.wording import ABSENT, Estimate, plain

SHOWN_INVALID = 10
SHOWN_SIGNALS = ("CPU", "event loop", "threads", "busiest worker")

_STYLES = {
    "better": "green",
    "worse": "red",
    "equivalent": "cyan",
    "undecided": "yellow",
    "NOISY": "yellow",
    "GENERATOR-BOUND": "yellow",
    "INVALID": "red",
    tables.CANNOT_SERVE: "red",
}


def report(data: ReportData) -> RenderableType:
    """The whole terminal report, headline first. Everything is `Text`: no markup is ever read from data."""
    return Group(*_parts(data))


def _parts(data: ReportData) -> Iterator[RenderableType]:
    yield Text(plain(data.analysis.headline), style="bold")
    notice = facts.engine_notice(data)
    if notice:
        yield Text(plain(notice), style="bold yellow")
    for warning in data.analysis.warnings:
        yield Text(f"! {plain(warning)}", style="yellow")
    for caution in cautions(data):
        yield Text(f"! {caution}", style="yellow")
    for line in evidence_lines(data):
        yield Text(plain(line), style="dim")
    yield from _deployment(data)
    for finding in data.analysis.findings:
        yield from _finding(data, finding)
    if data.rules:
        yield from _rules(data)
    yield from _invalid(data)
    yield Text(f"\n{facts.trials_line(data)}", style="dim")


def _deployment(data: ReportData) -> Iterator[RenderableType]:
    chosen = facts.deployment(data)
    if chosen is None:
        return
    yield Text("\nDeploy ").append(plain(chosen.variant_id), style="bold")
    (_, server), *_ = chosen.steps
    yield Text(f"  {server}")
    yield Text(f"  as files: harness export {plain(data.run_id)}", style="dim")


def _finding(data: ReportData, finding: ScenarioFinding) -> Iterator[RenderableType]:
    yield Text(f"\n{plain(finding.scenario)}", style="bold")
    if finding.measured:
        yield from _figures(data, finding)
    else:
        yield Text("Nothing was measured.")
    for warning in tables.warnings(finding):
        yield Text(f"! {warning}", style="yellow")


def _figures(data: ReportData, finding: ScenarioFinding) -> Iterator[RenderableType]:
    yield Text(facts.scenario_line(data, finding), style="dim")
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
    table.add_column("variant", min_width=16, overflow="fold")
    for heading in (
        tables.rate_heading(finding),
        "p95 ms",
        "memory\nMiB",
        "CPU ms\n/req",
        "ratio to\nbaseline",
    ):
        table.add_column(heading, justify="right", overflow="fold")
    table.add_column("verdict\nVALID trials", overflow="fold")
    for row in tables.verdict_rows(data, finding):
        table.add_row(
            _name(row),
            *(_two_lines(value) for value in (row.rate, row.p95)),
            *(Text(value.text) for value in (row.memory, row.cpu)),
            _two_lines(row.ratio),
            _verdict(row),
        )
    yield table
    yield from _capacities(data, finding)
    yield Text("★ not distinguishable from the best; 95 % intervals below the numbers", style="dim")
    yield Text(tables.floor_line(data, finding), style="dim")
    yield from _limits(data, finding)


def _capacities(data: ReportData, finding: ScenarioFinding) -> Iterator[Text]:
    rows = tables.capacity_rows(data, finding)
    if rows:
        yield Text(f"capacity under {objective(data.scenario(finding.scenario))}, requests/s:")
    for row in rows:
        yield (
            Text(f"  {plain(row.variant_id)}  ")
            .append(row.capacity.text, style="bold")
            .append(f"; {row.per_core.text} per core, {row.per_gib.text} per GiB of peak memory", style="dim")
        )


def _name(row: tables.VerdictRow) -> Text:
    """Recipe above, levels below: together they are the variant's id."""
    recipe, _, levels = row.variant_id.partition(".")
    name = Text(recipe, style="bold" if row.best else "").append(f"\n.{levels}" if levels else "")
    for note in row.notes:
        name.append(f"\n{note}", style="dim")
    return name.append(f"\n{row.caution}" if row.caution else "", style="yellow")


def _two_lines(value: Estimate) -> Text:
    return Text(value.text).append(f"\n{value.interval}", style="dim")


def _verdict(row: tables.VerdictRow) -> Text:
    mark = "★ " if row.best else ""
    broken = f" {row.broken}" if row.broken else ""
    return Text(f"{mark}{row.verdict}", style=_STYLES.get(row.verdict, "")).append(
        f"\n{row.trials}{broken}", style="dim"
    )


def _limits(data: ReportData, finding: ScenarioFinding) -> Iterator[RenderableType]:
    """Only the signals that decide most often; the other reports have them all."""
    rows = tables.limit_rows(data, finding)
    if not rows:
        return
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for heading in ("variant", "limited by", "signals"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        told = dict(zip(tables.limit_headings(finding), row.signals, strict=True))
        signals = "; ".join(
            f"{name} {told[name]}" for name in SHOWN_SIGNALS if told.get(name, ABSENT) != ABSENT
        )
        table.add_row(
            Text(plain(row.variant_id)), Text(row.limited_by, style="bold"), Text(signals, style="dim")
        )
    yield Text("")
    yield table


def _rules(data: ReportData) -> Iterator[RenderableType]:
    yield Text("\nHow many workers?", style="bold")
    note = facts.rules_note(data)
    if note:
        yield Text(note, style="dim")
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for heading in ("scenario", "rule", "workers", "variant", "memory\nMiB", "lost to\nthe best"):
        numeric = heading in ("workers", "memory\nMiB")
        table.add_column(heading, justify="right" if numeric else "left", overflow="fold")
    for row in run_tables.rule_lines(data):
        lost = ("★ " if row.best else "") + str(row.lost)
        cells = (row.scenario, row.rule, row.workers, row.variant_id, row.memory.text, lost)
        table.add_row(*(Text(plain(cell)) for cell in cells))
    yield table


def _invalid(data: ReportData) -> Iterator[RenderableType]:
    rows = run_tables.invalid_rows(data)
    if not rows:
        return
    yield Text("\nTrials that are not ranked", style="bold")
    for row in rows[:SHOWN_INVALID]:
        line = Text(f"{plain(row.trial_id)}  ").append(row.word, style=_STYLES.get(row.word, ""))
        yield line
        yield Padding(Text(row.reasons, style="dim"), (0, 0, 0, 2))
    if len(rows) > SHOWN_INVALID:
        yield Text(f"{len(rows) - SHOWN_INVALID} more in the report", style="dim")
    if again := facts.again(data):
        yield Text(f"Measure one again: {plain(again)}", style="dim")
