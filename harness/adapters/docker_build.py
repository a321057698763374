"""Images from Dockerfile.variants, through the engine's own build API."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from docker import DockerClient
from docker.errors import APIError, ImageNotFound

from harness.adapters.assets import base_image_remedy, workspace
from harness.errors import BuildFailed, EnvironmentProblem

DOCKERFILE = "Dockerfile.variants"
BASE_IMAGE_VARIABLE = "HARNESS_BASE_IMAGE"
BASE_IMAGES = ("python:3.13-slim", "harness-base:py313")
SILENCE_S = 900
"""How long a build may print nothing: pip says little while it downloads and installs."""
TAIL_LINES = 20

STAGE = re.compile(r"^FROM\s.*?\sAS\s+(?P<name>\S+)", re.IGNORECASE)
FROM_STAGE = re.compile(r"^FROM\s+(?:--\S+\s+)*(?P<name>\S+)", re.IGNORECASE)
COPY_STAGE = re.compile(r"^COPY\s.*?--from=(?P<name>\S+)", re.IGNORECASE | re.MULTILINE)


def base_image(client: DockerClient, wanted: str | None) -> tuple[str, str]:
    """Reference and id of the base: `wanted`, HARNESS_BASE_IMAGE, or the first known one that is here.

    Raises EnvironmentProblem. Nothing is pulled.
    """
    chosen = wanted or os.environ.get(BASE_IMAGE_VARIABLE)
    candidates = (chosen,) if chosen else BASE_IMAGES
    for reference in candidates:
        try:
            return reference, str(client.images.get(reference).id)
        except ImageNotFound:
            continue
    raise EnvironmentProblem(
        f"The engine holds no base image ({' nor '.join(candidates)}).\n"
        f"Fix: {base_image_remedy()}, or name one that is there in {BASE_IMAGE_VARIABLE}."
    )


def stages(dockerfile: str) -> tuple[str, Mapping[str, str]]:
    """What stands before the first FROM, and the text of each named stage in order."""
    preamble, *texts = re.split(r"^(?=FROM\s)", dockerfile, flags=re.IGNORECASE | re.MULTILINE)
    named = ((STAGE.match(text), text) for text in texts)
    return preamble, {match["name"]: text for match, text in named if match}


def dockerfile_for(dockerfile: str, recipe: str) -> str:
    """The Dockerfile with only those stages that `recipe` is made from. Raises KeyError.

    The classic builder builds every stage above its target. Left in, one recipe's bad requirement would
    fail its neighbours as well.
    """
    preamble, by_name = stages(dockerfile)
    needed: set[str] = set()
    queue = [recipe]
    while queue:
        name = queue.pop()
        needed.add(name)
        text = by_name[name]
        mentioned = {match["name"] for use in (FROM_STAGE, COPY_STAGE) for match in use.finditer(text)}
        queue += sorted(mentioned & by_name.keys() - needed)
    return preamble + "".join(text for name, text in by_name.items() if name in needed)


def build_image(client: DockerClient, project: Path, recipe: str, base: str) -> str:
    """Build one recipe on the base image id `base`; the new image's id. Raises BuildFailed.

    The engine's layer cache makes a second build quick. The full log stays in the workspace's builds/.
    """
    dockerfile = project / DOCKERFILE
    try:
        text = dockerfile_for(dockerfile.read_text(encoding="utf-8"), recipe)
    except FileNotFoundError as error:
        raise EnvironmentProblem(f"{dockerfile} is missing.\nFix: install harness again.") from error
    except KeyError as error:
        raise BuildFailed(recipe, f"{dockerfile} has no stage {error}.") from error
    log = workspace(project) / "builds" / f"{recipe}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="harness-build-") as scratch:
        # Outside the context, so that the SDK sends it along beside the project's own files.
        reduced = Path(scratch) / DOCKERFILE
        reduced.write_text(text, encoding="utf-8")
        try:
            image = logged(_events(client, project, reduced, recipe, base), log)
        except APIError as error:
            raise BuildFailed(recipe, str(error.explanation or error)) from error
    if image is None:
        lines = log.read_text(encoding="utf-8").splitlines()
        raise BuildFailed(recipe, "\n".join(lines[-TAIL_LINES:]), log)
    return image


def _events(
    client: DockerClient, project: Path, dockerfile: Path, recipe: str, base: str
) -> Iterator[Mapping[str, Any]]:
    stream = client.api.build(
        path=str(project),
        dockerfile=str(dockerfile),
        target=recipe,
        tag=f"harness/{recipe}:latest",
        buildargs={"BASE_IMAGE": base},
        labels={"harness.recipe": recipe},
        rm=True,
        forcerm=True,
        decode=True,
        timeout=SILENCE_S,
    )
    # Closing the stream is what tells the engine to give a build up.
    with closing(stream):
        yield from stream


def logged(events: Iterable[Mapping[str, Any]], log: Path) -> str | None:
    """Write a build's output as it comes; the image id, or None when the build failed."""
    image: str | None = None
    with log.open("w", encoding="utf-8") as file:
        for event in events:
            if "error" in event:
                file.write(f"{event['error']}\n")
                return None
            file.write(event.get("stream", ""))
            image = (event.get("aux") or {}).get("ID", image)
    return image
