"""The report as one HTML file that opens anywhere, loads nothing and lets no data become code."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from harness.analysis.metrics import CAPACITY, METRICS
from harness.analysis.wording import objective, percent
from harness.findings import ScenarioFinding
from harness.reporting import facts, run_tables, tables
from harness.reporting.cautions import cautions
from harness.reporting.data import ReportData
from harness.reporting.evidence_lines import evidence_lines
from harness.reporting.figures import svg
from harness.reporting.figures.ratios import band_caption
from harness.reporting.wording import plain

_CAPTIONS = {
    "ranking": "Dots are means over the trials, bars their 95 % intervals, faint marks single trials. "
               "Filled and bold: not distinguishable from the best.",
    "search": "A line for each trial. Small: rates tried, and whether the objective was met. Large: offered "
              "for longer, to fresh arrivals; the highest of these that passed is the trial's capacity.",
    "latency": "Every step to the right is ten times rarer. Lower is better; a line that turns up early "
               "has a heavy tail.",
    "memory": "Both axes start at zero. Crosses are 95 % intervals.",
    "resources": "Shaded: the measured window. All panels share their scales.",
}  # fmt: skip

_CLIENTS_CAPTION = (
    "Requests answered a second by the number of clients in a closed loop; thick lines are 95 % intervals."
)
_RULES_CAPTION = (
    "Green: not distinguishable from the best. The number after the arrow is what the rule gives here."
)


ROOM_FOR_FIGURES = 120_000
"""Bytes of folded figures in the page, so that it stays light enough to be mailed; the others are files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Illustration:
    """A figure in the page."""

    svg: Markup
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One scenario of the page."""

    anchor: str
    name: str
    description: str
    ranked_by: str
    rate_heading: str
    rows: tuple[tables.VerdictRow, ...]
    limits: tuple[tables.LimitRow, ...]
    limit_headings: tuple[str, ...]
    objective: str
    capacities: tuple[tables.CapacityRow, ...]
    others: tuple[tables.OtherRow, ...]
    floor: str
    warnings: tuple[str, ...]
    ratios: Illustration
    """The figure of the decision."""
    figures: tuple[Illustration, ...]
    files: tuple[str, ...]
    """Figures that are not in the page, by the names of their files."""
    choice: str
    """What to deploy where only this scenario counts."""
    p99: str
    """Bounds of p99 where there are too few requests for more, or nothing."""


def report(data: ReportData, figures: Mapping[str, Figure]) -> str:
    """The whole page with its `figures` as `all_figures` names them. The same data give the same bytes."""
    environment = environment_of_pages()
    shown = _in_page(data, figures)
    return environment.get_template("report.html.j2").render(
        data=data,
        notice=facts.engine_notice(data),
        evidence=tuple(evidence_lines(data)),
        warnings=(*data.analysis.warnings, *cautions(data)),
        deployment=facts.deployment(data),
        sections=[
            _section(data, finding, place, figures, shown)
            for place, finding in enumerate(data.analysis.findings, 1)
        ],
        one_for_all=facts.one_for_all(data),
        margin=percent(data.matrix.margin),
        capacity=any(finding.metric == CAPACITY for finding in data.analysis.findings),
        rules_figure=_illustration(figures["worker-rules"], _RULES_CAPTION) if data.rules else None,
        clients_figures=[
            _illustration(figure, _CLIENTS_CAPTION)
            for name, figure in figures.items()
            if name.startswith("clients.")
        ],
        rule_lines=run_tables.rule_lines(data),
        rules_note=facts.rules_note(data),
        invalid=run_tables.invalid_rows(data),
        method=facts.method_rows(data),
        trials_line=facts.trials_line(data),
        glossary=facts.GLOSSARY,
        **page_parts(environment),
    )


def environment_of_pages() -> Environment:
    """Everything that is put into a page is escaped."""
    environment = Environment(
        loader=PackageLoader("harness.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["plain"] = plain
    return environment


def page_parts(environment: Environment) -> dict[str, Markup | str]:
    """Style, and the one script that the page's policy allows by its hash."""
    script = _source(environment, "report.js")
    return {
        "style": Markup(_source(environment, "report.css")),
        "script": Markup(script),
        "script_hash": _sha256(script),
    }


def _source(environment: Environment, name: str) -> str:
    """A packaged file as it is, not as a template."""
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0].strip()


def _sha256(script: str) -> str:
    """The script's hash as a content security policy wants it: no other script runs in the page."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest())
    return f"'sha256-{digest.decode()}'"


def _illustration(figure: Figure, caption: str) -> Illustration:
    return Illustration(svg=Markup(svg(figure)), caption=caption)


def _in_page(data: ReportData, figures: Mapping[str, Figure]) -> dict[str, Illustration]:
    """The folded figures by name, those that tell most first, as many as the page has room for."""
    shown: dict[str, Illustration] = {}
    room = ROOM_FOR_FIGURES
    for kind, caption in _CAPTIONS.items():
        for finding in data.analysis.findings:
            name = f"{kind}.{finding.scenario}"
            if name in figures and room > 0:
                picture = _illustration(figures[name], caption)
                room -= len(picture.svg)
                if room >= 0:
                    shown[name] = picture
    return shown


def _section(
    data: ReportData,
    finding: ScenarioFinding,
    place: int,
    figures: Mapping[str, Figure],
    shown: Mapping[str, Illustration],
) -> Section:
    name = finding.scenario
    own = [f"{kind}.{name}" for kind in _CAPTIONS]
    return Section(
        anchor=f"scenario-{place}",
        name=finding.scenario,
        description=facts.scenario_line(data, finding),
        ranked_by=METRICS[finding.metric].label,
        rate_heading=tables.rate_heading(finding),
        rows=tables.verdict_rows(data, finding),
        limits=tables.limit_rows(data, finding),
        limit_headings=tables.limit_headings(finding),
        objective=objective(data.scenario(finding.scenario)),
        capacities=tables.capacity_rows(data, finding),
        others=tables.other_rows(finding),
        floor=tables.floor_line(data, finding),
        warnings=tables.warnings(finding),
        ratios=_illustration(figures[f"ratios.{name}"], band_caption(finding)),
        figures=tuple(shown[figure] for figure in own if figure in shown),
        files=tuple(f"{figure}.png" for figure in own if figure in figures and figure not in shown),
        choice=facts.choice(data, finding),
        p99=facts.p99_line(data, finding),
    )
