"""Every error says what went wrong, where, and what to do next; the CLI alone turns it into an exit code."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """The process exit codes promised to scripts and CI jobs."""

    OK = 0
    REGRESSION = 1
    CONFIGURATION = 2
    ENVIRONMENT = 3
    TRIALS = 4
    INTERRUPTED = 130


class HarnessError(Exception):
    """Root of every expected failure."""

    exit_code = ExitCode.ENVIRONMENT


class ConfigurationError(HarnessError):
    """One or more mistakes in a matrix file or an argument, all reported at once."""

    exit_code = ExitCode.CONFIGURATION

    def __init__(self, where: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(f"{where}:\n" + "\n".join(f"  - {problem}" for problem in problems))


class EnvironmentProblem(HarnessError):
    """The machine lacks something the run needs (an engine, a base image, disk, the run lock)."""


class EngineUnavailable(EnvironmentProblem):
    """No Docker engine answers, or it stopped answering in mid-run."""


class RunAborted(EnvironmentProblem):
    """The run cannot continue; what it measured so far is kept and `--resume` continues it."""


class VariantError(HarnessError):
    """One variant cannot be measured; the others go on."""

    exit_code = ExitCode.TRIALS


class BuildFailed(VariantError):
    """An image (or a virtual environment) of one recipe did not build."""

    def __init__(
        self, recipe: str, log_tail: str, log: Path | None = None, *, target: str | None = None
    ) -> None:
        self.recipe, self.log_tail = recipe, log_tail
        where = f" Full log: {log}." if log else ""
        if target is not None:
            super().__init__(
                f"recipe {recipe!r} cannot be installed into the image of target {target!r}.{where}\n"
                f"Fix: change the versions named below in the app's requirements, or leave this recipe out. "
                f"Last lines:\n{log_tail}"
            )
            return
        super().__init__(
            f"recipe {recipe!r} did not build.{where} Fix its stage in Dockerfile.variants or its "
            f"file in requirements/, then run again (--resume adds it to a run already begun). "
            f"Last lines:\n{log_tail}"
        )


class AppImageFailed(HarnessError):
    """The image of the team's app cannot be had, and nothing can be measured without it."""

    exit_code = ExitCode.TRIALS


class ServiceFailed(HarnessError):
    """A service that the team's app needs cannot be had, and nothing can be measured without it."""

    exit_code = ExitCode.TRIALS


class TrialError(HarnessError):
    """One trial failed; it is stored with its reason and never ranked."""

    exit_code = ExitCode.TRIALS


class NotReady(TrialError):
    """The app did not become ready with all its workers in time."""

    def __init__(self, trial_id: str, timeout_s: float, detail: str) -> None:
        self.detail = detail
        super().__init__(
            f"{trial_id}: not ready within {timeout_s:g} s ({detail}). Its log is server.log in the trial's "
            f"directory. An app that only starts slowly needs a longer design.ready_timeout_s."
        )


class CannotServe(TrialError):
    """The server runs, and breaks on every request: it is no server for this app."""


class DeploymentDied(TrialError):
    """The server exited (or was killed) while the trial needed it."""


class WrongResponse(TrialError):
    """The app answered, but not what the scenario expects."""


class GeneratorFailed(TrialError):
    """The load generator broke off, hung or answered nonsense."""


class NoAnswer(GeneratorFailed):
    """The load generator has said nothing so far; it may still."""
