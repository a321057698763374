"""`harness export`: a measured variant as files that a team reviews and deploys."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import DAILY, RESULTS, ResultsOption, app, console, say
from harness.cli.runs import RunArgument
from harness.errors import ConfigurationError

if TYPE_CHECKING:
    from harness.adapters.result_store import RunStore
    from harness.model import Variant
    from harness.reporting.data import ReportData
    from harness.reporting.export import Deployable


@app.command(rich_help_panel=DAILY)
def export(
    run: RunArgument = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option("--as", help="dockerfile, compose, k8s, gunicorn or systemd; may be repeated."),
    ] = None,
    variant: Annotated[
        str, typer.Option(help="The variant to export; the recommended one when left out.")
    ] = "",
    into: Annotated[Path, typer.Option(help="The directory to write to.")] = Path("deploy"),
    replicas: Annotated[int, typer.Option(min=0, help="How many replicas; 0: as advised, else one.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    results: ResultsOption = RESULTS,
) -> None:
    """Write the winner as a Dockerfile, compose.yaml, Kubernetes manifests, gunicorn.conf.py or systemd unit.

    Examples: harness export; harness export --as k8s --as compose; harness export RUN --variant granian.w2
    """
    from harness.adapters.result_store import find_run
    from harness.reporting.export import FORMATS

    wanted = kinds or ["compose"]
    if strangers := [kind for kind in wanted if kind not in FORMATS]:
        problem = f"{', '.join(strangers)} is not one of {', '.join(FORMATS)}"
        raise ConfigurationError("--as", [problem])
    given = _deployable(find_run(results, run), variant, into, replicas)
    files: dict[str, str] = {}
    warnings: dict[str, None] = {}
    for kind in wanted:
        try:
            exported = FORMATS[kind](given)
        except ValueError as error:
            raise ConfigurationError(f"--as {kind}", [f"{error}.\n    Fix: choose another format"]) from error
        files.update(exported.files)
        warnings.update(dict.fromkeys(exported.warnings))
    _write(into, files, force=force)
    screen = console()
    say(screen, given.provenance[0])
    for name in files:
        say(screen, f"wrote {into / name}")
    for warning in warnings:
        say(screen, f"! {warning}")


def _deployable(store: RunStore, variant_id: str, into: Path, replicas: int) -> Deployable:
    """Raises ConfigurationError where there is no such variant, or the app's requirements are gone."""
    from harness import stored_advice, stored_report
    from harness.adapters.app_build import requirements_of
    from harness.adapters.assets import assets
    from harness.errors import AppImageFailed
    from harness.planning.app_image import ignored
    from harness.planning.example import example
    from harness.reporting.export import deployable
    from harness.reporting.export.deployable import lock_files

    data = stored_report.report_data(store)
    if not variant_id and stored_advice.is_advice(store):
        advised = stored_advice.advice_of(store, data).chosen
        if advised is None:
            raise ConfigurationError(data.run_id, ["advises nothing.\n    Fix: choose one with --variant"])
        variant_id, replicas = advised.variant.id, replicas or advised.replicas
    chosen = _chosen(data, variant_id)
    shipped = assets()
    target = data.matrix.target or example(shipped)
    if data.matrix.target and chosen.version is not None:
        from harness.target import at_version

        target = replace(at_version(target, chosen.version), name=target.name)
    made_here = target.image is None and target.dockerfile is None and target.requirements is not None
    try:
        requirements = requirements_of(target) if made_here and not _is_uv(target.requirements) else None
    except AppImageFailed as error:
        raise ConfigurationError(str(store.path), [str(error)]) from error
    locked, asked = (_text(shipped / "requirements" / name) for name in lock_files(chosen.recipe))
    context = Path(target.context or ".")
    return deployable(
        data,
        chosen,
        target,
        requirements=requirements,
        lock=locked,
        wanted=asked,
        context=os.path.relpath(context, into.resolve()),
        here=os.path.relpath(into.resolve(), context),
        ignored=ignored(
            _text(context / ".dockerignore"), [target.requirements] if target.requirements else []
        ),
        replicas=replicas or 1,
    )


def _is_uv(path: str | None) -> bool:
    return path is not None and Path(path).name == "uv.lock"


def _chosen(data: ReportData, variant_id: str) -> Variant:
    from harness.planning.suggestions import unknown

    known = {variant.id: variant for variant in data.matrix.variants}
    wanted = variant_id or data.analysis.recommended
    if wanted is None:
        raise ConfigurationError(
            data.run_id,
            [
                f"recommends no variant for all scenarios: {data.analysis.headline}\n"
                f"    Fix: choose one with --variant: {', '.join(known)}"
            ],
        )
    if wanted not in known:
        raise ConfigurationError("--variant", [unknown("variant", wanted, known)])
    return known[wanted]


def _text(path: Path) -> str:
    """Nothing where a recipe has no requirements of its own."""
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _write(into: Path, files: dict[str, str], *, force: bool) -> None:
    there = [str(into / name) for name in files if (into / name).exists()]
    if there and not force:
        raise ConfigurationError(", ".join(there), ["is there already.\n    Fix: replace it with --force"])
    try:
        into.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (into / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(str(into), [f"cannot be written: {error.strerror}"]) from error
