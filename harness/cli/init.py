"""`harness init`: writes a first harness.toml and says what it assumed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import app as commands
from harness.cli.console import console, say
from harness.errors import ConfigurationError

if TYPE_CHECKING:
    from harness.planning.discovery import FoundApp
    from harness.planning.first_draft import Surroundings
    from harness.planning.starter import Draft

FILE = "harness.toml"


@commands.command()
def init(
    app: Annotated[str, typer.Option(help='The app to measure, such as "orders.main:app".')] = "",
    path: Annotated[Path, typer.Option(help="The directory of the app; harness.toml goes there.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Replace a harness.toml that is there.")] = False,
    compose: Annotated[
        Path | None, typer.Option(help="Read the image, environment and services from this compose.yaml.")
    ] = None,
    service: Annotated[str, typer.Option(help="The service of the compose file to measure.")] = "",
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
    try:
        target.write_text(render(draft), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(str(target), [f"cannot be written: {error.strerror}"]) from error
    screen = console()
    for line in said(draft):
        say(screen, line)
    start = "" if path.resolve() == Path.cwd() else f"cd {path} && "
    say(screen, f"\nWrote {target}. `harness run` verifies the requests before it measures.")
    say(screen, f"Next: {start}harness run")


def _from_directory(path: Path, app: str) -> Draft:
    from harness.adapters.init_files import look
    from harness.planning.first_draft import draft_of, named_app

    around = look(path)
    return draft_of(around, named_app(app, around.files) if app else _only_app(path, around))


def _from_compose(path: Path, compose: Path, service: str, app: str) -> Draft:
    from harness.adapters.compose_file import read_compose
    from harness.adapters.init_files import env_names, look
    from harness.planning.compose import from_compose
    from harness.planning.compose_draft import draft_of_service
    from harness.planning.discovery import find_apps
    from harness.planning.first_draft import named_app

    found = from_compose(read_compose(compose), service, where=str(compose))
    context = compose.parent / (found.context or ".")
    around = look(context)
    chosen = app or found.app
    apps = (named_app(chosen, around.files),) if chosen else find_apps(around.files)
    if len(apps) > 1:
        apps = (_only_app(context, around),)
    env_file = found.env_file or ".env"
    return draft_of_service(
        found,
        around,
        apps[0] if apps else None,
        context=_relative(context, path),
        env_file=_relative(compose.parent / env_file, path),
        env_names=env_names(compose.parent / env_file),
    )


def _only_app(path: Path, around: Surroundings) -> FoundApp:
    """The app found; on a terminal, one of several is asked for."""
    from harness.planning.discovery import find_apps
    from harness.planning.first_draft import choose

    apps = find_apps(around.files)
    if len(apps) > 1 and sys.stdin.isatty() and sys.stdout.isatty():
        for number, found in enumerate(apps, start=1):
            typer.echo(f"{number}  {found.app} ({found.why})")
        chosen: int = typer.prompt("Which app", type=int)
        if 1 <= chosen <= len(apps):
            return apps[chosen - 1]
    return choose(apps, str(path), looked_at=sum(name.endswith(".py") for name in around.files))


def _relative(path: Path, directory: Path) -> str:
    import os

    return os.path.relpath(path.resolve(), directory.resolve())
