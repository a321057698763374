"""The Dockerfile of an app that comes without one, from its requirements. Pure: nothing is built here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import PurePosixPath

from harness.planning.lock_readers import Requirements

LINES_FILE = ".harness-requirements.txt"
UV_LINES_FILE = ".harness-uv.txt"
CLUTTER = (
    *("**/.git", "**/.hg", "**/.svn", "**/.venv", "**/venv", "**/__pycache__", "**/*.pyc"),
    *("**/node_modules", "**/.mypy_cache", "**/.pytest_cache", "**/.ruff_cache", "**/.tox", "**/.nox"),
    *("**/.harness", "**/.env"),
)
"""What no app needs to run, and files of secrets: left out of an image that is made here."""

_OWN_BASE = """\
FROM {reference} AS base
ENV PATH=/opt/venv/bin:$PATH \\
    PIP_DISABLE_PIP_VERSION_CHECK=1 \\
    PYTHONUNBUFFERED=1
RUN python3 -m venv /opt/venv
"""
_COPY = """\
COPY . .
"""
# A file of the app that is no Python of this version must not fail the image.
_COMPILE = """\
RUN python3 -m compileall -q --invalidation-mode unchecked-hash . || true
USER 10001:10001
"""
_EXPORT = f"""\
FROM base AS requirements
COPY {UV_LINES_FILE} uv.txt
RUN pip install --require-hashes --only-binary :all: --no-cache-dir -r uv.txt
WORKDIR /project
COPY . .
RUN uv export --quiet --frozen --no-dev --no-emit-project --no-header --project {{directory}} \\
    --output-file /requirements.txt

"""


def base_stage(reference: str) -> str:
    """A base of the team's own choice, which must have Python and its venv, as the stage `base`."""
    return _OWN_BASE.format(reference=reference)


def from_lines(base: str, found: Requirements, packages: Sequence[str] = ()) -> str:
    """A Dockerfile on the stage `base` that installs LINES_FILE of its context and copies the rest.

    The packages come first, so that a change of the source does not install them again; not where some of
    them are files of the project. `packages` are installed last, and overrule what the lines say.
    """
    install = f"RUN pip install --no-cache-dir -r {LINES_FILE}\n"
    copy_lines = f"COPY {LINES_FILE} {LINES_FILE}\n"
    steps = (_COPY, install) if found.local else (copy_lines, install, _COPY)
    return _ended(base, steps, packages)


def from_file(base: str, path: str, packages: Sequence[str] = (), *, references_others: bool) -> str:
    """As `from_lines`, for a requirements.txt that pip reads by itself at `path` of the context.

    Its -r, -c and -e are relative to it: where there are some, the context is copied first.
    """
    install = f"RUN pip install --no-cache-dir -r {path}\n"
    steps = (_COPY, install) if references_others else (f"COPY {path} {path}\n", install, _COPY)
    return _ended(base, steps, packages)


def from_uv_lock(base: str, path: str, packages: Sequence[str] = ()) -> str:
    """As `from_lines`, for a uv.lock: uv itself says what it means, in a stage that is thrown away."""
    directory = str(PurePosixPath(path).parent)
    steps = (
        _COPY,
        "COPY --from=requirements /requirements.txt /opt/requirements.txt\n",
        f"RUN cd {directory} && pip install --no-cache-dir -r /opt/requirements.txt\n",
    )
    return f"{base}\n{_EXPORT.format(directory=directory)}" + _ended("", steps, packages)


def ignored(dockerignore: str | None, keep: Sequence[str]) -> list[str]:
    """Patterns of what stays out of the context: clutter, and what the team says; never what `keep` names."""
    return [*CLUTTER, *patterns(dockerignore or ""), *(f"!{path}" for path in keep)]


def patterns(dockerignore: str) -> list[str]:
    """Those of a .dockerignore, without its comments."""
    lines = (line.strip() for line in dockerignore.splitlines())
    return [line for line in lines if line and line[0] != "#"]


def _ended(base: str, steps: Sequence[str], packages: Sequence[str]) -> str:
    start = "FROM base AS app\nWORKDIR /app\n"
    # Without a shell, which would read the < and > of a requirement as something else.
    install = json.dumps(["pip", "install", "--no-cache-dir", *packages])
    last = f"RUN {install}\n" if packages else ""
    return f"{base}\n{start}" + "".join(steps) + last + _COMPILE
