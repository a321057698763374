"""`harness compare`: two versions of the app, or two stored runs, against thresholds."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import DAILY, RESULTS, ResultsOption, app, console, say, write_text
from harness.cli.runs import MATRIX, MatrixOption, check_engine, measure, repeated
from harness.errors import ConfigurationError, ExitCode

if TYPE_CHECKING:
    from harness.adapters.result_store import RunStore
    from harness.decision.changes import VersionComparison
    from harness.decision.thresholds import Threshold
    from harness.model import Matrix, Variant

_EXIT = {"pass": ExitCode.OK, "regression": ExitCode.REGRESSION, "inconclusive": ExitCode.TRIALS}


@app.command(rich_help_panel=DAILY)
def compare(
    base: Annotated[
        str,
        typer.Argument(help="A git ref, a package==version, a requirements file, an image, or a stored run."),
    ],
    new: Annotated[str, typer.Argument(help='The same of the new version; "." is the directory as it is.')],
    matrix: MatrixOption = MATRIX,
    variant: Annotated[str, typer.Option(help="The variant to measure; the baseline when left out.")] = "",
    fail_if: Annotated[
        list[str] | None,
        typer.Option(help='A threshold such as "p95>+5%" or "items:throughput<-3%"; may be repeated.'),
    ] = None,
    blocks: Annotated[int, typer.Option(min=0, help="How many blocks; 0: as in the matrix.")] = 0,
    markdown: Annotated[Path | None, typer.Option(help="Write the comparison for a pull request.")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write it for a program; - prints it.")
    ] = None,
    results: ResultsOption = RESULTS,
    engine: Annotated[str, typer.Option(help="auto, docker or process (no containers).")] = "auto",
    wait: Annotated[bool, typer.Option(help="Wait for another run on this host to end.")] = False,
) -> None:
    """Measure two versions side by side in one run, or compare two stored runs.

    Exit codes: 0 within all limits, 1 a regression, 4 inconclusive or not measured. Without --fail-if the
    limits are the matrix's margin, on what ranks and on memory.

    Examples: harness compare main HEAD --fail-if "p95>+5%"; harness compare old.txt requirements.txt;
    harness compare . "fastapi==0.120.0"
    """
    from harness.reporting.comparison_text import to_json, to_markdown, to_terminal

    thresholds = _thresholds(fail_if or [])
    stored = [store for name in (base, new) if (store := _stored(name, results))]
    if len(stored) == 2:
        found = _of_runs(stored[0], stored[1], thresholds)
    else:
        check_engine(engine)
        found = _measured((base, new), matrix, variant, thresholds, blocks, results, engine, wait)
    if Path("-") not in (markdown, json_file):
        console().print(to_terminal(found))
    if markdown:
        _write(markdown, to_markdown(found))
    if json_file:
        _write(json_file, json.dumps(to_json(found), indent=2) + "\n")
    raise typer.Exit(_EXIT[found.outcome])


def _thresholds(texts: Sequence[str]) -> list[Threshold]:
    from harness.decision.thresholds import parse_threshold

    found, problems = [], []
    for text in texts:
        try:
            found.append(parse_threshold(text))
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ConfigurationError("--fail-if", problems)
    return found


def _stored(name: str, results: Path) -> RunStore | None:
    from harness.adapters.result_store import MANIFEST, find_run

    here = any((path / MANIFEST).is_file() for path in (Path(name), results / name))
    return find_run(results, name) if here else None


def _of_runs(base: RunStore, new: RunStore, thresholds: Sequence[Threshold]) -> VersionComparison:
    """Raises ConfigurationError where machine, engine or workload differ."""
    from harness import stored_report
    from harness.decision.comparable import differences
    from harness.decision.compare import ComparedRun, compare_runs

    if differ := differences(base.manifest(), new.manifest()):
        fix = "Fix: measure both here, in one run: `harness compare BASE NEW` with git refs or images"
        raise ConfigurationError(
            f"{base.path.name} and {new.path.name} cannot be compared, these differ", [*differ, fix]
        )
    runs = []
    for store in (base, new):
        data = stored_report.report_data(store)
        runs.append(ComparedRun(name=store.path.name, matrix=data.matrix, records=data.records))
    return compare_runs(runs[0], runs[1], thresholds)


def _measured(
    names: tuple[str, str],
    matrix_path: Path,
    variant_id: str,
    thresholds: Sequence[Threshold],
    blocks: int,
    results: Path,
    engine: str,
    wait: bool,
) -> VersionComparison:
    from harness import pipeline, stored_report
    from harness.adapters.version_argument import version_level
    from harness.decision.compare import Versions, compare_in_run
    from harness.planning.versions import in_versions

    plain, variant = measured_of(matrix_path, variant_id)
    assert plain.target is not None
    context = Path(plain.target.context)
    first = version_level(names[0], context)
    second = version_level(names[1], context, taken=None if first == "none" else first.name)
    if first == second:
        raise ConfigurationError("NEW", [f"{names[0]!r} and {names[1]!r} are the same version"])

    two = pipeline.resolved(
        matrix_path, lambda file: in_versions(file, variant, (first, second), blocks=blocks)
    )
    options = pipeline.RunOptions(
        results=results, engine=engine, wait=wait, command=repeated(sys.argv[1:], leave_out=("--resume",))
    )
    outcome = measure(two, options)
    data = stored_report.report_data(outcome.store)
    before, after = two.matrix.variants
    say(console(), f"ComparedRun: {outcome.store.path}\n")
    versions = Versions(base=names[0], new=names[1], base_id=before.id, new_id=after.id)
    return compare_in_run(data.records, data.matrix, versions, thresholds)


def measured_of(matrix_path: Path, variant_id: str) -> tuple[Matrix, Variant]:
    """A matrix with a target, and the variant of it that is measured in several versions: the baseline unless
    it is named. Raises ConfigurationError."""
    from harness import pipeline
    from harness.planning.suggestions import unknown

    matrix = pipeline.resolved(matrix_path).matrix
    if matrix.target is None:
        raise ConfigurationError(
            str(matrix_path), ["has no [target], so there are no versions of it.\n    Fix: `harness init`"]
        )
    known = {variant.id: variant for variant in matrix.variants}
    if variant_id and variant_id not in known:
        raise ConfigurationError("--variant", [unknown("variant", variant_id, known)])
    return matrix, known[variant_id or matrix.baseline_id]


def _write(path: Path, text: str) -> None:
    """A file, or what is printed where it is called "-"."""
    if path == Path("-"):
        typer.echo(text, nl=False)
        return
    write_text(path, text)
