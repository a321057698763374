"""Commands around runs: the machine, what was left behind, schemas."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import MORE, RESULTS, ResultsOption, app, console, say
from harness.cli.runs import measure
from harness.errors import ExitCode

if TYPE_CHECKING:
    pass


@app.command(rich_help_panel=MORE)
def doctor(
    results: ResultsOption = RESULTS,
    measured: Annotated[
        bool, typer.Option("--measure", help="Measure for a minute what differences this machine can show.")
    ] = False,
) -> None:
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
    if measured:
        _measure_noise(results)


def _measure_noise(results: Path) -> None:
    """One deployment against itself: what differs is noise."""
    from harness import pipeline, stored_report
    from harness.reporting.noise import noise_lines

    options = pipeline.RunOptions(results=results, command="harness doctor --measure")
    outcome = measure(pipeline.resolved(Path("doctor")), options)
    for line in noise_lines(stored_report.report_data(outcome.store)):
        say(console(), line)


@app.command(rich_help_panel=MORE)
def clean() -> None:
    """Remove the containers, networks and temporary files of runs whose owner is dead. Nothing else, ever."""
    from harness.adapters.docker_client import connect
    from harness.adapters.ownership import remove_leftovers
    from harness.adapters.scratch import remove_dead

    # Files first, and said at once: they are there without an engine too.
    removed = 0
    for remove in (remove_dead, lambda: remove_leftovers(connect())):
        for name in remove():
            typer.echo(f"removed {name}")
            removed += 1
    if not removed:
        typer.echo("nothing was left behind")


@app.command(rich_help_panel=MORE)
def schema(
    of: Annotated[str, typer.Argument(help="matrix, advise, compare or events.")] = "matrix",
) -> None:
    """Print the JSON Schema of matrix files, of advice.json, of `compare --json` or of `run --json`."""
    import json

    from harness import events, stored_advice
    from harness.errors import ConfigurationError
    from harness.planning.schema import MatrixFile
    from harness.reporting import comparison_text

    schemas = {
        "matrix": MatrixFile.model_json_schema,
        "advise": stored_advice.json_schema,
        "compare": comparison_text.json_schema,
        "events": events.json_schema,
    }
    if of not in schemas:
        raise ConfigurationError(of, [f"has no schema; there are those of {', '.join(schemas)}"])
    typer.echo(json.dumps(schemas[of](), indent=2))
