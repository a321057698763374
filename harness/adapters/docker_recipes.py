"""What containers start from: the app's image and a layer per recipe on it, each built once per run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from docker import DockerClient

from harness.adapters import app_build, docker_build
from harness.adapters.assets import workspace
from harness.adapters.docker_build import APP_STAGE, TeamApp
from harness.adapters.docker_client import engine_errors
from harness.adapters.image_python import (
    ImageFacts,
    files_of,
    find_python,
    owner_options,
    runtime_user,
    text_in,
)
from harness.errors import AppImageFailed, VariantError
from harness.model import OWN_COMMAND
from harness.planning.example import is_example
from harness.recipes import RECIPES
from harness.target import Target

OWN_PREFIX = "harness/"
"""Images of services that the harness builds itself, where they are not here yet: "harness/postgres"."""


class RecipeImages:
    """The images of one run, by recipe and target."""

    def __init__(self, client: DockerClient, project: Path, base: str) -> None:
        self._client, self._project, self._base = client, project, base
        self._apps: dict[str, tuple[Target, str]] = {}
        self._parts: dict[str, str] = {}
        self._facts: dict[str, ImageFacts] = {}
        self._pythons: dict[str, str] = {}

    def build(self, recipe: str, target: Target | None) -> str:
        """The image id of a recipe. None is the example app, or no app at all for a part such as
        "generator". Raises BuildFailed, VariantError, or AppImageFailed when there is nothing to build on.
        """
        for part in RECIPES[recipe].parts if recipe in RECIPES else ():
            if part not in self._parts:
                self._parts[part] = self._stage(part, None)
        if target is not None and is_example(target, self._project):
            target = None
        if recipe == OWN_COMMAND:
            return self._stage(APP_STAGE, None) if target is None else self.app(target)
        return self._stage(recipe, None if target is None else self._team_app(target))

    def app(self, target: Target) -> str:
        """The id of a team's image, made once. Raises AppImageFailed."""
        known = self._apps.get(target.name)
        if known is None or known[0] != target:
            logs = workspace(self._project) / "builds"
            with engine_errors(self._client, f"building {target.name}", refusal=AppImageFailed):
                image = app_build.app_image_id(self._client, self._project, logs, target, self._base)
            self._apps[target.name] = known = (target, image)
        return known[1]

    def of_service(self, reference: str) -> str:
        """The id of a service's image: here, one of ours, or pulled. Raises AppImageFailed, BuildFailed."""
        own = reference.removeprefix(OWN_PREFIX).partition(":")[0]
        if reference.startswith(OWN_PREFIX) and docker_build.has_stage(self._project, own):
            return self._stage(own, None)
        return app_build.found_or_pulled(self._client, reference, f"the service image {reference!r}")

    def resolved(self, image: str) -> str:
        """An image id, or the id of the part that `image` is the name of."""
        return self._parts.get(image, image)

    def is_part(self, image: str) -> bool:
        return image in self._parts.values()

    def facts(self, image: str) -> ImageFacts:
        if image not in self._facts:
            with engine_errors(self._client, f"looking at the image {image}"):
                self._facts[image] = ImageFacts.of(self._client.images.get(image).attrs["Config"] or {})
        return self._facts[image]

    def _stage(self, name: str, app: TeamApp | None) -> str:
        with engine_errors(self._client, f"building {name}"):
            return docker_build.build_image(self._client, self._project, name, self._base, app)

    def _team_app(self, target: Target) -> TeamApp:
        image = self.app(target)
        facts = self.facts(image)
        shown = target.image or f"{OWN_PREFIX}{docker_build.tag_of(target.name)}"
        if image not in self._pythons:
            self._pythons[image] = self._python_in(image, facts, target, shown)
        return TeamApp(
            target=target.name,
            image=image,
            python=self._pythons[image],
            user=runtime_user(target.user, facts),
            has_path="PATH" in facts.env,
        )

    def owner(self, image: str, user: str) -> str:
        """Mount options for a directory that `user` of an image is to write to."""
        if user.partition(":")[0].isdecimal() or not user:
            return owner_options(user, "")
        with self._looking_into(image) as container:
            return owner_options(user, text_in(self._client, container, "/etc/passwd"))

    @contextmanager
    def _looking_into(self, image: str) -> Iterator[str]:
        """A container that is never started: a view of the image's files."""
        with engine_errors(self._client, f"looking into the image {image}"):
            container = self._client.api.create_container(image, command=["none"])["Id"]
            try:
                yield container
            finally:
                self._client.api.remove_container(container, v=True, force=True)

    def _python_in(self, image: str, facts: ImageFacts, target: Target, shown: str) -> str:
        """Raises VariantError: black boxes of the same image can still be measured."""
        with self._looking_into(image) as container:
            python = find_python(facts, target.python, files_of(self._client, container))
        if python is not None:
            return python
        if target.python is not None:
            raise VariantError(
                f"image {shown} has no {target.python}, which target.python names.\n"
                f"Fix: name the interpreter that has the app's packages, by its path in the image."
            )
        raise VariantError(
            f'image {shown} has no Python: wrapped recipes need one; recipe = ["{OWN_COMMAND}"] measures it '
            f"as a black box."
        )
