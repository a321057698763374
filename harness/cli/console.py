"""The `harness` command's root: what its modules share. The only place that prints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness import __version__
from harness.errors import ConfigurationError

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(
    name="harness",
    help="Benchmark FastAPI deployments in containers and turn the figures into a decision.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

DAILY, MORE, STUDIES = "Every day", "Around them", "Studies"
"""Groups of the help, in their order."""
RESULTS = Path("results")
ResultsOption = Annotated[Path, typer.Option("--results", help="Where the run directories are.")]


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


def write_text(path: Path, text: str) -> None:
    """Raises ConfigurationError."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(str(path), [f"cannot be written: {error.strerror}"]) from error


def console() -> Console:
    from rich.console import Console

    return Console(highlight=False)


def say(screen: Console, text: str) -> None:
    """Text as it is: what looks like markup in it is none."""
    screen.print(text, markup=False, soft_wrap=True)
