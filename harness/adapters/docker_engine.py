"""The real thing: servers and generators in containers of a Docker engine, pinned, hardened and labelled."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

from docker.models.containers import Container
from docker.models.networks import Network

from harness.adapters import docker_build, ownership
from harness.adapters.controlled_container import RUNTIME_DIR, ControlledContainer, RestartPolicy
from harness.adapters.docker_channel import DockerChannel, attached, ending
from harness.adapters.docker_client import connect, engine_errors, engine_facts, refuse_another_machine
from harness.adapters.docker_containers import (
    companion_options,
    log_config,
    server_options,
    set_up_options,
)
from harness.adapters.docker_deployment import DockerDeployment, in_service
from harness.adapters.docker_network import LOOPBACK, NetworkRoute, free_ports, needs_own_network
from harness.adapters.docker_recipes import RecipeImages
from harness.adapters.docker_services import Services
from harness.adapters.image_python import runtime_user
from harness.adapters.reaper import Reaper
from harness.adapters.several_processes import Together, first_of
from harness.deployment import RUNTIME_DIR_VARIABLE, DeploymentSpec, ProcessSpec
from harness.errors import EnvironmentProblem
from harness.planning.commands import CONTAINER_PORT
from harness.target import ServiceLife, Target, of_life

SHARED_RUNTIME_DIR = "/dev/shm/harness"


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
                info = self._client.info()
                refuse_another_machine(info)
                self._base = docker_build.base_image(self._client, base_image)
        except EnvironmentProblem:
            self._client.close()
            raise
        self._log = log_config(info["Plugins"]["Log"] or ())
        self._images = RecipeImages(self._client, project, self._base[1])
        self._services: dict[str, str] = {}
        """Addresses of the services that run now, by name."""
        self._labels = ownership.labels(run_id)
        # With the owner's pid: what an earlier owner of a resumed run left may still have its names.
        self._prefix = f"harness-{run_id}-{self._labels[ownership.PID]}"
        self._numbers = itertools.count(1)
        self._making_network = Lock()
        self._closed = False
        self._reaper = Reaper.start(self._labels)

    @property
    def _network(self) -> Network:
        """The run's own network, made when a variant first needs one."""
        with self._making_network:
            return self._one_network

    @cached_property
    def _one_network(self) -> Network:
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

    @property
    def labels(self) -> Mapping[str, str]:
        """On everything of this run."""
        return self._labels

    def saved(self, image: str) -> Iterator[bytes]:
        """An image as `docker save` writes it."""
        with engine_errors(self._client, f"saving {image}"):
            yield from self._client.images.get(image).save()

    def build(self, recipe: str, target: Target | None = None) -> str:
        """The image id of a recipe, from the engine's cache where nothing changed. Raises BuildFailed,
        VariantError where the target's image has no Python for it, AppImageFailed where there is no image.
        """
        return self._images.build(recipe, target)

    @contextmanager
    def services(
        self,
        target: Target | None,
        *,
        image: str,
        env: Mapping[str, str],
        cpus: tuple[int, ...],
        life: ServiceLife,
    ) -> Iterator[None]:
        """The target's services of one life, ready and set up by commands in the app's `image` with `env`.

        Every deployment in here is on their network too. Raises ServiceFailed, AppImageFailed.
        """
        wanted = of_life(target, life) if target else ()
        if target is None or not wanted:
            yield
            return
        helper = Services(self._client, self._create, self._images)
        with helper.running(wanted, network=str(self._network.name), cpus=cpus) as addresses:
            before, self._services = self._services, {**self._services, **addresses}
            try:
                helper.set_up(wanted, lambda argv: self._set_up(argv, target, image, env, cpus))
                yield
            finally:
                self._services = before

    @contextmanager
    def running(self, spec: DeploymentSpec) -> Iterator[DockerDeployment | Together[DockerDeployment]]:
        """A fresh, hardened and pinned container, or several, stopped and removed on the way out."""
        ports = self._ports(spec)
        route = self._route(spec, ports[0])
        main = ProcessSpec(name=spec.name, argv=spec.argv, env=spec.env)
        with ExitStack() as stack:
            if not spec.beside:
                yield stack.enter_context(self._served(spec, main, ports, route, **route.server_options()))
                return
            # /dev/shm is what hardened containers can share without a volume that would have to be removed.
            options = {**route.server_options(), "ipc_mode": "shareable"}
            first = stack.enter_context(self._served(spec, main, ports, route, **options))
            shared = ("network_mode", "pid_mode", "ipc_mode")
            joined = dict.fromkeys(shared, f"container:{first.container_id}")
            beside = {
                process.name: stack.enter_context(self._served(spec, process, ports, None, **joined))
                for process in spec.beside
            }
            yield Together(first, beside)

    @contextmanager
    def _served(
        self,
        spec: DeploymentSpec,
        process: ProcessSpec,
        ports: Sequence[int],
        route: NetworkRoute | None,
        /,  # `options` have ports as well
        **options: Any,
    ) -> Iterator[DockerDeployment]:
        """One container of a deployment; `options` say what it shares with others."""
        if spec.beside:
            process = replace(process, env={**process.env, RUNTIME_DIR_VARIABLE: SHARED_RUNTIME_DIR})
        container = self._server(spec, process, ports, **options)
        deployment = DockerDeployment(self._client, container, name=process.name, cpus=spec.cpus)
        with in_service(deployment, route, spec):
            yield deployment

    @contextmanager
    def controlled(
        self, spec: DeploymentSpec, *, runtime_dir: Path, restart: RestartPolicy = "no"
    ) -> Iterator[ControlledContainer]:
        """A server like `running` gives, to be stopped and killed at will, with `runtime_dir` of the host as
        its runtime directory."""
        ports = self._ports(spec)
        route = self._route(spec, ports[0])
        container = self._server(
            spec,
            ProcessSpec(name=spec.name, argv=spec.argv, env={**spec.env, RUNTIME_DIR_VARIABLE: RUNTIME_DIR}),
            ports,
            **route.server_options(),
            restart_policy={"Name": restart},
            volumes={str(runtime_dir): {"bind": RUNTIME_DIR, "mode": "rw"}},
        )
        controlled = ControlledContainer(
            self._client,
            container,
            name=spec.name,
            cpus=spec.cpus,
            port=route.port,
            runtime_dir=runtime_dir,
        )
        with in_service(controlled, route, spec):
            yield controlled

    @contextmanager
    def companion(
        self, beside: object, *, image: str, argv: tuple[str, ...], cpus: tuple[int, ...]
    ) -> Iterator[DockerChannel]:
        """A container that shares the deployment's network path, its stdin and stdout as lines."""
        server = first_of(beside)
        if not isinstance(server, DockerDeployment):
            raise TypeError(f"a Docker companion stands next to a Docker deployment, not {beside!r}")
        server.also_watch(cpus)
        container = self._create(
            "generator",
            image,
            cpus,
            **companion_options(argv),
            network_mode=server.companion_mode,
        )
        try:
            with engine_errors(self._client, f"starting {container.name}"):
                attach_stream = attached(self._client, container)
            with closing(attach_stream) as stream:
                raw = getattr(stream, "_sock", stream)
                yield DockerChannel(str(container.name), raw, lambda: ending(self._client, container))
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

    def _server(
        self,
        spec: DeploymentSpec,
        process: ProcessSpec,
        ports: Sequence[int],
        /,  # `options` have ports as well
        **options: Any,
    ) -> Container:
        """A container of a deployment, not yet started."""
        image = self._images.resolved(process.image or spec.image)
        facts, part = self._images.facts(image), self._images.is_part(image)
        user = runtime_user(None if part else spec.user, facts)
        owner = self._images.owner(image, user) if spec.writable and not part else ""
        made = server_options(
            spec, process, ports, user, part=part, layer=facts.ours and not part, owner=owner
        )
        return self._create("server", image, spec.cpus, **made, **options)

    def _set_up(
        self, argv: Sequence[str], target: Target, image: str, env: Mapping[str, str], cpus: tuple[int, ...]
    ) -> Container:
        """A container for a set-up command of a service, not yet started."""
        user = runtime_user(target.user, self._images.facts(image))
        made = set_up_options(argv, env, user, target.writable, self._images.owner(image, user))
        return self._create("setup", image, cpus, **made, network=self._network.name)

    def _create(self, role: str, image: str, cpus: tuple[int, ...], **options: Any) -> Container:
        with engine_errors(self._client, f"creating a {role} container"):
            return self._client.containers.create(
                image,
                name=f"{self._prefix}-{next(self._numbers)}",
                labels={**self._labels, "harness.role": role},
                cpuset_cpus=",".join(map(str, cpus)),
                **{"log_config": self._log, **options},
            )

    def _ports(self, spec: DeploymentSpec) -> Sequence[int]:
        if spec.port is not None:
            return (spec.port,)
        count = 1 + len(spec.beside)
        return free_ports(count) if spec.network == "host" else range(CONTAINER_PORT, CONTAINER_PORT + count)

    def _route(self, spec: DeploymentSpec, port: int) -> NetworkRoute:
        joins = needs_own_network(spec.network) or bool(self._services)
        return NetworkRoute(
            path=spec.network,
            address=spec.address if spec.network == "remote" else None,
            port=port,
            scheme="https" if spec.tls else "http",
            own_network=self._network.name if joins else None,
            services=self._services,
        )
