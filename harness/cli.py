"""Arguments and exit codes. Heavy libraries are imported where they are used, so that --help is quick."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness import __version__
from harness.errors import ExitCode, HarnessError

if TYPE_CHECKING:
    from rich.console import Console

    from harness.adapters.result_store import RunStore

app = typer.Typer(
    name="harness",
    help="Benchmark FastAPI deployments in containers and turn the figures into a decision.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

RESULTS = Path("results")
EVIDENCE = RESULTS / "claims"
MatrixOption = Annotated[
    Path, typer.Option("--matrix", "-m", help="A matrix file, for example matrices/quick.toml.")
]
ResultsOption = Annotated[Path, typer.Option("--results", help="Where the run directories are.")]
RunArgument = Annotated[
    str | None, typer.Argument(metavar="RUN", help="A run's id or directory; the newest when left out.")
]


@app.command()
def run(
    matrix: MatrixOption,
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
    from harness import pipeline, rebuild
    from harness.adapters.engines import NAMES
    from harness.errors import ConfigurationError
    from harness.execution.run import RunEnd
    from harness.live import LiveWatcher
    from harness.model import Validity

    if engine not in NAMES:
        raise ConfigurationError("--engine", [f"{engine!r} is not one of {', '.join(NAMES)}"])
    options = pipeline.RunOptions(
        results=results,
        engine=engine,
        resume=run_name if resume or run_name else None,
        fail_fast=fail_fast,
        wait=wait,
    )
    console = _console()
    with LiveWatcher(console) as watcher:
        outcome = pipeline.run(matrix, options, watcher)
    if outcome.store.records():
        _present(console, outcome.store)
    if outcome.new_records:
        report_path, *_ = rebuild.write_report(outcome.store)
        _say(console, f"\nReport: {report_path}")
    if outcome.end is RunEnd.INTERRUPTED:
        _say(console, f"Go on with: {_resume_command(matrix, results, engine)}")
        raise typer.Exit(ExitCode.INTERRUPTED)
    if outcome.failed_builds or any(r.validity is Validity.INVALID for r in outcome.new_records):
        raise typer.Exit(ExitCode.TRIALS)


@app.command()
def plan(matrix: MatrixOption) -> None:
    """Show what a run would do: cells, order, exact commands, time and disk. Starts nothing."""
    from harness import pipeline
    from harness.planning.plan import cells_of, plan_blocks
    from harness.reporting.plan import plan_text

    _, resolved = pipeline.resolved(matrix)
    blocks = plan_blocks(cells_of(resolved), blocks=resolved.blocks, seed=resolved.seed)
    _say(_console(), plan_text(resolved, blocks))


@app.command()
def show(run: RunArgument = None, results: ResultsOption = RESULTS) -> None:
    """Print a stored run's verdicts again."""
    from harness.adapters.result_store import find_run

    _present(_console(), find_run(results, run))


@app.command()
def report(run: RunArgument = None, results: ResultsOption = RESULTS) -> None:
    """Rebuild a stored run's report files (HTML, Markdown, PNG)."""
    from harness import rebuild
    from harness.adapters.result_store import find_run

    for path in rebuild.write_report(find_run(results, run)):
        typer.echo(path)


@app.command(name="list")
def list_(results: ResultsOption = RESULTS) -> None:
    """List matrices, scenarios, recipes and stored runs."""
    from harness.adapters.config_file import find_project, scenario_names
    from harness.adapters.result_store import runs_in
    from harness.planning.recipes import RECIPES

    project = find_project(Path.cwd())
    matrices = sorted(str(p.relative_to(project)) for p in (project / "matrices").glob("*.toml"))
    runs = [f"{store.path.name}  {_state(store)}" for store in runs_in(results)]
    recipes = [
        f"{name}  {recipe.description}{f' ({recipe.caution})' if recipe.caution else ''}"
        for name, recipe in RECIPES.items()
    ]
    sections = {"Matrices": matrices, "Scenarios": scenario_names(project), "Recipes": recipes, "Runs": runs}
    for title, lines in sections.items():
        typer.echo(f"{title}:")
        typer.echo("".join(f"  {line}\n" for line in lines) or "  none yet\n", nl=False)


@app.command()
def doctor(results: ResultsOption = RESULTS) -> None:
    """Check what a run needs on this machine, why, and which command mends what is missing."""
    from harness.adapters.doctor import checks

    found = checks(results)
    for check in found:
        word = "ok  " if check.ok else "MISS" if check.required else "note"
        typer.echo(f"{word}  {check.name}: {check.detail}")
        if not check.ok:
            typer.echo(f"      why it matters: {check.why}\n      mend it with:   {check.mend}")
    if not all(check.ok for check in found if check.required):
        raise typer.Exit(ExitCode.ENVIRONMENT)


@app.command()
def selfcheck(
    full: Annotated[bool, typer.Option("--full", help="Longer, more repeats: about 20 minutes.")] = False,
    markdown: Annotated[Path | None, typer.Option(help="Write the result to this file as well.")] = None,
    wait: Annotated[bool, typer.Option(help="Wait for another run on this host to end.")] = False,
) -> None:
    """Measure servers whose truth is known, and print measured against theory. Under 3 minutes."""
    from harness.selfcheck import document
    from harness.selfcheck.run import selfcheck as check

    console = _console()
    result = check(
        full=full,
        wait=wait,
        say=lambda message: _say(console, message),
        show=lambda line: _say(console, document.text(line)),
    )
    _say(console, f"\n{document.confusion(result.injected)}\n")
    for item in result.not_yet:
        _say(console, item)
    if markdown:
        markdown.write_text(document.markdown(result), encoding="utf-8")
    _say(console, document.summary(result))
    if not result.met:
        raise typer.Exit(ExitCode.REGRESSION)


@app.command()
def images(
    results: ResultsOption = RESULTS,
    into: Annotated[
        Path | None,
        typer.Option(help="This directory, not a new one; what it holds is not measured again."),
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="A pair by name; may be given again.")] = None,
    wait: Annotated[bool, typer.Option(help="Wait for another run on this host to end.")] = False,
) -> None:
    """Build pairs of images that differ in one thing, and compare their bytes, build and start times."""
    from datetime import UTC, datetime

    from harness.adapters.result_store import new_run_id
    from harness.images.run import compare_images
    from harness.images.table import table

    console = _console()
    directory = into or results / new_run_id(results, "images", datetime.now(UTC))
    try:
        store = compare_images(directory, only=only or (), wait=wait, say=lambda text: _say(console, text))
    except KeyboardInterrupt:
        _say(console, f"Go on with: {shlex.join(['harness', 'images', '--into', str(directory)])}")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    console.print(table(store.observations()))


@app.command()
def lifecycle(
    into: Annotated[
        Path | None, typer.Option(help="A directory for the observations; one that is there is gone on with.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="A probe by name or by claim (L1 to L11); may be repeated.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, max=1000, help="How often losses are counted.")] = 20,
    wait: Annotated[bool, typer.Option(help="Wait for another run on this host to end.")] = False,
) -> None:
    """Stop, kill, block and reload real servers, and count what their clients lose. About 12 minutes."""
    from harness.lifecycle import document
    from harness.lifecycle.run import default_directory
    from harness.lifecycle.run import lifecycle as experiment

    console = _console()
    into = into or default_directory(RESULTS)
    again = shlex.join(["harness", "lifecycle", "--into", str(into)])
    _say(console, f"If it is cut short, go on with: {again}")
    result = experiment(
        into=into,
        only=only or (),
        repeats=repeats,
        wait=wait,
        say=lambda message: _say(console, message),
        show=lambda seen: _say(console, document.line(seen)),
    )
    _say(console, f"\n{document.table(result.store.observations())}\n\nObservations: {result.store.path}")
    if result.unmeasured:
        _say(console, "\n".join(["Not measured:", *result.unmeasured]))
        raise typer.Exit(ExitCode.TRIALS)


@app.command()
def claims(
    evidence: Annotated[
        Path, typer.Option(help="The directory with one run or experiment a preset.")
    ] = EVIDENCE,
    markdown: Annotated[Path | None, typer.Option(help="Write the page to this file as well.")] = None,
    best: Annotated[int, typer.Option(min=0, help="Print this many of the most telling lines only.")] = 0,
) -> None:
    """Hold the field's advice against what was measured: holds, fails, depends or undecided."""
    from harness.claims import document
    from harness.claims.catalogue import findings
    from harness.claims.stored import stored_evidence, stored_machines, versions
    from harness.claims.workers import rule_cells

    found = stored_evidence(evidence)
    judged, rules = findings(found), tuple(rule_cells(found))
    machines = stored_machines(evidence)
    if markdown:
        command = shlex.join(["harness", "claims", "--evidence", str(evidence), "--markdown", str(markdown)])
        page = document.markdown(judged, rules, machines, versions(evidence), command=command)
        markdown.write_text(page, encoding="utf-8")
    shown = document.best(judged, best) if best else document.text(judged, rules, machines)
    _say(_console(), shown)


@app.command()
def catalogue(
    into: Annotated[Path, typer.Option(help="Where each preset has its directory.")] = EVIDENCE,
    only: Annotated[list[str] | None, typer.Option(help="A preset; may be repeated.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Say how long it takes, and start nothing.")] = False,
    budget_min: Annotated[float, typer.Option(min=1, help="Begin nothing that would end later.")] = 180.0,
    engine: Annotated[str, typer.Option(help="auto, docker or process (no containers).")] = "auto",
    wait: Annotated[bool, typer.Option(help="Wait for another run on this host to end.")] = False,
) -> None:
    """Measure all that the claims are judged by; a second call goes on where the first one ended."""
    from time import monotonic

    from harness import catalogue as presets
    from harness.adapters.config_file import find_project
    from harness.live import LiveWatcher

    console = _console()
    project = find_project(Path.cwd())
    every: list[presets.Step] = [
        *presets.matrix_steps(project, into, engine=engine, wait=wait),
        *presets.experiment_steps(into, wait=wait),
    ]
    steps = presets.chosen(every, only or ())
    for line in presets.told_beforehand(steps, budget_s=budget_min * 60):
        _say(console, line)
    if plan:
        return
    with LiveWatcher(console) as watcher:
        done = presets.walk(steps, budget_s=budget_min * 60, monotonic=monotonic, watcher=watcher)
    claims(evidence=into)
    for name in done.left:
        _say(console, f"{name} was left for the next call: the budget was too small")
    if done.interrupted:
        _say(console, f"Go on with: {shlex.join(['harness', 'catalogue', '--into', str(into)])}")
        raise typer.Exit(ExitCode.INTERRUPTED)
    if done.failed:
        raise typer.Exit(ExitCode.TRIALS)


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


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """The `harness` command: every expected failure becomes one message and its exit code."""
    _install_interrupt_ladder()
    try:
        app()
    except HarnessError as error:
        from harness.live import printable

        typer.echo(f"harness: {printable(str(error))}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("harness: interrupted", err=True)
        sys.exit(ExitCode.INTERRUPTED)


def _install_interrupt_ladder() -> None:
    """First SIGINT or SIGTERM: stop, clean up, report what there is. Second: leave at once.

    What a second one leaves standing, the reaper removes.
    """

    def interrupt(_signal: int, _frame: Any) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: os._exit(ExitCode.INTERRUPTED))
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False)


def _say(console: Console, text: str) -> None:
    """Text as it is: what looks like markup in it is none."""
    console.print(text, markup=False, soft_wrap=True)


def _resume_command(matrix: Path, results: Path, engine: str) -> str:
    argv = ["harness", "run", "--matrix", str(matrix)]
    argv += ["--results", str(results)] if results != RESULTS else []
    argv += ["--engine", engine] if engine != "auto" else []
    return shlex.join([*argv, "--resume"])


def _state(store: RunStore) -> str:
    try:
        return store.manifest()["end"] or "not finished"
    except HarnessError:
        return "damaged"


def _present(console: Console, store: RunStore) -> None:
    from harness import rebuild
    from harness.reporting.terminal import report as verdicts

    console.print(verdicts(rebuild.report_data(store)))
