"""The pairs of images, and the Dockerfile of each side from one template. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from harness.model import Variant
from harness.planning.commands import CONTAINER_PORT, deployed
from harness.planning.example import EXAMPLE
from harness.recipes.placeholders import PORT

BUILD_TOOLS = "gcc libc6-dev python3-dev"
FULL_BASE = "build-essential curl git libpq-dev libssl-dev"
"""Some of what the official full image has and the slim one has not: all of it would be twice as large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One image of a pair. The defaults are what the guides advise."""

    name: str
    recipe: str = "uvicorn-plain"
    """Names the lock file in requirements/ and the server that the image starts."""
    full_base: bool = False
    """Whether it is built on the base of `full_base_dockerfile`."""
    build_tools: bool = False
    """Whether a compiler is installed before the requirements, which may then be sources."""
    multi_stage: bool = False
    requirements_first: bool = True
    keep_pip_cache: bool = False
    dockerignore: bool = True
    root: bool = False
    unbuffered: bool = True
    write_bytecode: bool = False

    @property
    def server(self) -> Variant:
        """What a container of this image runs."""
        return Variant(recipe=self.recipe, workers=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePair:
    """Two images that differ in one field."""

    probe: str
    claim: str
    sides: tuple[Side, Side]
    about_s: int
    """How long its measurement takes, roughly: most of it is downloads."""
    note: str
    builds: bool = True
    """Whether the times of builds are compared."""
    caches: bool = False
    """Whether what pip kept for later is compared as well."""
    starts: bool = False
    """Whether the time until the server is up is compared as well."""
    prints: bool = False
    """Whether the time until a printed line is in the log is compared as well."""


PAIRS = (
    ImagePair(
        probe="multi-stage",
        claim="I1",
        sides=(
            Side(name="single-stage", recipe="gunicorn-asgi", build_tools=True),
            Side(name="multi-stage", recipe="gunicorn-asgi", build_tools=True, multi_stage=True),
        ),
        about_s=105,
        note="one of the requirements is compiled: the second image gets the virtual environment alone, "
        f"the first keeps {BUILD_TOOLS} as well",
    ),
    ImagePair(
        probe="requirements-first",
        claim="I2",
        sides=(Side(name="requirements-first"), Side(name="source-first", requirements_first=False)),
        about_s=45,
        note="the order of COPY instructions",
    ),
    ImagePair(
        probe="no-cache-dir",
        claim="I3",
        sides=(Side(name="no-cache-dir"), Side(name="cache-kept", keep_pip_cache=True)),
        about_s=35,
        caches=True,
        note="pip with and without --no-cache-dir; it keeps only what the package index lets it keep",
    ),
    ImagePair(
        probe="plain-or-standard",
        claim="I4",
        sides=(Side(name="plain"), Side(name="standard", recipe="uvicorn-standard")),
        about_s=40,
        note="the lock files of uvicorn and of uvicorn[standard]",
    ),
    ImagePair(
        probe="dockerignore",
        claim="I6",
        sides=(Side(name="with"), Side(name="without", dockerignore=False)),
        about_s=35,
        note="the context holds a repository, a virtual environment and caches next to the app, and COPY . . "
        "takes what .dockerignore leaves",
    ),
    ImagePair(
        probe="slim-base",
        claim="I5",
        sides=(Side(name="slim"), Side(name="full", full_base=True)),
        about_s=75,
        starts=True,
        note=f"full is the same base with {FULL_BASE}, which is less than the official full image holds: its "
        "bytes are a lower bound; the time to get the base is not counted",
    ),
    ImagePair(
        probe="user",
        claim="I5",
        sides=(Side(name="root", root=True), Side(name="non-root")),
        about_s=18,
        builds=False,
        note="with and without USER",
    ),
    ImagePair(
        probe="unbuffered",
        claim="I5",
        sides=(Side(name="unbuffered"), Side(name="buffered", unbuffered=False)),
        about_s=30,
        builds=False,
        prints=True,
        note="with and without PYTHONUNBUFFERED",
    ),
    ImagePair(
        probe="no-bytecode",
        claim="I5",
        sides=(Side(name="no-bytecode"), Side(name="bytecode", write_bytecode=True)),
        about_s=55,
        starts=True,
        note="with and without PYTHONDONTWRITEBYTECODE, in force for pip as well",
    ),
)


def dockerfile(side: Side) -> str:
    """The Dockerfile of one side: for any builder, so without heredocs and mounts."""
    return "\n".join(_instructions(side)) + "\n"


def full_base_dockerfile() -> str:
    """The base of a side with `full_base`."""
    return f"ARG BASE_IMAGE\nFROM ${{BASE_IMAGE}}\n{_apt_get(FULL_BASE)}\n"


def _instructions(side: Side) -> Iterator[str]:
    copied_app = "COPY . ."
    yield "ARG BASE_IMAGE"
    yield "FROM ${BASE_IMAGE} AS installed"
    yield from _foundation(side)
    if side.build_tools:
        yield _apt_get(BUILD_TOOLS)
    yield "RUN python3 -m venv /opt/venv"
    if not side.requirements_first:
        yield copied_app
    yield f"COPY requirements/{side.recipe}.txt requirements.txt"
    yield _pip_install(side)
    if side.multi_stage:
        yield "FROM ${BASE_IMAGE}"
        yield from _foundation(side)
        yield "COPY --from=installed /opt/venv /opt/venv"
    if side.requirements_first:
        yield copied_app
    if not side.root:
        yield "USER 10001:10001"
    command, *_ = deployed(side.server, EXAMPLE, {})
    argv = [part.replace(PORT, str(CONTAINER_PORT)) for part in command.argv]
    yield f"CMD {json.dumps(argv)}"


def _foundation(side: Side) -> Iterator[str]:
    yield "ENV PATH=/opt/venv/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1"
    if side.unbuffered:
        yield "ENV PYTHONUNBUFFERED=1"
    if not side.write_bytecode:
        yield "ENV PYTHONDONTWRITEBYTECODE=1"
    yield "WORKDIR /app"


def _apt_get(packages: str) -> str:
    install = f"apt-get install -q -y --no-install-recommends {packages}"
    return f"RUN apt-get update -q && {install} && rm -rf /var/lib/apt/lists/*"


def _pip_install(side: Side) -> str:
    options = ["--require-hashes"]
    if not side.build_tools:
        options.append("--only-binary :all:")
    if not side.keep_pip_cache:
        options.append("--no-cache-dir")
    return f"RUN pip install {' '.join(options)} -r requirements.txt"
