"""A Dockerfile: requirements first, a second stage without what only the build needs, no root, exec form."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from harness.model import OWN_COMMAND
from harness.reporting.export.deployable import Deployable, Exported

FILE, IGNORE_FILE = "Dockerfile", "Dockerfile.dockerignore"

_BASE = """\
ARG BASE_IMAGE=python:3.13-slim
FROM ${BASE_IMAGE} AS base
ENV PATH=/opt/venv/bin:$PATH \\
    PIP_DISABLE_PIP_VERSION_CHECK=1 \\
    PYTHONDONTWRITEBYTECODE=1 \\
    PYTHONUNBUFFERED=1
# A read-only root cannot keep bytecode: compiled here once, instead of by every worker at each start.
RUN python3 -m compileall -q "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"

"""
_UV = """\
FROM base AS requirements
WORKDIR /project
RUN pip install --no-cache-dir --target /opt/uv uv
COPY . .
RUN PYTHONPATH=/opt/uv python3 -m uv export --quiet --frozen --no-dev --no-emit-project --no-header \\
    --project {directory} --output-file /requirements.txt

"""


def render(given: Deployable) -> Exported:
    warnings = tuple(_warnings(given))
    files = {FILE: given.comment(*warnings) + _text(given)}
    if given.brings_app:
        files[IGNORE_FILE] = "".join(f"{pattern}\n" for pattern in given.ignored)
    return Exported(files=files, warnings=(*given.warnings, *warnings))


def _warnings(given: Deployable) -> Iterator[str]:
    if given.brings_app:
        yield f"{IGNORE_FILE} keeps secrets out with BuildKit; an older builder reads .dockerignore only"
    if len(given.processes) > 1:
        yield "nginx stands before the app in a container of its own; this image is the app's"
    if given.target.dockerfile is not None:
        yield (
            f"this is a layer on the image of {given.target.dockerfile}: "
            f"docker build --file {given.target.dockerfile} --tag {given.name}-app . && "
            f"docker build --file {FILE} --build-arg APP_IMAGE={given.name}-app --tag {given.name} ."
        )


def _text(given: Deployable) -> str:
    target = given.target
    if target.image is not None:
        return f"FROM {target.image}\n{_layer(given)}"
    if target.dockerfile is not None:
        return f"ARG APP_IMAGE\nFROM ${{APP_IMAGE}}\n{_layer(given)}"
    return "".join(_stages(given))


def _layer(given: Deployable) -> str:
    """A server next to the app that is in the image already."""
    python = given.target.python or "python3"
    install = (
        f"USER root\nRUN {python} -m pip install --no-cache-dir {_packages(given.packages)}\n"
        if given.packages
        else ""
    )
    return f"{install}USER {given.user}\n{_ends(given)}" if install else _ends(given)


def _stages(given: Deployable) -> Iterator[str]:
    path = given.target.requirements or "requirements.txt"
    base = (
        _BASE
        if given.target.base_image is None
        else _BASE.replace("python:3.13-slim", given.target.base_image)
    )
    yield base
    uv = PurePosixPath(path).name == "uv.lock"
    if uv:
        yield _UV.format(directory=PurePosixPath(path).parent)
    yield "FROM base AS build\nRUN python3 -m venv /opt/venv\n"
    if given.compiled:
        yield (
            "RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev "
            "&& rm -rf /var/lib/apt/lists/*\n"
        )
    yield from _requirements(given, path, uv=uv)
    for packages in (given.target.packages, given.packages):
        if packages:
            yield f"RUN pip install --no-cache-dir {_packages(packages)}\n"
    yield "\nFROM base\nCOPY --from=build /opt/venv /opt/venv\nWORKDIR /app\nCOPY . .\n"
    yield "RUN python3 -m compileall -q --invalidation-mode unchecked-hash . || true\n"
    yield f"USER {given.user}\n{_ends(given)}"


def _requirements(given: Deployable, path: str, *, uv: bool) -> Iterator[str]:
    """The app's packages, before its source, so that a change of the source does not install them again."""
    found = given.requirements
    if uv:
        yield "COPY --from=requirements /requirements.txt requirements.txt\n"
        yield "RUN pip install --no-cache-dir --requirement requirements.txt\n"
    elif PurePosixPath(path).name.endswith(".txt"):
        if found is not None and found.local:
            yield f"WORKDIR /project\nCOPY . .\nRUN pip install --no-cache-dir --requirement {path}\n"
        else:
            yield f"COPY {path} requirements.txt\n"
            yield "RUN pip install --no-cache-dir --requirement requirements.txt\n"
    elif found is not None and found.lines:
        if found.local:
            yield "WORKDIR /project\nCOPY . .\n"
        lines = [line.partition(" --hash")[0].strip() for line in found.lines]
        yield f"# From {path}.\n"
        yield f"RUN pip install --no-cache-dir {_packages([line for line in lines if line])}\n"


def _packages(packages: Sequence[str]) -> str:
    """One a line, quoted where a shell would read something into it."""
    return " ".join(f"\\\n    {json.dumps(package)}" for package in packages)


def _ends(given: Deployable) -> str:
    app = [process for process in given.processes if process.name != "nginx"]
    argv = app[0].argv if app else ()
    command = f"CMD {json.dumps(list(argv))}\n" if argv else ""
    port = given.port if given.variant.recipe == OWN_COMMAND or len(given.processes) == 1 else given.port + 1
    return f"EXPOSE {port}\n{command}"
