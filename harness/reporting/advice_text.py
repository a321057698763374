"""The answer to a question, for a terminal and for a pull request: the sentence first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup
from matplotlib.figure import Figure
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.analysis.metrics import METRICS
from harness.decision.answer import Advice, Ending, RuleOfThumb, Weighed, Why
from harness.reporting import facts
from harness.reporting.data import ReportData
from harness.reporting.figures.candidates import advice_figure
from harness.reporting.figures.style import png, svg
from harness.reporting.html import environment_of_pages, page_parts
from harness.reporting.markdown import inert
from harness.reporting.markdown_table import markdown_table
from harness.reporting.wording import ABSENT, estimate, number, plain

SHOWN = 12
"""Rows of the table of configurations: those that were measured, the cheapest first."""
FIGURES = ("latency_p95_s", "throughput_per_s", "working_set_peak_bytes", "cpu_cores", "errors")

_STYLES = {
    Why.CHOSEN: "bold green",
    Why.PASSES: "green",
    Why.FAILS: "red",
    Why.EDGE: "yellow",
    Why.UNMEASURABLE: "yellow",
}
_RULES = ("rule of thumb", "workers", "outcome", "why")
_CONFIGURATIONS = ("configuration", "CPUs", "memory MiB", "p95 ms", "trials", "outcome")


def to_terminal(advice: Advice) -> RenderableType:
    """Nothing of it is read as markup."""
    return Group(*_parts(advice))


def documents(advice: Advice, data: ReportData) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files of an answer."""
    figure = advice_figure(advice)
    yield "advice.html", to_html(advice, data, figure).encode()
    yield "advice.md", to_markdown(advice, data).encode()
    yield "advice.png", png(figure)


def to_html(advice: Advice, data: ReportData, figure: Figure) -> str:
    """One page that loads nothing."""
    environment = environment_of_pages()
    machine = data.provenance.get("host.cpu_model", "an unknown CPU")
    return environment.get_template("advice.html.j2").render(
        advice=advice,
        run_id=data.run_id,
        machine=f"{machine}, {data.engine}",
        headings=_figure_headings(advice),
        rows=list(_figure_rows(advice)),
        command=f"harness export {data.run_id}" if advice.ending is Ending.FOUND else "",
        rules=[_rule(rule) for rule in advice.rules],
        figure=Markup(svg(figure)),
        counted=_counted(advice),
        configuration_headings=_CONFIGURATIONS,
        configurations=[_weighed(one) for one in _shown(advice)],
        method=facts.method_rows(data),
        **page_parts(environment),
    )


def to_markdown(advice: Advice, data: ReportData) -> str:
    """Ending in a newline."""
    lines = [f"# {inert(advice.sentence)}", ""]
    if advice.at_rate or advice.with_headroom:
        lines += [markdown_table([_figure_headings(advice), *_figure_rows(advice)], safe=inert), ""]
    lines += [f"- {inert(note)}" for note in advice.notes]
    if advice.rules:
        lines += [
            "",
            "## Rules of thumb",
            "",
            markdown_table([_RULES, *map(_rule, advice.rules)], safe=inert),
        ]
    lines += ["", "## Configurations", ""]
    lines += [markdown_table([_CONFIGURATIONS, *map(_weighed, _shown(advice))], safe=inert), ""]
    lines += [f"{_counted(advice)} ![trade-off](advice.png)", ""]
    machine = data.provenance.get("host.cpu_model", "an unknown CPU")
    lines += [f"Run {inert(data.run_id)}, on {inert(machine)} with {inert(data.engine)}."]
    return "\n".join(lines) + "\n"


def _parts(advice: Advice) -> Iterator[RenderableType]:
    good = advice.ending is Ending.FOUND
    yield Text(plain(advice.sentence), style="bold green" if good else "bold yellow")
    rows = list(_figure_rows(advice))
    if rows:
        yield Text("")
        yield _table(_figure_headings(advice), rows)
    if advice.rules:
        yield Text("\nRules of thumb, for this kind of server", style="bold")
        yield _table(_RULES, [_rule(rule) for rule in advice.rules], [rule.why for rule in advice.rules])
    shown = _shown(advice)
    if shown:
        yield Text("\nConfigurations, the cheapest first", style="bold")
        yield _table(_CONFIGURATIONS, [_weighed(one) for one in shown], [one.why for one in shown])
    yield Text(_counted(advice), style="dim")
    for note in advice.notes:
        yield Text(f"! {plain(note)}", style="yellow")


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], whys: Sequence[Why] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for heading in headings:
        table.add_column(plain(heading), overflow="fold")
    for place, row in enumerate(rows):
        style = _STYLES.get(whys[place], "") if whys else ""
        table.add_row(*(Text(plain(cell)) for cell in row), style=style)
    return table


def _figure_headings(advice: Advice) -> list[str]:
    question = advice.question
    share = "" if advice.chosen is None or advice.chosen.replicas == 1 else ", per replica"
    return [
        f"measured{share}",
        f"at {question.rate_per_s:g}/s",
        f"at {question.with_headroom_per_s:g}/s (headroom)",
    ]


def _figure_rows(advice: Advice) -> Iterator[list[str]]:
    for name in FIGURES:
        metric = METRICS[name]
        sides = [figures.get(name) for figures in (advice.at_rate, advice.with_headroom)]
        if any(side is not None for side in sides):
            yield [f"{metric.label}, {metric.unit}", *(str(estimate(side, metric.scale)) for side in sides)]
    if advice.cost_per_million is not None:
        yield ["cost of a million requests", number(advice.cost_per_million), ABSENT]


def _rule(rule: RuleOfThumb) -> list[str]:
    return [rule.rule, str(rule.workers), str(rule.why), rule.reason]


def _weighed(one: Weighed) -> list[str]:
    memory, p95 = one.memory_mib, one.p95_s
    outcome = f"{one.why}: {one.reason}" if one.reason and one.why is not Why.COSTS_MORE else str(one.why)
    return [
        one.candidate.id,
        f"{one.cpus:g}",
        ABSENT if memory is None else number(memory),
        ABSENT if p95 is None else number(p95 * 1000),
        str(one.trials),
        outcome,
    ]


def _shown(advice: Advice) -> list[Weighed]:
    return [one for one in advice.weighed if one.trials][:SHOWN]


def _counted(advice: Advice) -> str:
    measured = sum(one.trials > 0 for one in advice.weighed)
    kinds = {why: sum(one.why is why for one in advice.weighed) for why in Why}
    told = ", ".join(f"{count} {why}" for why, count in kinds.items() if count)
    counted = f"{len(advice.weighed)} configurations, {measured} of them measured in {advice.trials} trials"
    return f"{counted}: {told}."


def _notes(advice: Advice) -> Iterator[str]:
    yield from advice.notes
