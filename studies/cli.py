"""Commands about experiments that are no matrix runs, and about what all of them say together."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import RESULTS, ResultsOption, console, say
from harness.errors import ExitCode

app = typer.Typer(
    help="Questions about the field's advice, and about the harness itself.", no_args_is_help=True
)

EVIDENCE = RESULTS / "claims"
MEASURED = RESULTS / "catalogue"


@app.command()
def selfcheck(
    full: Annotated[bool, typer.Option("--full", help="Longer, more repeats: about 30 minutes.")] = False,
    markdown: Annotated[Path | None, typer.Option(help="Write the result to this file as well.")] = None,
    wait: Annotated[bool, typer.Option(help="Wait for another run on this host to end.")] = False,
) -> None:
    """Measure servers whose truth is known, and print measured against theory. Under 3 minutes."""
    from studies.selfcheck import document
    from studies.selfcheck.check import selfcheck as check

    screen = console()
    result = check(
        full=full,
        wait=wait,
        say=lambda message: say(screen, message),
        show=lambda line: say(screen, document.text(line)),
    )
    say(screen, f"\n{document.confusion(result.injected)}\n")
    for item in result.not_yet:
        say(screen, item)
    if markdown:
        markdown.write_text(document.markdown(result), encoding="utf-8")
    say(screen, document.summary(result))
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
    from studies.images.comparison import compare_images
    from studies.images.table import table

    screen = console()
    directory = into or results / new_run_id(results, "images", datetime.now(UTC))
    try:
        store = compare_images(directory, only=only or (), wait=wait, say=lambda text: say(screen, text))
    except KeyboardInterrupt:
        say(screen, f"Resume with: {shlex.join(['harness', 'study', 'images', '--into', str(directory)])}")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    screen.print(table(store.observations()))


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
    from studies.lifecycle import document
    from studies.lifecycle.experiment import default_directory
    from studies.lifecycle.experiment import lifecycle as experiment

    screen = console()
    into = into or default_directory(RESULTS)
    again = shlex.join(["harness", "study", "lifecycle", "--into", str(into)])
    say(screen, f"If interrupted, resume with: {again}")
    result = experiment(
        into=into,
        only=only or (),
        repeats=repeats,
        wait=wait,
        say=lambda message: say(screen, message),
        show=lambda seen: say(screen, document.line(seen)),
    )
    say(screen, f"\n{document.table(result.store.observations())}\n\nObservations: {result.store.path}")
    if result.unmeasured:
        say(screen, "\n".join(["Not measured:", *result.unmeasured]))
        raise typer.Exit(ExitCode.TRIALS)


@app.command()
def claims(
    evidence: Annotated[
        Path, typer.Option(help="The directory with one run or experiment a preset.")
    ] = EVIDENCE,
    markdown: Annotated[Path | None, typer.Option(help="Write the page to this file as well.")] = None,
    best: Annotated[int, typer.Option(min=0, help="Print this many of the most telling lines only.")] = 0,
) -> None:
    """Check published advice against measurements: holds, fails, depends or undecided."""
    from studies.claims import document
    from studies.claims.catalogue import findings
    from studies.claims.stored import made_again, stored_evidence, stored_machines, versions
    from studies.claims.workers import rule_cells

    found = stored_evidence(evidence)
    judged, rules = findings(found), tuple(rule_cells(found))
    machines = stored_machines(evidence)
    if markdown:
        command = shlex.join(
            ["harness", "study", "claims", "--evidence", str(evidence), "--markdown", str(markdown)]
        )
        page = document.markdown(
            judged, rules, machines, versions(evidence), made_again(evidence), command=command
        )
        markdown.write_text(page, encoding="utf-8")
    shown = document.best(judged, best) if best else document.text(judged, rules, machines)
    say(console(), shown)


@app.command()
def catalogue(
    into: Annotated[Path, typer.Option(help="Where each preset has its directory.")] = MEASURED,
    only: Annotated[list[str] | None, typer.Option(help="A preset; may be repeated.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Say how long it takes, and start nothing.")] = False,
    budget_min: Annotated[float, typer.Option(min=1, help="Begin nothing that would end later.")] = 180.0,
    engine: Annotated[str, typer.Option(help="auto, docker or process (no containers).")] = "auto",
    wait: Annotated[bool, typer.Option(help="Wait for another run on this host to end.")] = False,
) -> None:
    """Run every study behind the claims; resumes where it stopped."""
    from time import monotonic

    from harness.adapters.assets import assets
    from harness.progress import LiveWatcher
    from studies import catalogue as presets

    screen = console()
    project = assets()
    every: list[presets.Step] = [
        *presets.matrix_steps(project, into, engine=engine, wait=wait),
        *presets.experiment_steps(into, wait=wait),
    ]
    steps = presets.chosen(every, only or ())
    for line in presets.told_beforehand(steps, budget_s=budget_min * 60):
        say(screen, line)
    if plan:
        return
    with LiveWatcher(screen) as watcher:
        done = presets.walk(steps, budget_s=budget_min * 60, monotonic=monotonic, watcher=watcher)
    claims(evidence=into)
    for name in done.left:
        say(screen, f"{name} skipped: over budget")
    if done.interrupted:
        say(screen, f"Resume with: {shlex.join(['harness', 'study', 'catalogue', '--into', str(into)])}")
        raise typer.Exit(ExitCode.INTERRUPTED)
    if done.failed:
        raise typer.Exit(ExitCode.TRIALS)
