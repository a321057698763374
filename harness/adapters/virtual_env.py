"""The virtual environment of a recipe, made from its hash-locked requirements."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from harness.adapters import app_build
from harness.adapters.assets import workspace
from harness.adapters.docker_build import tag_of
from harness.adapters.process_refusals import refuse_what_needs_an_image
from harness.errors import AppImageFailed, BuildFailed
from harness.model import OWN_COMMAND
from harness.recipes import RECIPES, lock_of
from harness.target import Target

GENERATOR = "generator"
APP_LOCK = "target_app"
INSTALL_TIMEOUT_S = 900
TAIL_LINES = 20


def virtual_env(project: Path, recipe: str) -> Path:
    """The directory of a recipe's environment, built unless it stands already. Raises BuildFailed.

    Its name carries a hash of the lock file and of this Python's version: a changed lock never meets
    an old environment. The full log stays in the workspace's builds/.
    """
    if recipe == GENERATOR and _importable("locust", "geventhttpclient", "numpy"):
        return Path(sys.prefix)
    locks = [project / "requirements" / f"{name}.txt" for name in locks_of(recipe)]
    key = _key(recipe, locks)
    home = workspace(project) / "venvs" / f"{recipe}-{key}"
    log = workspace(project) / "builds" / f"{recipe}.log"
    return _complete(home, commands(home, locks, find_uv(project)), recipe, log)


def locks_of(recipe: str) -> tuple[str, ...]:
    """The example app's lock comes first, for what runs an app."""
    if recipe == OWN_COMMAND:
        return (APP_LOCK,)
    return (APP_LOCK, recipe) if recipe in {lock_of(known) for known in RECIPES} else (recipe,)


def target_env(project: Path, recipe: str, target: Target) -> Path:
    """The directory of an environment with a target's requirements and, next to them, a recipe's server.

    What the target asks for stays at its version. Raises VariantError for a target that only containers can
    run, AppImageFailed where its requirements cannot be read or installed, BuildFailed where the recipe does
    not go with them.
    """
    refuse_what_needs_an_image(target)
    uv, name = find_uv(project), tag_of(target.name)
    context, logs = Path(target.context), workspace(project) / "builds"
    asked = project / "requirements" / f"{recipe}.in"
    theirs = _exported(uv, target) if Path(target.requirements or "").name == "uv.lock" else lines_of(target)
    key = hashlib.sha256(
        "\n".join((theirs, *target.packages, str(context), sys.version)).encode()
    ).hexdigest()[:12]
    recipe_key = "" if recipe == OWN_COMMAND else f"-{recipe}-{_key(recipe, [asked])}"
    home = workspace(project) / "venvs" / f"{name}-{key}{recipe_key}"
    # Beside the file that they come from: what they refer to is relative to it.
    with tempfile.NamedTemporaryFile("w", suffix=".txt", prefix=".harness-", dir=_place(target)) as file:
        file.write(theirs)
        file.flush()
        made, installed = app_commands(home, Path(file.name), uv, target.packages)
        log = logs / f"{name}-{recipe}.log"
        try:
            _complete(home, made, recipe, log, cwd=context, mark="app")
        except BuildFailed as error:
            where = f"{target.requirements} of {context} could not be installed"
            raise AppImageFailed(f"{where}. Full log: {log}. Last lines:\n{error.log_tail}") from error
    if recipe == OWN_COMMAND:
        return home
    constraints = home / "installed.txt"
    if not constraints.exists():
        constraints.write_bytes(subprocess.run(installed, capture_output=True, check=True).stdout)
    try:
        return _complete(home, (beside_command(home, asked, constraints, uv),), recipe, log)
    except BuildFailed as error:
        raise BuildFailed(recipe, error.log_tail, log, target=target.name) from error


def find_uv(project: Path) -> tuple[str, ...] | None:
    """The command that runs uv: from PATH, the project's own copy, or this Python's; None without."""
    own = workspace(project) / "uv" / "bin" / "uv"
    if found := shutil.which("uv"):
        return (found,)
    if own.exists():
        return (str(own),)
    return (sys.executable, "-m", "uv") if _importable("uv") else None


def commands(home: Path, locks: Sequence[Path], uv: Sequence[str] | None) -> tuple[tuple[str, ...], ...]:
    """What makes an environment at `home` and installs the locks into it: with uv, else slower with pip."""
    python = str(home / "bin" / "python")
    if uv is None:
        files = [word for lock in locks for word in ("--requirement", str(lock))]
        return (
            (sys.executable, "-m", "venv", str(home)),
            (python, "-m", "pip", "install", "--require-hashes", *files),
        )
    return (
        (*uv, "venv", "--python", sys.executable, str(home)),
        (*uv, "pip", "sync", "--python", python, "--require-hashes", *map(str, locks)),
    )


Command = tuple[str, ...]


def app_commands(
    home: Path, requirements: Path, uv: Sequence[str] | None, packages: Sequence[str] = ()
) -> tuple[tuple[Command, ...], Command]:
    """What makes an environment with an app's requirements, then with `packages` beside them, and what lists
    both with their versions."""
    python, lines = str(home / "bin" / "python"), ("--requirement", str(requirements))
    if uv is None:
        pip = (python, "-m", "pip")
        made: Command = (sys.executable, "-m", "venv", str(home))
        install: Command = (*pip, "install")
        freeze: Command = (*pip, "freeze")
    else:
        made = (*uv, "venv", "--python", sys.executable, str(home))
        install = (*uv, "pip", "install", "--python", python)
        freeze = (*uv, "pip", "freeze", "-p", python)
    last = ((*install, *packages),) if packages else ()
    return (made, (*install, *lines), *last), freeze


def beside_command(home: Path, asked: Path, constraints: Path, uv: Sequence[str] | None) -> Command:
    """What installs a recipe's server and leaves what is there at its version."""
    python = str(home / "bin" / "python")
    install = (python, "-m", "pip", "install") if uv is None else (*uv, "pip", "install", "--python", python)
    return (*install, "--constraint", str(constraints), "--requirement", str(asked))


def lines_of(target: Target) -> str:
    """A target's requirements as text. Raises AppImageFailed."""
    return "".join(f"{line}\n" for line in app_build.requirements_of(target).lines)


def _exported(uv: Sequence[str] | None, target: Target) -> str:
    if uv is None:
        raise AppImageFailed(
            f"target.requirements = {target.requirements!r}: only uv can read it, and uv is not there.\n"
            f"Fix: install uv, or use --engine docker."
        )
    options = ("--quiet", "--frozen", "--no-dev", "--no-emit-project", "--no-header")
    command = (*uv, "export", *options, "--project", str(_place(target)))
    told = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False)
    if told.returncode != 0:
        raise AppImageFailed(f"target.requirements = {target.requirements!r}: uv says:\n{told.stderr}")
    return told.stdout


def _place(target: Target) -> Path:
    return (Path(target.context) / (target.requirements or "")).parent


def _key(recipe: str, files: Sequence[Path]) -> str:
    try:
        content = b"".join(file.read_bytes() for file in files)
    except FileNotFoundError as error:
        raise BuildFailed(recipe, f"{error.filename} is missing.") from error
    return hashlib.sha256(content + sys.version.encode()).hexdigest()[:12]


def _complete(
    home: Path,
    steps: Sequence[Command],
    recipe: str,
    log: Path,
    *,
    cwd: Path | None = None,
    mark: str = "complete",
) -> Path:
    """The environment, by these steps unless they were taken already."""
    complete = home / mark
    if not complete.exists():
        # What an interrupted build left behind is not worth fixing.
        if not (home / "app").exists():
            shutil.rmtree(home, ignore_errors=True)
        _build(recipe, steps, log, cwd)
        complete.touch()
    return home


def _build(recipe: str, steps: Sequence[Command], log: Path, cwd: Path | None) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        for command in steps:
            try:
                subprocess.run(
                    command,
                    cwd=cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    timeout=INSTALL_TIMEOUT_S,
                    check=True,
                )
            except (OSError, subprocess.SubprocessError) as error:
                said = log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
                raise BuildFailed(recipe, "\n".join(said) or str(error), log) from error


def _importable(*modules: str) -> bool:
    return all(importlib.util.find_spec(module) for module in modules)
