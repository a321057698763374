"""Images made to be weighed: built from a directory, measured, and removed with all that led to them."""

from __future__ import annotations

import itertools
import json
import re
import tarfile
import tempfile
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from docker import DockerClient
from docker.models.containers import Container
from docker.types import LogConfig
from docker.utils.build import create_archive, exclude_paths

from harness.adapters import docker_build, ownership
from harness.adapters.assets import workspace
from harness.adapters.build_context import BuildContext
from harness.adapters.docker_client import connect, engine_errors, engine_facts
from harness.adapters.reaper import Reaper
from harness.errors import DeploymentDied, EnvironmentProblem, VariantError

EXPERIMENT = "harness.experiment"
IMAGES = "images"
FROM_LINE = re.compile(r"^(FROM\s.*)$", re.MULTILINE | re.IGNORECASE)
GZIP_LEVEL, GZIP_FORMAT = 6, 31
"""gzip's own default level, and the window bits that ask zlib for gzip's format."""
CHUNK_BYTES = 1 << 20
POLL_S = 0.02
TAIL_LINES = 20
RUN_S = 60
"""How long a command that only prints something may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltImage:
    """An image, and what it took to build it."""

    image: str
    took_s: float
    """From packing the context to the image's id."""
    context_bytes: int
    """Sent to the engine, as a tar file."""


class DockerImages:
    """Builds and weighs images on a Docker engine, and leaves none behind.

    Every stage begins with a layer of labels: the run's, the image's and the stage's. So no layer is shared
    with an image that is not ours, and removal touches ours alone. Nor is one shared between two images: of
    several layers made alike the classic builder's cache looks below the newest only, and would miss.
    """

    name = "docker"

    def __init__(self, project: Path, run_id: str) -> None:
        """Raises EngineUnavailable when no engine answers, EnvironmentProblem when it has no base image."""
        self._logs = workspace(project) / "builds"
        self._labels = ownership.labels(run_id)
        self._layer_bytes: dict[str, int] = {}
        self._client = connect()
        # A large image is put together for a while before its first byte is sent.
        self._client.api.timeout = docker_build.SILENCE_S
        try:
            with engine_errors(self._client, "preparing the engine", refusal=EnvironmentProblem):
                self._base = docker_build.base_image(self._client, None)
                _remove_left_images(self._client)
        except EnvironmentProblem:
            self._client.close()
            raise
        self._reaper = Reaper.start(self._labels)

    def describe(self) -> Mapping[str, str]:
        """Engine, kernel and base image, for the manifest."""
        return engine_facts(self._client, self._base)

    def build(
        self, name: str, dockerfile: str, context: BuildContext, *, cold: bool, base: str | None = None
    ) -> BuiltImage:
        """Build a directory; `cold` uses nothing from the engine's layer cache. Raises VariantError.

        BASE_IMAGE is the image `base`, or else the project's. The full log stays in the workspace's builds/.
        """
        labelled = with_labels(dockerfile, {**self._labels, EXPERIMENT: IMAGES, "harness.image": name})
        (context.path / "Dockerfile").write_text(labelled, encoding="utf-8")
        log = self._logs / f"images-{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with engine_errors(self._client, f"building {name}", refusal=VariantError):
            began_s = time.monotonic()
            with tempfile.TemporaryFile() as archive:
                _pack(context, archive)
                image = docker_build.logged(self._events(archive, cold=cold, base=base), log)
                took_s, context_bytes = time.monotonic() - began_s, archive.seek(0, 2)
        if image is None:
            last = "\n".join(log.read_text(encoding="utf-8").splitlines()[-TAIL_LINES:])
            advice = "Fix what it says (or wait for the network), then resume with --into."
            raise VariantError(f"image {name} did not build. Full log: {log}. {advice} Last lines:\n{last}")
        return BuiltImage(image=image, took_s=took_s, context_bytes=context_bytes)

    def unpacked_bytes(self, image: str) -> int:
        """The files of all layers, as the engine counts them."""
        with engine_errors(self._client, "looking at an image"):
            return int(self._client.images.get(image).attrs["Size"])

    def compressed_bytes(self, image: str) -> int:
        """What a registry would store and send: each layer's tar through gzip. A layer is weighed once."""
        with engine_errors(self._client, "saving an image"), tempfile.TemporaryFile() as file:
            layers = self._client.images.get(image).attrs["RootFS"]["Layers"]
            for chunk in self._client.api.get_image(image, chunk_size=CHUNK_BYTES):
                file.write(chunk)
            file.seek(0)
            with tarfile.open(fileobj=file) as archive:
                (manifest,) = json.load(_member(archive, "manifest.json"))
                for layer, path in zip(layers, manifest["Layers"], strict=True):
                    if layer not in self._layer_bytes:
                        self._layer_bytes[layer] = gzip_bytes(_member(archive, path))
        return sum(self._layer_bytes[layer] for layer in layers)

    def user_id(self, image: str) -> int:
        """Of the processes in a container of this image."""
        with self._running(image, ["id", "-u"]) as container:
            return int(_output(container))

    def directory_bytes(self, image: str, path: str) -> int:
        """Of all files below a path in the image; 0 where there is none."""
        with self._running(image, ["du", "--bytes", "--summarize", path], user="root") as container:
            size, *_ = _output(container).split() or ["0"]
            return int(size)

    def start_s(self, image: str, env: Mapping[str, str], *, ready: str, within_s: float) -> float | None:
        """From a container's start to the log line saying `ready`, by the engine's clock; None: not in time.

        Raises DeploymentDied when the server ends instead.
        """
        with self._running(image, None, env) as container:
            line = self._line_with(container, ready, within_s=within_s)
            # The engine notes the start a moment after it: a line may come before.
            started_s = _seconds(container.attrs["State"]["StartedAt"])
            return None if line is None else max(0.0, line[0] - started_s)

    def print_delay_s(self, image: str, *, within_s: float) -> float | None:
        """From a print of a Python process that goes on running to the engine's log; None: not in time."""
        program = f"import time; print('printed', time.time()); time.sleep({within_s * 2})"
        with self._running(image, ["python3", "-c", program]) as container:
            line = self._line_with(container, "printed", within_s=within_s)
            return None if line is None else line[0] - float(line[1].split()[-1])

    def close(self) -> None:
        """Remove every container and image of this run."""
        clean = False
        try:
            with engine_errors(self._client, "removing this run's images", refusal=EnvironmentProblem):
                ownership.remove_owned(self._client, self._labels)
                _remove_images(self._client, self._labels)
            clean = True
        finally:
            self._reaper.close(clean=clean)
            self._client.close()

    def _events(self, archive: IO[bytes], *, cold: bool, base: str | None) -> Iterator[Mapping[str, Any]]:
        stream = self._client.api.build(
            fileobj=archive,
            custom_context=True,
            nocache=cold,
            buildargs={"BASE_IMAGE": base or self._base[1]},
            rm=True,
            forcerm=True,
            decode=True,
            timeout=docker_build.SILENCE_S,
        )
        # Closing the stream is what tells the engine to give a build up.
        with closing(stream):
            yield from stream

    @contextmanager
    def _running(
        self,
        image: str,
        command: list[str] | None,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> Iterator[Container]:
        """A container as its users would start it, but without a network."""
        with engine_errors(self._client, "running a container of an image"):
            container = self._client.containers.create(
                image,
                command,
                environment=dict(env or {}),
                user=user,
                labels=self._labels,
                network_mode="none",
                log_config=LogConfig(type="json-file"),
            )
            try:
                container.start()
                container.reload()
                yield container
            finally:
                with ownership.already_gone_is_fine():
                    container.remove(v=True, force=True)

    def _line_with(self, container: Container, text: str, *, within_s: float) -> tuple[float, str] | None:
        """When the engine received the first line of the log that contains `text`, and that line."""
        deadline_s = time.monotonic() + within_s
        while time.monotonic() < deadline_s:
            container.reload()
            log = container.logs(timestamps=True).decode(errors="replace")
            for line in log.splitlines():
                stamp, _, said = line.partition(" ")
                if text in said:
                    return _seconds(stamp), said
            if container.status == "exited":
                raise DeploymentDied(f"a container that was to say {text!r} ended. Its log:\n{log}")
            time.sleep(POLL_S)
        return None


def with_labels(dockerfile: str, labels: Mapping[str, str]) -> str:
    """The Dockerfile with these labels, and the number of the stage, as the first layer of every stage."""
    label = "LABEL " + " ".join(f"{key}={json.dumps(value)}" for key, value in labels.items())
    stage = itertools.count(1)
    return FROM_LINE.sub(lambda line: f"{line[1]}\n{label} harness.stage={next(stage)}", dockerfile)


def gzip_bytes(stream: IO[bytes]) -> int:
    """How long a stream would be as a gzip file."""
    packer, size = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, GZIP_FORMAT), 0
    while chunk := stream.read(CHUNK_BYTES):
        size += len(packer.compress(chunk))
    return size + len(packer.flush())


def _output(container: Container) -> str:
    """What a command printed, without its complaints, once it has ended."""
    container.wait(timeout=RUN_S)
    return container.logs(stderr=False).decode()


def _pack(context: BuildContext, archive: IO[bytes]) -> None:
    """What the docker client would send: the directory, less what its .dockerignore names."""
    root = str(context.path)
    create_archive(root, files=sorted(exclude_paths(root, context.ignored())), fileobj=archive)


def _member(archive: tarfile.TarFile, path: str) -> IO[bytes]:
    file = archive.extractfile(path)
    if file is None:
        raise EnvironmentProblem(f"the engine saved an image in which {path} is no file")
    return file


def _seconds(stamp: str) -> float:
    """RFC 3339 to seconds since 1970; fractions beyond microseconds are dropped."""
    return datetime.fromisoformat(stamp).timestamp()


def _remove_images(client: DockerClient, owner: Mapping[str, str]) -> None:
    """Remove images with exactly these labels of a run and its owner, and the layers only they have."""
    filters = {"label": [f"{EXPERIMENT}={IMAGES}", *(f"{key}={owner[key]}" for key in ownership.KEYS)]}
    for found in client.api.images(filters=filters):
        with ownership.already_gone_is_fine():
            client.api.remove_image(found["Id"])


def _remove_left_images(client: DockerClient) -> None:
    """Remove what earlier comparisons left on this machine because they were killed."""
    found = client.api.images(filters={"label": f"{EXPERIMENT}={IMAGES}"})
    for owner in (image["Labels"] for image in found):
        if ownership.is_leftover(owner):
            _remove_images(client, owner)
