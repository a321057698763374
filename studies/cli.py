"""Commands about experiments that are no matrix runs, and about what all of them say together."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.console import RESULTS, ResultsOption, console, say
from harness.cli.runs import repeated
from harness.errors import ExitCode

if TYPE_CHECKING:
    from studies.experiment import Experiment, Observed
    from studies.observations import Observation

app = typer.Typer(
    help="Questions about the field's advice, and about the harness itself.", no_args_is_help=True
)

EVIDENCE = RESULTS / "claims"
MEASURED = RESULTS / "catalogue"

IntoOption = Annotated[
    Path | None, typer.Option(help="This directory, not a new one; what it holds is not measured again.")
]
WaitOption = Annotated[bool, typer.Option(help="Wait for another run on this host to end.")]


@app.command()
def selfcheck(
    full: Annotated[bool, typer.Option("--full", help="Longer, more repeats: about 30 minutes.")] = False,
    markdown: Annotated[Path | None, typer.Option(help="Write the result to this file as well.")] = None,
    wait: WaitOption = False,
) -> None:
    """Measure servers whose truth is known, and print measured against theory. Under 3 minutes."""
    from studies.selfcheck import selfcheck_page
    from studies.selfcheck.check import selfcheck as check

    screen = console()
    result = check(
        full=full,
        wait=wait,
        say=lambda message: say(screen, message),
        show=lambda line: say(screen, selfcheck_page.text(line)),
    )
    say(screen, f"\n{selfcheck_page.confusion(result.injected)}\n")
    for item in result.not_yet:
        say(screen, item)
    if markdown:
        markdown.write_text(selfcheck_page.markdown(result), encoding="utf-8")
    say(screen, selfcheck_page.summary(result))
    if not result.met:
        raise typer.Exit(ExitCode.REGRESSION)


@app.command()
def images(
    results: ResultsOption = RESULTS,
    into: IntoOption = None,
    only: Annotated[list[str] | None, typer.Option(help="A pair by name or claim; may be repeated.")] = None,
    wait: WaitOption = False,
) -> None:
    """Build pairs of images that differ in one thing, and compare their bytes, build and start times."""
    from studies.images.image_experiment import IMAGES
    from studies.images.table import table

    screen = console()
    done = _observe(IMAGES, into, results, only, wait=wait)
    screen.print(table(done.store.observations()))
    _end(done)


@app.command()
def lifecycle(
    results: ResultsOption = RESULTS,
    into: IntoOption = None,
    matrix: Annotated[
        Path | None,
        typer.Option("--matrix", "-m", help="Your app's harness.toml; without it, the example app."),
    ] = None,
    variant: Annotated[
        list[str] | None, typer.Option(help="With --matrix: a variant, not the baseline; may be repeated.")
    ] = None,
    rate: Annotated[float, typer.Option(min=0.1, max=1000, help="With --matrix: requests per second.")] = 20,
    only: Annotated[
        list[str] | None, typer.Option(help="A probe by name or by claim (L1 to L11); may be repeated.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, max=1000, help="How often losses are counted.")] = 20,
    wait: WaitOption = False,
) -> None:
    """Stop, kill and reload real servers, and count what their clients lose. About 12 minutes.

    Examples: harness study lifecycle; harness study lifecycle --matrix harness.toml --repeats 10 --only stop
    """
    from harness.pipeline import resolved
    from studies.lifecycle import observation_lines
    from studies.lifecycle.fault_experiment import lifecycle as of_the_example
    from studies.lifecycle.team_app import team_app

    screen = console()
    experiment: Experiment[Any] = of_the_example(repeats=repeats)
    if matrix is not None:
        experiment = team_app(resolved(matrix), only=variant or (), repeats=repeats, rate_per_s=rate)
    done = _observe(
        experiment,
        into,
        results,
        only,
        wait=wait,
        show=lambda seen: say(screen, observation_lines.line(seen, note=False)),
    )
    say(screen, f"\n{observation_lines.table(done.store.observations())}\n\nObservations: {done.store.path}")
    _end(done)


@app.command()
def claims(
    evidence: Annotated[
        Path, typer.Option(help="The directory with one run or experiment a preset.")
    ] = EVIDENCE,
    markdown: Annotated[Path | None, typer.Option(help="Write the page to this file as well.")] = None,
    best: Annotated[int, typer.Option(min=0, help="Print this many of the most telling lines only.")] = 0,
) -> None:
    """Check published advice against measurements: holds, fails, depends or undecided."""
    from studies.claims import claims_page
    from studies.claims.all_claims import findings
    from studies.claims.stored import made_again, stored_evidence, stored_machines, versions
    from studies.claims.workers import rule_cells

    found = stored_evidence(evidence)
    judged, rules = findings(found), tuple(rule_cells(found))
    machines = stored_machines(evidence)
    if markdown:
        command = shlex.join(
            ["harness", "study", "claims", "--evidence", str(evidence), "--markdown", str(markdown)]
        )
        page = claims_page.markdown(
            judged, rules, machines, versions(evidence), made_again(evidence), command=command
        )
        markdown.write_text(page, encoding="utf-8")
    shown = claims_page.best(judged, best) if best else claims_page.text(judged, rules, machines)
    say(console(), shown)


@app.command()
def catalogue(
    into: Annotated[Path, typer.Option(help="Where each preset has its directory.")] = MEASURED,
    only: Annotated[list[str] | None, typer.Option(help="A preset; may be repeated.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Say how long it takes, and start nothing.")] = False,
    budget_min: Annotated[float, typer.Option(min=1, help="Begin nothing that would end later.")] = 180.0,
    engine: Annotated[str, typer.Option(help="auto, docker or process (no containers).")] = "auto",
    wait: WaitOption = False,
) -> None:
    """Run every study behind the claims; resumes where it stopped."""
    from harness.adapters.assets import assets
    from harness.progress import LiveWatcher
    from studies import tasks
    from studies.catalogue import studies

    screen = console()
    wanted = tasks.chosen(tuple(studies(assets(), into, engine=engine, wait=wait)), only or ())
    for line in tasks.announced(wanted, budget_s=budget_min * 60):
        say(screen, line)
    if plan:
        return
    with LiveWatcher(screen) as watcher:
        done = tasks.walk(
            wanted, lambda study: study.measure(watcher), say=watcher.said, budget_s=budget_min * 60
        )
    claims(evidence=into)
    for name in done.over_budget:
        say(screen, f"{name} skipped: over budget")
    if done.interrupted:
        say(screen, f"Resume with: {shlex.join(['harness', 'study', 'catalogue', '--into', str(into)])}")
        raise typer.Exit(ExitCode.INTERRUPTED)
    if done.failed:
        raise typer.Exit(ExitCode.TRIALS)


def _observe(
    experiment: Experiment[Any],
    into: Path | None,
    results: Path,
    only: list[str] | None,
    *,
    wait: bool,
    show: Callable[[Observation], None] = lambda _: None,
) -> Observed:
    """What `into` lacks of an experiment; in a new directory of `results` without it."""
    from datetime import UTC, datetime

    from harness.adapters.result_store import new_run_id
    from studies.experiment import measure

    screen, again = console(), repeated(sys.argv[1:])
    if into is None:
        into = results / new_run_id(results, experiment.name, datetime.now(UTC))
        again += f" {shlex.join(['--into', str(into)])}"
    say(screen, f"If interrupted, resume with: {again}")
    return measure(
        experiment, into=into, only=only or (), wait=wait, say=lambda text: say(screen, text), show=show
    )


def _end(done: Observed) -> None:
    if done.walked.interrupted:
        raise typer.Exit(ExitCode.INTERRUPTED)
    if done.walked.failed:
        say(console(), "\n".join(["Not measured:", *done.walked.failed]))
        raise typer.Exit(ExitCode.TRIALS)
