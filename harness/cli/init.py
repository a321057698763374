"""`harness init`: writes a first harness.toml and says what it assumed."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import DAILY, console, say, write_text
from harness.cli.console import app as commands
from harness.errors import ConfigurationError

if TYPE_CHECKING:
    from harness.planning.discovery import FoundApp
    from harness.planning.first_draft import FoundFiles
    from harness.planning.starter import Draft

FILE, ENV_FILE = "harness.toml", ".env"
NONE_RIGHT = "Fix: correct the requests in the file, or add a [[scenarios.before]] step that logs in"


@commands.command(rich_help_panel=DAILY)
def init(
    app: Annotated[str, typer.Option(help='The app to measure, such as "orders.main:app".')] = "",
    path: Annotated[Path, typer.Option(help="The directory of the app; harness.toml goes there.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Replace a harness.toml that is there.")] = False,
    compose: Annotated[
        Path | None, typer.Option(help="Read the image, environment and services from this compose.yaml.")
    ] = None,
    service: Annotated[str, typer.Option(help="The service of the compose file to measure.")] = "",
    source: Annotated[
        tuple[str, Path] | None,
        typer.Option("--from", metavar="KIND FILE", help="Requests from an openapi, har or access-log file."),
    ] = None,
    origin: Annotated[str, typer.Option(help="The server whose requests of a HAR are taken.")] = "",
    writes: Annotated[bool, typer.Option("--writes", help="Take requests that may change data too.")] = False,
    verify: Annotated[
        bool, typer.Option(help="Start the app and keep only requests that it answers as expected.")
    ] = True,
    engine: Annotated[str, typer.Option(help="To verify with: auto, docker or process.")] = "auto",
) -> None:
    """Find the app in this directory and write a commented harness.toml that runs as it is."""
    from harness.planning.starter import render, said

    target = path / FILE
    if not path.is_dir():
        raise ConfigurationError(str(path), ["no such directory"])
    if target.exists() and not force:
        raise ConfigurationError(str(target), ["is there already.\n    Fix: replace it with --force"])
    if service and compose is None:
        raise ConfigurationError("--service", ["needs a compose file; add --compose compose.yaml"])
    draft = _from_compose(path, compose, service, app) if compose else _from_directory(path, app)
    screen = console()
    if source:
        draft = _with_requests(draft, source, origin=origin or None, writes=writes)
    write_text(target, render(draft))
    if source and verify:
        draft = _verified(draft, target, engine)
        write_text(target, render(draft))
    for line in said(draft):
        say(screen, line)
    start = "" if path.resolve() == Path.cwd() else f"cd {path} && "
    say(screen, f"\nWrote {target}. `harness run` verifies the requests before it measures.")
    say(screen, f"Next: {start}harness run")


def _with_requests(draft: Draft, source: tuple[str, Path], *, origin: str | None, writes: bool) -> Draft:
    from harness.adapters.import_file import ImportOptions, import_file

    kind, path = source
    found = import_file(kind, path, ImportOptions(origin=origin, writes=writes))
    return replace(
        draft,
        workload=found.requests,
        before=found.before,
        imported_from=path.name,
        left_out=(*draft.left_out, *found.warnings),
    )


def _verified(draft: Draft, target: Path, engine: str) -> Draft:
    """Without the requests that the running app does not answer as expected.

    Raises ConfigurationError where none is left. The file then stays as it was written.
    """
    from harness.progress import LiveWatcher
    from harness.verification import problems_of

    with LiveWatcher(console()) as watcher:
        problems = problems_of(target, engine_name=engine, watcher=watcher)
    kept = [spec for spec, problem in zip(draft.workload, problems, strict=True) if problem is None]
    wrong = tuple(problem for problem in problems if problem is not None)
    if not kept:
        raise ConfigurationError(
            f"{target}: none of {len(problems)} requests is answered as expected", [*wrong, NONE_RIGHT]
        )
    return replace(draft, workload=tuple(kept), left_out=(*draft.left_out, *wrong))


def _from_directory(path: Path, app: str) -> Draft:
    from harness.adapters.init_files import env_file, look
    from harness.planning.first_draft import draft_of, named_app

    files = look(path)
    chosen = named_app(app, files.texts) if app else _only_app(path, files)
    return draft_of(files, chosen, env_file(path, ENV_FILE))


def _from_compose(path: Path, compose: Path, service: str, app: str) -> Draft:
    from harness.adapters.compose_file import read_compose
    from harness.adapters.init_files import env_file, look
    from harness.planning.compose import from_compose
    from harness.planning.compose_draft import draft_of_service
    from harness.planning.discovery import find_apps
    from harness.planning.first_draft import named_app

    found = from_compose(read_compose(compose), service, where=str(compose))
    context = compose.parent / (found.context or ".")
    files = look(context)
    chosen = app or found.app
    by = "named by you" if app else f"named by the command in {found.file}"
    apps = (named_app(chosen, files.texts, by=by),) if chosen else find_apps(files.texts)
    if len(apps) > 1:
        apps = (_only_app(context, files),)
    named = _relative(compose.parent / (found.env_file or ENV_FILE), path)
    return draft_of_service(
        found,
        files,
        apps[0] if apps else None,
        context=_relative(context, path),
        env_file=env_file(path, named),
    )


def _only_app(path: Path, files: FoundFiles) -> FoundApp:
    """The app found; on a terminal, one of several is asked for."""
    from harness.planning.discovery import find_apps
    from harness.planning.first_draft import choose

    apps = find_apps(files.texts)
    if len(apps) > 1 and sys.stdin.isatty() and sys.stdout.isatty():
        for number, found in enumerate(apps, start=1):
            typer.echo(f"{number}  {found.app} ({found.why})")
        answer: int = typer.prompt("Which app", type=int)
        if 1 <= answer <= len(apps):
            return apps[answer - 1]
    return choose(apps, str(path), looked_at=sum(name.endswith(".py") for name in files.texts))


def _relative(path: Path, directory: Path) -> str:
    return os.path.relpath(path.resolve(), directory.resolve())
