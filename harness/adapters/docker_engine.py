"""The real thing: servers and generators in containers of a Docker engine, pinned, hardened and labelled."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from docker.models.containers import Container
from docker.models.networks import Network
from docker.types import LogConfig

from harness.adapters import docker_build, ownership
from harness.adapters.docker_channel import DockerChannel
from harness.adapters.docker_client import connect, engine_errors, engine_facts
from harness.adapters.docker_deployment import DockerDeployment
from harness.adapters.docker_network import LOOPBACK, Route, needs_own_network
from harness.adapters.docker_subject import RUNTIME_DIR, DockerSubject, RestartPolicy
from harness.adapters.reaper import Reaper
from harness.errors import EnvironmentProblem
from harness.model import DeploymentSpec, NetworkPath
from harness.planning.commands import CONTAINER_PORT

ENDING_S = 5
"""How long a container may take to end after its output has."""

HARDENED: Mapping[str, Any] = {
    "read_only": True,
    "tmpfs": {"/tmp": "rw,nosuid,nodev,noexec,size=64m,mode=1777"},
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "pids_limit": 512,
}
"""The same for every container: what one variant may do, all may."""


class DockerEngine:
    """Builds, runs and removes what one run needs of a Docker engine; structurally an `Engine`.

    Everything it makes carries the run's labels. A reaper process removes it if this process dies.
    """

    name = "docker"

    def __init__(self, project: Path, run_id: str, *, base_image: str | None = None) -> None:
        """Raises EngineUnavailable when no engine answers, EnvironmentProblem when it has no base image."""
        self._project = project
        self._client = connect()
        try:
            # Looked up once: a tag that moves during the run changes nothing.
            with engine_errors(self._client, "looking for the base image", refusal=EnvironmentProblem):
                self._base = docker_build.base_image(self._client, base_image)
        except EnvironmentProblem:
            self._client.close()
            raise
        self._labels = ownership.labels(run_id)
        # With the owner's pid: what an earlier owner of a resumed run left may still have its names.
        self._prefix = f"harness-{run_id}-{self._labels[ownership.PID]}"
        self._numbers = itertools.count(1)
        self._closed = False
        self._reaper = Reaper.start(self._labels)

    @cached_property
    def _network(self) -> Network:
        """The run's own network, made when a variant first needs one."""
        with engine_errors(self._client, "creating the run's network"):
            return self._client.networks.create(
                self._prefix,
                driver="bridge",
                labels=self._labels,
                options={"com.docker.network.bridge.host_binding_ipv4": LOOPBACK},
            )

    def remove_leftovers(self) -> list[str]:
        """Remove what dead runs left behind on this machine; the names of what was removed."""
        return ownership.remove_leftovers(self._client)

    def describe(self) -> Mapping[str, str]:
        """Engine, kernel and base image, for the run's manifest."""
        return {"engine": self.name, **engine_facts(self._client, self._base)}

    def build(self, recipe: str) -> str:
        """The image id of a recipe, from the engine's cache where nothing changed. Raises BuildFailed."""
        with engine_errors(self._client, f"building {recipe}"):
            return docker_build.build_image(self._client, self._project, recipe, self._base[1])

    @contextmanager
    def running(self, spec: DeploymentSpec) -> Iterator[DockerDeployment]:
        """A fresh, hardened and pinned container, stopped and removed on the way out."""
        route = self._route(spec.network)
        container = self._server(spec, route)
        deployment = DockerDeployment(self._client, container, name=spec.name, cpus=spec.cpus)
        with _in_service(deployment, route, spec):
            yield deployment

    @contextmanager
    def subject(
        self, spec: DeploymentSpec, *, runtime_dir: Path, restart: RestartPolicy = "no"
    ) -> Iterator[DockerSubject]:
        """A server like `running` gives, to be stopped and killed at will, with `runtime_dir` of the host as
        its runtime directory."""
        route = self._route(spec.network)
        container = self._server(
            replace(spec, env={**spec.env, "TARGET_RUNTIME_DIR": RUNTIME_DIR}),
            route,
            restart_policy={"Name": restart},
            volumes={str(runtime_dir): {"bind": RUNTIME_DIR, "mode": "rw"}},
        )
        subject = DockerSubject(
            self._client,
            container,
            name=spec.name,
            cpus=spec.cpus,
            port=route.port,
            runtime_dir=runtime_dir,
        )
        with _in_service(subject, route, spec):
            yield subject

    @contextmanager
    def companion(
        self, beside: object, *, image: str, argv: tuple[str, ...], cpus: tuple[int, ...]
    ) -> Iterator[DockerChannel]:
        """A container that shares the deployment's network path, its stdin and stdout as lines."""
        if not isinstance(beside, DockerDeployment):
            raise TypeError(f"a Docker companion stands beside a Docker deployment, not {beside!r}")
        beside.also_watch(cpus)
        container = self._create(
            "generator",
            image,
            list(argv),
            cpus,
            network_mode=beside.companion_mode,
            stdin_open=True,
            # What it prints is read over the attach stream; a copy on disk would cost the engine CPU.
            log_config=LogConfig(type="none"),
        )
        try:
            with closing(self._attached(container)) as stream:
                raw = getattr(stream, "_sock", stream)
                yield DockerChannel(str(container.name), raw, lambda: self._ending(container))
        finally:
            with engine_errors(self._client, f"removing {container.name}"), ownership.already_gone_is_fine():
                container.remove(v=True, force=True)

    def close(self) -> None:
        """Remove every container and network this engine made, never an image. May be called twice."""
        if self._closed:
            return
        self._closed = True
        clean = False
        try:
            with engine_errors(self._client, f"cleaning up after {self._prefix}"):
                ownership.remove_owned(self._client, self._labels)
            clean = True
        finally:
            # What could not be removed here is left to the reaper, which tries for a while longer.
            self._reaper.close(clean=clean)
            self._client.close()

    def _server(self, spec: DeploymentSpec, route: Route, **options: Any) -> Container:
        """A server's container, not yet started."""
        memory = f"{spec.memory_mib}m" if spec.memory_mib else None
        return self._create(
            "server",
            spec.image,
            [part.replace("{port}", str(route.port)) for part in spec.argv],
            spec.cpus,
            environment={key: value.replace("{port}", str(route.port)) for key, value in spec.env.items()},
            nano_cpus=round(spec.cpu_quota * 1e9) if spec.cpu_quota else None,
            mem_limit=memory,
            memswap_limit=memory,
            log_config=LogConfig(type="local", config={"max-size": "16m", "max-file": "2"}),
            **route.server_options(),
            **options,
        )

    def _create(
        self, role: str, image: str, argv: list[str], cpus: tuple[int, ...], **options: Any
    ) -> Container:
        with engine_errors(self._client, f"creating a {role} container"):
            return self._client.containers.create(
                image,
                # As entry point, so that an image's own one cannot change the command measured.
                entrypoint=argv[:1],
                command=argv[1:],
                name=f"{self._prefix}-{next(self._numbers)}",
                labels={**self._labels, "harness.role": role},
                cpuset_cpus=",".join(map(str, cpus)),
                **HARDENED,
                **options,
            )

    def _route(self, path: NetworkPath) -> Route:
        return Route(
            path=path,
            port=_free_port() if path == "host" else CONTAINER_PORT,
            own_network=self._network.name if needs_own_network(path) else None,
        )

    def _attached(self, container: Container) -> Any:
        """The attach stream of a container, started only then, so that its first line is not lost."""
        with engine_errors(self._client, f"starting {container.name}"):
            streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            stream = self._client.api.attach_socket(str(container.id), params=streams)
            container.start()
            return stream

    def _ending(self, container: Container) -> str:
        """How a container ended whose output has. Raises EngineUnavailable when the engine has gone too."""
        with engine_errors(self._client, f"asking how {container.name} ended"):
            return f"exit code {container.wait(timeout=ENDING_S)['StatusCode']}"


@contextmanager
def _in_service(deployment: DockerDeployment, route: Route, spec: DeploymentSpec) -> Iterator[None]:
    """Started on the way in; stopped and removed on the way out, however that comes."""
    try:
        deployment.start(route)
        yield
    finally:
        deployment.retire(spec.stop_timeout_s)


def _free_port() -> int:
    """A port that was free a moment ago; a clash shows as a server that does not get ready."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
