"""The releases of a package, as pip finds them with this user's index, proxies and certificates."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from packaging.version import InvalidVersion, Version

from harness.errors import ConfigurationError, EnvironmentProblem

TIMEOUT_S = 120
_LISTED = re.compile(r"^Available versions: (.*)$", re.MULTILINE)
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


def releases_between(package: str, oldest: str, newest: str) -> tuple[str, ...]:
    """The final releases from `oldest` to `newest`, both with them, in their order.

    Raises ConfigurationError, and EnvironmentProblem where pip cannot be run.
    """
    ends = []
    for text in (oldest, newest):
        try:
            ends.append(Version(text))
        except InvalidVersion as error:
            raise ConfigurationError("A..B", [f"{text!r} is no version"]) from error
    if ends[0] >= ends[1]:
        raise ConfigurationError("A..B", [f"{oldest} is not older than {newest}"])
    known = sorted(Version(text) for text in _listed(package))
    problems = [
        f"{package} has no release {end}; near it {' and '.join(map(str, _near(known, end)))}"
        for end in ends
        if end not in known
    ]
    if problems:
        raise ConfigurationError("A..B", problems)
    return tuple(str(version) for version in known if ends[0] <= version <= ends[1])


def _near(known: list[Version], end: Version) -> list[Version]:
    older = [version for version in known if version < end]
    newer = [version for version in known if version > end]
    return [*older[-1:], *newer[:1]]


def _listed(package: str) -> list[str]:
    if not _NAME.fullmatch(package):
        raise ConfigurationError("PACKAGE", [f"{package!r} is no name of a package"])
    if importlib.util.find_spec("pip"):
        return _told_by(Path(sys.executable), package)
    # An environment made by uv has no pip; one of the standard library brings its own, without a network.
    with tempfile.TemporaryDirectory(prefix="harness-pip-") as home:
        made = subprocess.run(
            (sys.executable, "-m", "venv", home),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        if made.returncode != 0:
            raise EnvironmentProblem(
                f"There is no pip to ask for the releases of {package}: {made.stdout.strip()}\n"
                "Fix: install pip or venv for this Python."
            )
        return _told_by(Path(home) / "bin" / "python", package)


def _told_by(python: Path, package: str) -> list[str]:
    told = subprocess.run(
        (python, "-m", "pip", "--disable-pip-version-check", "index", "versions", package),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    listed = _LISTED.search(told.stdout)
    if told.returncode != 0 or listed is None:
        said = told.stderr.strip().splitlines()
        raise ConfigurationError(
            "PACKAGE", [f"pip finds no {package!r}: {said[-1] if said else 'no word why'}"]
        )
    return listed[1].split(", ")
