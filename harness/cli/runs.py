"""Commands about matrices and their runs. Heavy libraries are imported where they are used."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import RESULTS, ResultsOption, app, console, say
from harness.errors import ExitCode, HarnessError

if TYPE_CHECKING:
    from rich.console import Console

    from harness.adapters.result_store import RunStore
    from harness.pipeline import Remaining, Resolved, RunOptions, RunOutcome

MATRIX = Path("harness.toml")
MatrixOption = Annotated[
    Path, typer.Option("--matrix", "-m", help="A matrix file, or the name of one that ships, such as quick.")
]
RunArgument = Annotated[
    str | None, typer.Argument(metavar="RUN", help="A run's id or directory; the newest when left out.")
]


@app.command()
def run(
    matrix: MatrixOption = MATRIX,
    results: ResultsOption = RESULTS,
    engine: Annotated[str, typer.Option(help="auto, docker or process (no containers).")] = "auto",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with this matrix's newest run, or the one named by --run.")
    ] = False,
    run_name: Annotated[str, typer.Option("--run", help="Go on with this run.")] = "",
    fail_fast: Annotated[bool, typer.Option(help="Stop at the first recipe that does not build.")] = False,
    wait: Annotated[bool, typer.Option(help="Wait for another run on this host to end.")] = False,
) -> None:
    """Measure every variant of a matrix and say which one to deploy."""
    from harness import pipeline, stored_report
    from harness.execution.blocks import RunEnd
    from harness.model import Validity

    check_engine(engine)
    options = pipeline.RunOptions(
        results=results,
        engine=engine,
        resume=run_name if resume or run_name else None,
        fail_fast=fail_fast,
        wait=wait,
    )
    screen = console()
    outcome = measure(pipeline.resolved(matrix), options)
    ranked = _present(screen, outcome.store) if outcome.store.records() else False
    if outcome.new_records:
        report_path, *_ = stored_report.write_report(outcome.store)
        say(screen, f"\nReport: {report_path}")
    if outcome.end is RunEnd.INTERRUPTED:
        say(screen, f"Go on with: {_resume_command(matrix, results, engine)}")
        raise typer.Exit(ExitCode.INTERRUPTED)
    broken = outcome.failed_builds or any(r.validity is Validity.INVALID for r in outcome.new_records)
    if broken or (outcome.new_records and not ranked):
        raise typer.Exit(ExitCode.TRIALS)


def check_engine(name: str) -> None:
    """Raises ConfigurationError."""
    from harness.adapters.engines import NAMES
    from harness.errors import ConfigurationError

    if name not in NAMES:
        raise ConfigurationError("--engine", [f"{name!r} is not one of {', '.join(NAMES)}"])


def measure(known: Resolved, options: RunOptions, *, remaining: Remaining | None = None) -> RunOutcome:
    """A run that says on the terminal how it goes."""
    from harness import pipeline
    from harness.progress import LiveWatcher

    with LiveWatcher(console()) as watcher:
        return pipeline.run(known, options, watcher, remaining=remaining)


@app.command()
def plan(matrix: MatrixOption = MATRIX) -> None:
    """Show what a run would do: cells, order, exact commands, time and disk. Starts nothing."""
    from harness import pipeline
    from harness.planning.plan import cells_of, plan_blocks
    from harness.reporting.plan import plan_text

    known = pipeline.resolved(matrix)
    resolved = known.matrix
    blocks = plan_blocks(cells_of(resolved), blocks=resolved.blocks, seed=resolved.seed)
    say(console(), plan_text(resolved, blocks, remarks=known.remarks))


@app.command()
def show(run: RunArgument = None, results: ResultsOption = RESULTS) -> None:
    """Print a stored run's verdicts again, or what it advised."""
    from harness import stored_advice
    from harness.adapters.result_store import find_run

    store = find_run(results, run)
    if stored_advice.is_advice(store):
        from harness.reporting.advice import to_terminal

        console().print(to_terminal(stored_advice.advice_of(store)))
    else:
        _present(console(), store)


@app.command()
def report(run: RunArgument = None, results: ResultsOption = RESULTS) -> None:
    """Rebuild a stored run's report files (HTML, Markdown, PNG)."""
    from harness import stored_advice, stored_report
    from harness.adapters.result_store import find_run

    store = find_run(results, run)
    write = stored_advice.write_advice if stored_advice.is_advice(store) else stored_report.write_report
    for path in write(store):
        typer.echo(path)


@app.command(name="list")
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


@app.command()
def doctor(results: ResultsOption = RESULTS) -> None:
    """Check what a run needs on this machine, why, and which command fixes what is missing."""
    from harness.adapters.doctor import checks

    found = checks(results)
    for check in found:
        word = "ok  " if check.ok else "MISS" if check.required else "note"
        typer.echo(f"{word}  {check.name}: {check.detail}")
        if not check.ok:
            typer.echo(f"      why it matters: {check.why}\n      fix:            {check.fix}")
    if not all(check.ok for check in found if check.required):
        raise typer.Exit(ExitCode.ENVIRONMENT)


@app.command()
def clean() -> None:
    """Remove the containers and networks of runs whose owner is dead. Nothing else, ever."""
    from harness.adapters.docker_client import connect
    from harness.adapters.ownership import remove_leftovers

    removed = remove_leftovers(connect())
    typer.echo("\n".join(f"removed {name}" for name in removed) or "nothing was left behind")


@app.command()
def schema() -> None:
    """Print the JSON Schema of matrix files."""
    import json

    from harness.planning.schema import MatrixFile

    typer.echo(json.dumps(MatrixFile.model_json_schema(), indent=2))


def _resume_command(matrix: Path, results: Path, engine: str) -> str:
    argv = ["harness", "run", *(() if matrix == MATRIX else ("--matrix", str(matrix)))]
    argv += ["--results", str(results)] if results != RESULTS else []
    argv += ["--engine", engine] if engine != "auto" else []
    return shlex.join([*argv, "--resume"])


def _name_here(matrix: Path) -> str:
    """What to give --matrix from here: the path in a checkout, elsewhere the plain name."""
    here = Path.cwd()
    return str(matrix.relative_to(here)) if matrix.is_relative_to(here) else matrix.stem


def _state(store: RunStore) -> str:
    try:
        return store.manifest()["end"] or "not finished"
    except HarnessError:
        return "damaged"


def _present(screen: Console, store: RunStore) -> bool:
    """Print the verdicts of a run; whether it could rank anything."""
    from harness import stored_report
    from harness.reporting.terminal import report as verdicts

    data = stored_report.report_data(store)
    screen.print(verdicts(data))
    return any(finding.best is not None for finding in data.analysis.findings)
