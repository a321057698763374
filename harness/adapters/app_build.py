"""The image of a team's app: found, pulled, built from their Dockerfile, or made from their requirements."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from docker import DockerClient
from docker.errors import APIError, ImageNotFound

from harness.adapters.docker_build import (
    DOCKERFILE,
    events,
    events_of,
    ignore_file,
    last_lines,
    logged,
    stages,
    tag_of,
)
from harness.adapters.git_versions import laid_out
from harness.errors import AppImageFailed
from harness.planning import app_image, lock_readers
from harness.planning.lock_readers import Requirements, UnreadableLock
from harness.target import Target

UNSET_BASE = re.compile(r"^ARG\s+BASE_IMAGE\s*$", re.IGNORECASE | re.MULTILINE)
BUILD_TIMEOUT_S = 3600
"""For their own Dockerfile, which may compile what it likes."""


def app_image_id(client: DockerClient, shipped: Path, logs: Path, target: Target, base: str) -> str:
    """The id of the image that holds the app as its team deploys it. Raises AppImageFailed.

    `shipped` holds Dockerfile.variants, `base` is the id of our base image. The log stays in `logs`.
    """
    if target.image is not None:
        return found_or_pulled(client, target.image, f"target.image = {target.image!r}")
    if target.commit is not None:
        with laid_out(Path(target.context), target.commit) as files:
            there = replace(target, context=str(files), commit=None)
            try:
                return app_image_id(client, shipped, logs, there, base)
            except AppImageFailed as error:
                shown = f"{target.context} at {target.commit[:12]}"
                raise AppImageFailed(str(error).replace(str(files), shown)) from error
    log = logs / f"{tag_of(target.name)}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    context = Path(target.context)
    if not context.is_dir():
        raise AppImageFailed(f"target.context = {target.context!r} is no directory.\nFix: name the app's.")
    tag = f"harness/{tag_of(target.name)}:latest"
    if target.dockerfile is not None:
        return _built(client, context, context / target.dockerfile, tag, log, base)
    return _made(client, shipped, target, tag, log, base)


def found_or_pulled(client: DockerClient, reference: str, where: str) -> str:
    """The id of an image that is here or in a registry. Raises AppImageFailed in the engine's words."""
    try:
        return str(client.images.get(reference).id)
    except ImageNotFound:
        pass
    try:
        # Without a tag the SDK would pull every one there is.
        name, _, tag = reference.partition("@") if "@" in reference else _name_and_tag(reference)
        return str(client.images.pull(name, tag=tag).id)
    except APIError as error:
        raise AppImageFailed(
            f"{where} is not on this machine and cannot be pulled: {error.explanation or error}\n"
            f"Fix: correct the name, build it (`docker build -t {reference} .`), or log in to its registry."
        ) from error


def _name_and_tag(reference: str) -> tuple[str, str, str]:
    name, colon, tag = reference.rpartition(":")
    return (reference, ":", "latest") if not colon or "/" in tag else (name, colon, tag)


def _built(client: DockerClient, context: Path, dockerfile: Path, tag: str, log: Path, base: str) -> str:
    """Their Dockerfile, by the docker client where there is one: it has BuildKit where they have it.

    One that takes BASE_IMAGE as an argument and gives it no value gets the base of our own images.
    """
    if not dockerfile.is_file():
        raise AppImageFailed(f"target.dockerfile: {dockerfile} is missing.\nFix: name one that is there.")
    given = {}
    if UNSET_BASE.search(dockerfile.read_text("utf-8", "replace")):
        # By a name: BuildKit finds no image by its id.
        given["BASE_IMAGE"] = next(iter(client.images.get(base).tags), base)
    if shutil.which("docker") is None:
        inside = dockerfile.relative_to(context) if dockerfile.is_relative_to(context) else dockerfile
        said = events(client, path=str(context), dockerfile=str(inside), tag=tag, buildargs=given)
        return logged(said, log) or _give_up(f"{dockerfile} did not build", log)
    with tempfile.TemporaryDirectory(prefix="harness-build-") as scratch, log.open("wb") as output:
        id_file = Path(scratch) / "id"
        arguments = [part for name, value in given.items() for part in ("--build-arg", f"{name}={value}")]
        # Without --force-rm the container of a step that failed would stay.
        command = (
            *("docker", "build", "--force-rm"),
            *("--file", dockerfile, "--tag", tag, "--iidfile", id_file),
        )
        try:
            subprocess.run(
                (*command, *arguments, context),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=BUILD_TIMEOUT_S,
                check=True,
            )
        except subprocess.SubprocessError:
            _give_up(f"{dockerfile} did not build", log)
        return id_file.read_text().strip()


def _made(client: DockerClient, shipped: Path, target: Target, tag: str, log: Path, base: str) -> str:
    context = Path(target.context)
    text, added, keep = made_from(target, (shipped / DOCKERFILE).read_text(encoding="utf-8"), shipped)
    patterns = app_image.ignored(ignore_file(context), keep)
    said = events_of(
        client, context, text, ignored=patterns, added=added, tag=tag, buildargs={"BASE_IMAGE": base}
    )
    image = logged(said, log)
    return image or _give_up(f"{_asked(target)} of {target.context} could not be installed", log)


def made_from(
    target: Target, shipped_dockerfile: str, shipped: Path
) -> tuple[str, Mapping[str, str], list[str]]:
    """The Dockerfile of an app without one, files to add to its context, and those that must stay there.

    Raises AppImageFailed where its requirements cannot be read.
    """
    if target.requirements is None:
        raise AppImageFailed(
            f"target {target.name!r} has no image, no dockerfile and no requirements.\n"
            f"Fix: set target.requirements to {lock_readers.FORMATS}."
        )
    preamble, named = stages(shipped_dockerfile)
    base = app_image.base_stage(target.base_image) if target.base_image else preamble + named["base"]
    path, name = target.requirements, Path(target.requirements).name
    if name == "uv.lock":
        _text_of(target, path)
        uv = (shipped / "requirements" / "uv.txt").read_text(encoding="utf-8")
        project = str(Path(path).with_name("pyproject.toml"))
        return (
            app_image.from_uv_lock(base, path, target.packages),
            {app_image.UV_LINES_FILE: uv},
            [path, project],
        )
    found = requirements_of(target)
    if name not in ("pyproject.toml", "poetry.lock", "Pipfile.lock"):
        text = app_image.from_file(base, path, target.packages, references_others=found.local)
        return text, {}, [path]
    lines = "".join(f"{line}\n" for line in found.lines)
    return app_image.from_lines(base, found, target.packages), {app_image.LINES_FILE: lines}, []


def _asked(target: Target) -> str:
    beside = f" and {', '.join(target.packages)}" if target.packages else ""
    return f"{target.requirements}{beside}"


def requirements_of(target: Target) -> Requirements:
    """What the app is installed from. Raises AppImageFailed."""
    assert target.requirements is not None
    text = _text_of(target, target.requirements)
    beside = (Path(target.context) / target.requirements).with_name("pyproject.toml")
    try:
        pyproject = beside.read_text(encoding="utf-8") if beside.is_file() else None
        return lock_readers.read(target.requirements, text, pyproject)
    except UnreadableLock as error:
        raise AppImageFailed(f"target.requirements = {target.requirements!r}: {error}") from error


def _text_of(target: Target, path: str) -> str:
    try:
        return (Path(target.context) / path).read_text(encoding="utf-8")
    except OSError as error:
        raise AppImageFailed(
            f"target.requirements = {path!r} cannot be read in {target.context}: {error.strerror}.\n"
            f"Fix: name a file there: {lock_readers.FORMATS}."
        ) from error


def _give_up(what: str, log: Path) -> str:
    raise AppImageFailed(f"{what}. Full log: {log}. Last lines:\n{last_lines(log)}")
