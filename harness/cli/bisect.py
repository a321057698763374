"""`harness bisect`: which release of a package changed a metric."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.compare import measured_of
from harness.cli.console import DAILY, RESULTS, ResultsOption, app, console, say
from harness.cli.runs import MATRIX, MatrixOption, check_engine, measure, part_of, repeated
from harness.errors import ConfigurationError, ExitCode

if TYPE_CHECKING:
    from harness.decision.bisect import BisectStep
    from harness.model import Variant
    from harness.pipeline import Resolved, RunOptions


@app.command(rich_help_panel=DAILY)
def bisect(
    package: Annotated[str, typer.Argument(help="As the package index calls it.")],
    releases: Annotated[str, typer.Argument(metavar="A..B", help="An older release and a newer one.")],
    metric: Annotated[str, typer.Option(help="memory, throughput, capacity, p50 to p99 or cpu.")] = "memory",
    matrix: MatrixOption = MATRIX,
    variant: Annotated[str, typer.Option(help="The variant to measure; the baseline when left out.")] = "",
    scenario: Annotated[str, typer.Option(help="The one to measure; the first when left out.")] = "",
    margin: Annotated[
        float, typer.Option(min=0, max=1, help="The least change that counts, 0.05 for 5 %; 0: the matrix's.")
    ] = 0,
    blocks: Annotated[int, typer.Option(min=0, help="How many blocks a step; 0: as in the matrix.")] = 0,
    results: ResultsOption = RESULTS,
    engine: Annotated[str, typer.Option(help="auto, docker or process (no containers).")] = "auto",
    wait: Annotated[bool, typer.Option(help="Wait for another run on this host to end.")] = False,
) -> None:
    """Find the release of a package with which a metric of your app changed.

    Each step measures up to five releases side by side in one run. Exit codes: 0 found, or no change; 4
    undecided.

    Examples: harness bisect fastapi 0.110.0..0.120.0; harness bisect pydantic 2.9.2..2.12.0 --metric p95
    """
    from harness import pipeline
    from harness.adapters.package_releases import releases_between
    from harness.decision.bisect import BisectEnding, answer, search
    from harness.decision.thresholds import metric_named
    from harness.reporting.bisect_text import to_terminal

    check_engine(engine)
    try:
        name = metric_named(metric)
    except ValueError as error:
        raise ConfigurationError("--metric", [str(error)]) from error
    old, dots, new = releases.partition("..")
    if not dots:
        raise ConfigurationError("A..B", [f"{releases!r} is not two releases, such as 1.0.0..1.4.2"])
    plain, chosen = measured_of(matrix, variant)
    known = releases_between(package, old, new)
    say(console(), f"{len(known)} releases of {package} from {known[0]} to {known[-1]}")
    options = pipeline.RunOptions(
        results=results, engine=engine, wait=wait, command=repeated(sys.argv[1:], leave_out=("--resume",))
    )
    asked = _Asked(package, name, scenario or plain.scenarios[0].name, matrix, chosen, blocks)
    margin = margin or plain.margin
    steps = search(known, lambda part: _measured(part, asked, options), margin)
    found = answer(package, known, steps, margin=margin)
    console().print(to_terminal(found))
    if found.ending is BisectEnding.OPEN or found.ending is BisectEnding.NARROWED:
        raise typer.Exit(ExitCode.TRIALS)


@dataclass(frozen=True, slots=True)
class _Asked:
    package: str
    metric: str
    scenario: str
    matrix: Path
    variant: Variant
    blocks: int

    def run(self, releases: Sequence[str]) -> Resolved:
        from harness import pipeline
        from harness.planning.schema_factors import VersionTable
        from harness.planning.versions import in_versions, version_name

        levels = [
            VersionTable(name=version_name(f"{self.package}-{one}"), packages=[f"{self.package}=={one}"])
            for one in releases
        ]
        known = pipeline.resolved(
            self.matrix, lambda file: in_versions(file, self.variant, levels, blocks=self.blocks)
        )
        return part_of(known, [self.scenario], (), "")


def _measured(releases: Sequence[str], asked: _Asked, options: RunOptions) -> BisectStep:
    """Releases side by side in one run. Raises ConfigurationError where an end could not be measured."""
    from harness import stored_report
    from harness.decision.bisect import BisectStep
    from harness.decision.compare import changes_among
    from harness.execution.blocks import RunEnd

    outcome = measure(asked.run(releases), options)
    if outcome.end is RunEnd.INTERRUPTED:
        raise typer.Exit(ExitCode.INTERRUPTED)
    data = stored_report.report_data(outcome.store)
    ids = dict(zip(releases, (variant.id for variant in data.matrix.variants), strict=True))
    changes, problems = changes_among(data.records, data.matrix, ids, asked.metric)
    old, new = releases[0], releases[-1]
    if (old, new) not in changes:
        raise ConfigurationError(f"{asked.package} {old}..{new}", problems)
    return BisectStep(
        run=str(outcome.store.path),
        releases=tuple(one for one in releases if one == old or (old, one) in changes),
        changes=changes,
        failed=tuple(problems),
    )
