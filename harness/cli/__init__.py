"""Arguments and exit codes. Heavy libraries are imported where they are used, so that --help is quick.

Packages next to this one add groups of commands under the entry point `harness.commands`.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from importlib.metadata import entry_points
from typing import Any

import typer

from harness.cli import init, runs, advise, compare, bisect, export, around  # isort: skip  # The order of the help.
from harness.cli.console import STUDIES, app
from harness.errors import ExitCode, HarnessError

__all__ = ["advise", "app", "around", "bisect", "compare", "export", "init", "main", "runs"]

for _commands in entry_points(group="harness.commands"):
    app.add_typer(_commands.load(), name=_commands.name, rich_help_panel=STUDIES)


def main() -> None:
    """The `harness` command: every expected failure becomes one message and its exit code."""
    _install_interrupt_ladder()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that knows ASCII alone gets a question mark for what it lacks, and no traceback.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app()
    except HarnessError as error:
        from harness.progress import printable

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
