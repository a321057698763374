"""Images from Dockerfile.variants, through the engine's own build API."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from docker import DockerClient
from docker.errors import APIError, ImageNotFound
from docker.utils import build as context_files

from harness.adapters.assets import base_image_remedy, workspace
from harness.errors import BuildFailed, EnvironmentProblem
from harness.planning.app_image import patterns

DOCKERFILE, GENERATED = "Dockerfile.variants", "Dockerfile.harness"
BASE_IMAGE_VARIABLE = "HARNESS_BASE_IMAGE"
BASE_IMAGES = ("python:3.13-slim", "harness-base:py313", "localhost/harness-base:py313")
"""The last is what Podman calls one that came from an archive."""
SILENCE_S = 900
"""How long a build may print nothing: pip says little while it downloads and installs."""
LEGACY_BUILDER = re.compile(r"DEPRECATED: The legacy builder .*\n.*Install the buildx .*\n.*/go/buildx/\n\n?")
"""What the docker program says before it builds."""
TAIL_LINES = 20
LONGEST = 500
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
APP_STAGE = "app"
DEFAULT_USER = "10001:10001"
RECIPE_LABEL = "harness.recipe"
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What engines give containers of images that name none."""

STAGE = re.compile(r"^FROM\s.*?\sAS\s+(?P<name>\S+)", re.IGNORECASE)
FROM_STAGE = re.compile(r"^FROM\s+(?:--\S+\s+)*(?P<name>\S+)", re.IGNORECASE)
INSTALL = re.compile(r'^RUN \["python", (?P<rest>"/opt/harness/install\.py".*)\]$', re.MULTILINE)
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


def has_stage(project: Path, name: str) -> bool:
    dockerfile = project / DOCKERFILE
    return dockerfile.is_file() and name in stages(dockerfile.read_text(encoding="utf-8"))[1]


def dockerfile_for(dockerfile: str, recipe: str, app: str | None = None) -> str:
    """The Dockerfile with only those stages that `recipe` is made from. Raises KeyError.

    `app` is the text of another stage `app` than the example's. The classic builder builds every stage
    above its target. Left in, one recipe's bad requirement would fail its neighbours as well.
    """
    preamble, by_name = stages(dockerfile)
    if app is not None:
        by_name = {**by_name, APP_STAGE: app}
    needed: set[str] = set()
    queue = [recipe]
    while queue:
        name = queue.pop()
        needed.add(name)
        text = by_name[name]
        mentioned = {match["name"] for use in (FROM_STAGE, COPY_STAGE) for match in use.finditer(text)}
        queue += sorted(mentioned & by_name.keys() - needed)
    return preamble + "".join(text for name, text in by_name.items() if name in needed)


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamApp:
    """A team's image, as recipes are laid upon it."""

    target: str
    image: str
    python: str
    """Absolute path of the interpreter that has the app's packages."""
    user: str
    has_path: bool = True
    """Whether the image says what its PATH is."""


def layered(dockerfile: str, recipe: str, app: TeamApp) -> str:
    """The Dockerfile of a recipe upon a team's image. Raises KeyError.

    Their packages may be older than those of our locks: the installer may look for others that go with them.
    """
    path = "" if app.has_path else f"ENV PATH={DEFAULT_PATH}\n"
    text = dockerfile_for(dockerfile, recipe, app=f"FROM {app.image} AS {APP_STAGE}\n{path}\n")
    text = INSTALL.sub(lambda match: f'RUN [{json.dumps(app.python)}, {match["rest"]}, "--resolve"]', text)
    return text.replace(DEFAULT_USER, app.user)


def build_image(
    client: DockerClient, project: Path, recipe: str, base: str, app: TeamApp | None = None
) -> str:
    """Build one recipe on the base image id `base`; the new image's id. Raises BuildFailed.

    The engine's layer cache makes a second build quick. The full log stays in the workspace's builds/.
    """
    dockerfile = project / DOCKERFILE
    name = recipe if app is None else f"{tag_of(app.target)}-{recipe}"
    target = None if app is None else app.target
    try:
        text = dockerfile.read_text(encoding="utf-8")
        text = dockerfile_for(text, recipe) if app is None else layered(text, recipe, app)
    except FileNotFoundError as error:
        raise EnvironmentProblem(f"{dockerfile} is missing.\nFix: install harness again.") from error
    except KeyError as error:
        raise BuildFailed(recipe, f"{dockerfile} has no stage {error}.") from error
    log = workspace(project) / "builds" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    said = events_of(
        client,
        project,
        text,
        ignored=patterns(ignore_file(project)),
        target=recipe,
        tag=f"harness/{name}:latest",
        buildargs={"BASE_IMAGE": base},
        labels={RECIPE_LABEL: recipe},
    )
    try:
        image = logged(said, log)
    except APIError as error:
        raise BuildFailed(recipe, str(error.explanation or error), target=target) from error
    if image is None:
        raise BuildFailed(recipe, last_lines(log), log, target=target)
    return image


def events_of(
    client: DockerClient,
    context: Path,
    dockerfile: str,
    *,
    ignored: Sequence[str],
    added: Mapping[str, str] = MappingProxyType({}),
    **options: Any,
) -> Iterator[Mapping[str, Any]]:
    """What the engine says while it builds a Dockerfile from a directory with some files `added` to it.

    The text goes along under a name of its own. By the SDK's own way of sending a Dockerfile from elsewhere
    Podman takes its text for its name.
    """
    archive: Any = context_files.create_archive(
        str(context),
        files=sorted(context_files.exclude_paths(str(context), [*ignored])),
        extra_files=[*added.items(), (GENERATED, dockerfile)],
    )
    with archive:
        yield from events(client, fileobj=archive, custom_context=True, dockerfile=GENERATED, **options)


def ignore_file(context: Path) -> str:
    """What stands in its .dockerignore; nothing where there is none."""
    file = context / ".dockerignore"
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def events(client: DockerClient, **options: Any) -> Iterator[Mapping[str, Any]]:
    """What the engine says while it builds."""
    stream = client.api.build(rm=True, forcerm=True, decode=True, timeout=SILENCE_S, **options)
    # Closing the stream is what tells the engine to give a build up.
    with closing(stream):
        yield from stream


def logged(said: Iterable[Mapping[str, Any]], log: Path) -> str | None:
    """Write a build's output as it comes; the image id, or None when the build failed."""
    image: str | None = None
    with log.open("w", encoding="utf-8") as file:
        for event in said:
            if "error" in event:
                file.write(plain(f"{event['error']}\n"))
                return None
            file.write(plain(event.get("stream", "")))
            image = (event.get("aux") or {}).get("ID", image)
    return image


def last_lines(log: Path) -> str:
    """The end of a build's output, where the reason of its failure stands."""
    text = LEGACY_BUILDER.sub("", plain(log.read_text(encoding="utf-8", errors="replace")))
    lines = text.splitlines()[-TAIL_LINES:]
    # pip lists every version there is in one line.
    return "\n".join(line if len(line) <= LONGEST else f"{line[:LONGEST]}..." for line in lines)


def plain(text: str) -> str:
    """Without the colours of a terminal."""
    return COLOUR.sub("", text)


def tag_of(name: str) -> str:
    """A target's name as part of an image's tag."""
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name.lower())
    return "-".join(filter(None, kept.split("-"))) or "app"
