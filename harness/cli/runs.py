"""Commands about matrices and their runs. Heavy libraries are imported where they are used."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import DAILY, MORE, RESULTS, ResultsOption, app, console, say
from harness.errors import ExitCode, HarnessError

if TYPE_CHECKING:
    from harness.adapters.result_store import RunStore
    from harness.pipeline import Remaining, Resolved, RunOptions, RunOutcome
    from harness.reporting.data import ReportData

MATRIX = Path("harness.toml")
MatrixOption = Annotated[
    Path, typer.Option("--matrix", "-m", help="A matrix file, or the name of one that ships, such as quick.")
]
RunArgument = Annotated[
    str | None, typer.Argument(metavar="RUN", help="A run's id or directory; the newest when left out.")
]


@app.command(rich_help_panel=DAILY)
def run(
    matrix: MatrixOption = MATRIX,
    results: ResultsOption = RESULTS,
    engine: Annotated[str, typer.Option(help="auto, docker or process (no containers).")] = "auto",
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume this matrix's newest run, or the one that --run names.")
    ] = False,
    run_name: Annotated[str, typer.Option("--run", help="Resume this run.")] = "",
    fail_fast: Annotated[bool, typer.Option(help="Stop at the first recipe that does not build.")] = False,
    wait: Annotated[bool, typer.Option(help="Wait for another run on this host to end.")] = False,
    only: Annotated[
        list[str] | None, typer.Option(help="A cell, variant or scenario to measure; * and ? match.")
    ] = None,
    skip: Annotated[list[str] | None, typer.Option(help="One to leave out; may be repeated.")] = None,
    budget: Annotated[str, typer.Option(help='How long it may take, such as "5m".')] = "",
    load_context: Annotated[
        list[str] | None,
        typer.Option(help="Where the load comes from: a Docker context, or ssh://HOST; =CPUS."),
    ] = None,
    address: Annotated[str, typer.Option(help="With it: this machine's address, as those reach it.")] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the verdict alone.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print events, one JSON object a line.")] = False,
) -> None:
    """Measure every variant of a matrix and say which one to deploy.

    Examples: harness run; harness run --matrix quick; harness run --only "*.w2.*" --budget 5m
    """
    from harness import pipeline, stored_report
    from harness.adapters.config_file import as_it_is
    from harness.execution.blocks import RunEnd
    from harness.reporting.terminal import report as verdicts
    from harness.set_up import through_load_hosts

    check_engine(engine)
    options = pipeline.RunOptions(
        results=results,
        engine=engine,
        resume=run_name if resume or run_name else None,
        fail_fast=fail_fast,
        wait=wait,
        command=repeated(sys.argv[1:], leave_out=("--resume",)),
        load_contexts=tuple(load_context or ()),
        address=address,
    )
    change = through_load_hosts if load_context else as_it_is
    known = part_of(pipeline.resolved(matrix, change), only or (), skip or (), budget)
    outcome = measure(known, options, quiet=quiet, as_json=as_json)
    data = stored_report.report_data(outcome.store)
    if outcome.store.records() and not as_json:
        console().print(verdicts(data))
    ranked = any(finding.best is not None for finding in data.analysis.findings)
    pages = stored_report.write_report(outcome.store, data) if outcome.new_records else []
    code = ExitCode.OK
    if pages and not as_json:
        say(console(), f"\nReport: {pages[0]}")
    if outcome.end is RunEnd.INTERRUPTED:
        code = ExitCode.INTERRUPTED
        if not as_json:
            say(console(), f"Resume with: {repeated(sys.argv[1:], leave_out=('--resume',))} --resume")
    elif _broken(outcome) or (outcome.new_records and not ranked):
        code = ExitCode.TRIALS
    if as_json:
        _say_ended(outcome, data, code)
    raise typer.Exit(code)


def _broken(outcome: RunOutcome) -> bool:
    from harness.model import Validity

    return bool(outcome.failed_builds) or any(r.validity is Validity.INVALID for r in outcome.new_records)


def _say_ended(outcome: RunOutcome, data: ReportData, code: ExitCode) -> None:
    from harness.events import Ended, JsonWatcher

    analysis = data.analysis
    JsonWatcher(typer.echo).emit(
        Ended(
            run=str(outcome.store.path),
            end=str(outcome.end),
            headline=analysis.headline,
            recommended=analysis.recommended,
            exit_code=int(code),
        )
    )


def repeated(arguments: Sequence[str], *, leave_out: Sequence[str] = ()) -> str:
    """The command line that does the same again."""
    return shlex.join(["harness", *(word for word in arguments if word not in leave_out)])


def part_of(known: Resolved, only: Sequence[str], skip: Sequence[str], budget: str) -> Resolved:
    """What was asked for of a matrix. Raises ConfigurationError."""
    from harness.errors import ConfigurationError
    from harness.planning.durations import parse_duration
    from harness.planning.selection import NothingSelected, selected

    matrix = known.matrix
    try:
        matrix = selected(matrix, only=only, skip=skip)
        matrix = replace(matrix, budget_s=parse_duration(budget)) if budget else matrix
    except NothingSelected as error:
        raise ConfigurationError("--only, --skip", [str(error)]) from error
    except ValueError as error:
        raise ConfigurationError("--budget", [str(error)]) from error
    return replace(known, matrix=matrix)


def check_engine(name: str) -> None:
    """Raises ConfigurationError."""
    from harness.adapters.engines import NAMES
    from harness.errors import ConfigurationError

    if name not in NAMES:
        raise ConfigurationError("--engine", [f"{name!r} is not one of {', '.join(NAMES)}"])


def measure(
    known: Resolved,
    options: RunOptions,
    *,
    remaining: Remaining | None = None,
    quiet: bool = False,
    as_json: bool = False,
) -> RunOutcome:
    """A run that says how it goes: on the terminal, as JSON, or not at all."""
    from harness import pipeline
    from harness.events import JsonWatcher, QuietWatcher
    from harness.progress import LiveWatcher

    if as_json:
        return pipeline.run(known, options, JsonWatcher(typer.echo), remaining=remaining)
    if quiet:
        return pipeline.run(known, options, QuietWatcher(), remaining=remaining)
    with LiveWatcher(console()) as watcher:
        return pipeline.run(known, options, watcher, remaining=remaining)


@app.command(rich_help_panel=MORE)
def plan(matrix: MatrixOption = MATRIX) -> None:
    """Show what a run would do: cells, order, exact commands, time and disk. Starts nothing."""
    from harness import pipeline
    from harness.planning.plan import cells_of, plan_blocks
    from harness.reporting.plan import plan_text

    known = pipeline.resolved(matrix)
    resolved = known.matrix
    blocks = plan_blocks(cells_of(resolved), blocks=resolved.blocks, seed=resolved.seed)
    say(console(), plan_text(resolved, blocks, remarks=known.remarks))


@app.command(rich_help_panel=DAILY)
def show(run: RunArgument = None, results: ResultsOption = RESULTS) -> None:
    """Print a stored run's verdicts again, or what it advised."""
    from harness import stored_advice, stored_report
    from harness.adapters.result_store import find_run
    from harness.reporting.advice_text import to_terminal
    from harness.reporting.terminal import report as verdicts

    store = find_run(results, run)
    data = stored_report.report_data(store)
    searched = stored_advice.is_advice(store)
    console().print(to_terminal(stored_advice.advice_of(store, data)) if searched else verdicts(data))
    _say_state(store)


def _say_state(store: RunStore) -> None:
    """Apart from what was asked for, which may go into a pipe."""
    from harness.stored_report import state_of

    for note in state_of(store):
        typer.echo(f"! {note}", err=True)


@app.command(rich_help_panel=MORE)
def report(
    run: RunArgument = None,
    results: ResultsOption = RESULTS,
    csv: Annotated[
        bool, typer.Option("--csv", help="Write trials.csv, and the requests of each cell, too.")
    ] = False,
) -> None:
    """Rebuild a stored run's report files (HTML, Markdown, PNG)."""
    from harness import stored_advice, stored_report
    from harness.adapters.result_store import find_run

    store = find_run(results, run)
    data = stored_report.report_data(store)
    if stored_advice.is_advice(store):
        paths = stored_advice.write_advice(store, stored_advice.advice_of(store, data), data)
    else:
        paths = stored_report.write_report(store, data)
    if csv:
        from harness.api import Run, tables

        paths += store.write_report(tables(Run(store)))
    for path in paths:
        typer.echo(path)
    _say_state(store)


@app.command(name="list", rich_help_panel=MORE)
def list_(results: ResultsOption = RESULTS) -> None:
    """List matrices, scenarios, recipes and stored runs."""
    from harness.adapters.assets import assets
    from harness.adapters.config_file import scenario_names
    from harness.adapters.result_store import runs_in
    from harness.recipes import RECIPES

    shipped = assets()
    matrices = sorted(_name_here(path) for path in (shipped / "matrices").glob("*.toml"))
    runs = [f"{store.path.name}  {_state(store)}" for store in runs_in(results)]
    recipes = [
        f"{name}  {recipe.description}{f' ({recipe.caution})' if recipe.caution else ''}"
        for name, recipe in RECIPES.items()
    ]
    sections = {"Matrices": matrices, "Scenarios": scenario_names(shipped), "Recipes": recipes, "Runs": runs}
    for title, lines in sections.items():
        typer.echo(f"{title}:")
        typer.echo("".join(f"  {line}\n" for line in lines) or "  none yet\n", nl=False)


def _name_here(matrix: Path) -> str:
    """What to give --matrix from here: the path in a checkout, elsewhere the plain name."""
    here = Path.cwd()
    return str(matrix.relative_to(here)) if matrix.is_relative_to(here) else matrix.stem


def _state(store: RunStore) -> str:
    try:
        return store.manifest()["end"] or "not finished"
    except HarnessError:
        return "damaged"
