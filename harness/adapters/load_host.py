"""Load from other machines: agents in containers of their Docker engines, their clocks related to ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from docker.errors import DockerException, ImageNotFound

from harness.adapters import ownership
from harness.adapters.docker_channel import DockerChannel, attached
from harness.adapters.docker_client import CONNECTION_LOST, client_at
from harness.adapters.docker_containers import companion_options
from harness.adapters.host import cpu_list
from harness.adapters.load_agent import Agent
from harness.adapters.load_process import NOTHING, AgentGenerator
from harness.errors import ConfigurationError, EnvironmentProblem, GeneratorFailed
from harness.planning.commands import GENERATOR_ARGV
from harness.ports import Deployment, Generator, LoadGenerator

TIMEOUT_S = 10
"""Of one request to such an engine: one that is cut off must not hold up the run."""
_ERRORS = (DockerException, *CONNECTION_LOST, OSError)


@dataclass(frozen=True, slots=True)
class LoadPlace:
    """What `--load-context` names: a Docker context or an engine's address, and CPUs of that machine."""

    where: str
    cpus: tuple[int, ...] = ()
    """Empty: all of them."""

    @classmethod
    def parse(cls, text: str) -> LoadPlace:
        """ "build-2", "ssh://root@10.0.0.2=0-3". Raises ConfigurationError."""
        where, separator, cpus = text.rpartition("=")
        if not separator:
            return cls(text)
        try:
            return cls(where, tuple(sorted(cpu_list(cpus))))
        except ValueError:
            raise ConfigurationError(
                "--load-context", [f"{text!r}: {cpus!r} is no list of CPUs, such as 0-3,8"]
            ) from None


class LoadHost:
    """One other machine. What is started there ends with its connection to us, and its engine removes it."""

    def __init__(self, place: LoadPlace, labels: Mapping[str, str]) -> None:
        """Raises EnvironmentProblem where its engine does not answer or lacks those CPUs."""
        self.name, self._labels = place.where, labels
        self._image = ""
        try:
            self._client = client_at(place.where, timeout_s=TIMEOUT_S)
            info = self._client.info()
        except _ERRORS as error:
            raise EnvironmentProblem(
                f"--load-context {place.where}: no Docker engine answers there ({error}).\n"
                f"Fix: see `docker context ls`, and start the engine on that machine"
            ) from error
        count = int(info["NCPU"])
        self.cpus = place.cpus or tuple(range(count))
        if beyond := [cpu for cpu in self.cpus if cpu >= count]:
            raise EnvironmentProblem(
                f"--load-context {place.where}: it has {count} CPUs, 0 to {count - 1}, and no CPU {beyond[0]}"
            )
        self._info = info
        self.clock_error_s = 0.0
        """How well its clock is known, at most: the worst that was seen so far."""

    @property
    def facts(self) -> dict[str, Any]:
        """For the run's manifest."""
        return {
            "where": self.name,
            "host": self._info["Name"],
            "kernel": self._info["KernelVersion"],
            "engine_version": self._info["ServerVersion"],
            "cpus": ", ".join(map(str, self.cpus)),
            "clock_error_ms": round(self.clock_error_s * 1000, 3),
        }

    def take(self, image: str, saved: Callable[[str], Iterator[bytes]]) -> None:
        """Have the load generator's image there, as `saved` gives it. Raises EnvironmentProblem."""
        try:
            with suppress(ImageNotFound):
                self._image = str(self._client.images.get(image).id)
                return
            # Sent as it comes: requests takes an iterator of bytes, which the SDK's types do not say.
            content: Any = saved(image)
            (loaded, *_) = self._client.images.load(content)
            self._image = str(loaded.id)
        except _ERRORS as error:
            raise EnvironmentProblem(
                f"--load-context {self.name}: it did not take the image: {error}"
            ) from error

    @contextmanager
    def agent(self, cpu: int) -> Iterator[DockerChannel]:
        """A load agent on one of its CPUs. Raises GeneratorFailed."""
        try:
            container = self._client.containers.create(
                self._image,
                **companion_options(GENERATOR_ARGV),
                labels={**self._labels, "harness.role": "generator"},
                cpuset_cpus=str(cpu),
                network_mode="host",
                auto_remove=True,
            )
            stream = attached(self._client, container)
        except _ERRORS as error:
            raise GeneratorFailed(
                f"load host {self.name}: no agent could be started there ({error})"
            ) from error
        try:
            with closing(stream):
                raw = getattr(stream, "_sock", stream)
                yield DockerChannel(f"on load host {self.name}", raw, lambda: "its connection broke")
        finally:
            # It ends with its stdin, and its engine removes it: one that is cut off can do so alone.
            with suppress(*_ERRORS):
                container.remove(v=True, force=True)

    def close(self) -> None:
        """Remove what an agent that was cut off has left."""
        with suppress(*_ERRORS):
            ownership.remove_owned(self._client, self._labels)
        self._client.close()


class RemoteLoadGenerator:
    """Agents of several load hosts together; structurally a `LoadGenerator`."""

    def __init__(
        self,
        hosts: Sequence[LoadHost],
        *,
        files: Mapping[str, bytes] = NOTHING,
        secrets: Mapping[str, str] = NOTHING,
    ) -> None:
        self._hosts, self._files, self._secrets = hosts, files, secrets

    @contextmanager
    def attached(self, deployment: Deployment) -> Iterator[AgentGenerator]:
        """One agent for each CPU of each host. Raises GeneratorFailed."""
        seats = [(host, cpu) for host in self._hosts for cpu in host.cpus]
        with ExitStack() as stack:
            agents = [Agent(stack.enter_context(host.agent(cpu))) for host, cpu in seats]
            generator = AgentGenerator(
                agents,
                deployment,
                # One core each: the same number on two hosts is not the same core.
                cpus=range(len(agents)),
                files=self._files,
                secrets=self._secrets,
                elsewhere=True,
            )
            yield generator
            for (host, _), clock in zip(seats, generator.clocks, strict=True):
                host.clock_error_s = max(host.clock_error_s, clock.error_s)


class ByPath:
    """From here or from the load hosts, as each deployment is reached; structurally a `LoadGenerator`."""

    def __init__(self, here: LoadGenerator, elsewhere: LoadGenerator) -> None:
        self._here, self._elsewhere = here, elsewhere

    def attached(self, deployment: Deployment) -> AbstractContextManager[Generator]:
        generators = self._elsewhere if deployment.remote else self._here
        return generators.attached(deployment)
