"""The report as Markdown, for a pull request or a wiki. Foreign text is escaped: it stays text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from harness.analysis.metrics import METRICS
from harness.analysis.wording import objective
from harness.findings import ScenarioFinding
from harness.reporting import facts, run_tables, tables
from harness.reporting.cautions import cautions
from harness.reporting.data import ReportData
from harness.reporting.evidence_lines import evidence_lines
from harness.reporting.markdown_table import markdown_table
from harness.reporting.wording import plain

_SPECIAL = re.compile(r"([\\`*_\[\]|~])")


def inert(text: str) -> str:
    """`text` on one line with nothing that Markdown or HTML would read."""
    html_safe = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", html_safe)


def report(data: ReportData) -> str:
    """The whole report, ending in a newline."""
    return "\n".join(_lines(data)) + "\n"


def _lines(data: ReportData) -> Iterator[str]:
    yield f"# {inert(data.analysis.headline)}"
    yield ""
    notice = facts.engine_notice(data)
    if notice:
        yield from (f"> **{inert(notice)}**", "")
    if warnings := (*data.analysis.warnings, *cautions(data)):
        yield from (*(f"- {inert(warning)}" for warning in warnings), "")
    yield from (*(f"- {inert(line)}" for line in evidence_lines(data)), "")
    yield from _deployment(data)
    for finding in data.analysis.findings:
        yield from _finding(data, finding)
    yield from _rules(data)
    yield from _invalid(data)
    yield from ("## How it was measured", "")
    yield from _table(("fact", "value"), facts.method_rows(data))
    yield from ("## Words", "")
    yield from (f"- **{inert(word)}**: {inert(meaning)}" for word, meaning in facts.GLOSSARY)


def _deployment(data: ReportData) -> Iterator[str]:
    chosen = facts.deployment(data)
    if chosen is None:
        return
    yield from ("## What to deploy", "", f"**{inert(chosen.variant_id)}**", "")
    # An indented block has no closing fence that a command could forge.
    yield from (*(f"    {command}" for _, command in chosen.steps), "")


def _finding(data: ReportData, finding: ScenarioFinding) -> Iterator[str]:
    yield from (f"## {inert(finding.scenario)}", "")
    yield from (inert(facts.scenario_line(data, finding)), "")
    rows = [
        (
            ("★ " if row.best else "") + row.variant_id + _aside((*row.notes, row.caution)),
            *map(str, (row.rate, row.p95)),
            row.memory.text,
            row.cpu.text,
            str(row.ratio),
            f"{row.verdict} ({row.broken})" if row.broken else row.verdict,
            row.trials,
            row.limited_by,
        )
        for row in tables.verdict_rows(data, finding)
    ]
    yield from _table(
        (
            "variant",
            tables.rate_heading(finding),
            "p95 ms",
            "memory MiB",
            "CPU ms/request",
            f"{METRICS[finding.metric].label} / baseline",
            "verdict",
            "VALID trials",
            "limited by",
        ),
        rows,
    )
    yield from _capacities(data, finding)
    yield from ("★ not distinguishable from the best. Brackets hold 95 % intervals.", "")
    yield from (inert(tables.floor_line(data, finding)), "")
    yield from _limits(data, finding)
    doubts = tables.warnings(finding)
    if doubts:
        yield from (*(f"- {inert(doubt)}" for doubt in doubts), "")


def _aside(remarks: Sequence[str]) -> str:
    said = "; ".join(filter(None, remarks))
    return f" ({said})" if said else ""


def _limits(data: ReportData, finding: ScenarioFinding) -> Iterator[str]:
    rows = [(row.variant_id, row.limited_by, *row.signals) for row in tables.limit_rows(data, finding)]
    if rows:
        yield from ("What limited each variant, and the signals behind it (medians over its trials):", "")
        yield from _table(("variant", "limited by", *tables.limit_headings(finding)), rows)


def _capacities(data: ReportData, finding: ScenarioFinding) -> Iterator[str]:
    rows = tables.capacity_rows(data, finding)
    if rows:
        heading = f"requests/s under {objective(data.scenario(finding.scenario))}"
        shown = [(row.variant_id, *map(str, (row.capacity, row.per_core, row.per_gib))) for row in rows]
        yield from _table(("variant", inert(heading), "per core", "per GiB of peak memory"), shown)


def _rules(data: ReportData) -> Iterator[str]:
    if not data.rules:
        return
    yield from ("## How many workers?", "")
    note = facts.rules_note(data)
    if note:
        yield from (inert(note), "")
    rows = [
        (
            *(line.scenario, line.rule, line.workers, line.variant_id, line.memory.text),
            ("★ " if line.best else "") + str(line.lost),
        )
        for line in run_tables.rule_lines(data)
    ]
    yield from _table(("scenario", "rule", "workers", "variant", "memory MiB", "lost to the best"), rows)


def _invalid(data: ReportData) -> Iterator[str]:
    rows = [(row.trial_id, row.word, row.reasons) for row in run_tables.invalid_rows(data)]
    if rows:
        yield from ("## Trials that are not ranked", "")
        yield from _table(("trial", "word", "reasons"), rows)


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table and the empty line after it."""
    yield markdown_table([headings, *([inert(cell) for cell in row] for row in rows)], safe=str)
    yield ""
