"""The embedded engine: the same server commands as local processes, pinned, in environments of their own.

It needs no Docker, and isolates less: results taken with it are never comparable with Docker's.
"""

from __future__ import annotations

import platform
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from harness.adapters.pipe_channel import PipeChannel
from harness.adapters.process_deployment import ProcessDeployment
from harness.adapters.process_group import ProcessGroup, Stream
from harness.adapters.process_refusals import refuse_what_needs_an_image, refuse_what_needs_containers
from harness.adapters.reaper import Reaper
from harness.adapters.several_processes import Together, first_of
from harness.adapters.system_programs import SYSTEM_PATH, provide_programs, tls_directory
from harness.adapters.virtual_env import target_env, virtual_env
from harness.deployment import (
    RUNTIME_DIR_VARIABLE,
    DeploymentSpec,
    ProcessSpec,
)
from harness.errors import EnvironmentProblem, VariantError
from harness.model import OWN_COMMAND
from harness.planning.example import is_example
from harness.recipes import lock_of
from harness.recipes.placeholders import filled
from harness.target import ServiceLife, Target, of_life

HOST = "127.0.0.1"
STOP_TIMEOUT_S = 2.0


class ProcessEngine:
    """Runs deployments and companions as local processes; structurally an `Engine`."""

    name = "process"

    def __init__(self, project: Path) -> None:
        """Raises EnvironmentProblem where there is no /proc to read resources from."""
        if sys.platform != "linux":
            raise EnvironmentProblem(
                f"the process engine needs Linux, and this is {sys.platform}. Run harness on the machine "
                f"that you deploy on, or one like it."
            )
        self._project = project
        self._groups: dict[int, ProcessGroup] = {}
        self._reaper = Reaper.start()

    def describe(self) -> Mapping[str, str]:
        return {
            "engine": self.name,
            "caution": "process engine: results are never comparable with Docker's",
            "isolation": "CPU affinity only",
            "kernel": platform.release(),
            "python": platform.python_version(),
        }

    def build(self, recipe: str, target: Target | None = None) -> str:
        """The path of a virtual environment. Raises BuildFailed, VariantError, AppImageFailed."""
        provide_programs(self._project, recipe)
        lock = recipe if recipe == OWN_COMMAND else lock_of(recipe)
        if target is None or is_example(target, self._project):
            return str(virtual_env(self._project, lock))
        return str(target_env(self._project, lock, target))

    @contextmanager
    def services(
        self,
        target: Target | None,
        *,
        image: str,  # noqa: ARG002  # as every engine
        env: Mapping[str, str],  # noqa: ARG002
        cpus: tuple[int, ...],  # noqa: ARG002
        life: ServiceLife,
    ) -> Iterator[None]:
        """None: a target that has some is refused. Raises VariantError."""
        if target is not None and of_life(target, life):
            refuse_what_needs_an_image(target)
        yield

    @contextmanager
    def running(self, spec: DeploymentSpec) -> Iterator[ProcessDeployment | Together[ProcessDeployment]]:
        """Raises VariantError for levels that only containers can give."""
        refuse_what_needs_containers(spec)
        with ExitStack() as stack:
            scratch = stack.enter_context(_scratch())
            (scratch / "runtime").mkdir()
            ports = [stack.enter_context(reserved_port()) for _ in range(1 + len(spec.beside))]
            main = ProcessSpec(name=spec.name, argv=spec.argv, env=spec.env)
            first, *others = [
                stack.enter_context(self._served(spec, process, ports, scratch))
                for process in (main, *spec.beside)
            ]
            beside = {process.name: part for process, part in zip(spec.beside, others, strict=True)}
            yield Together(first, beside) if beside else first

    @contextmanager
    def _served(
        self, spec: DeploymentSpec, process: ProcessSpec, ports: Sequence[int], scratch: Path
    ) -> Iterator[ProcessDeployment]:
        """One process tree of a deployment, its log in `scratch`."""
        env = {
            **process.env,
            # With the wrapper that servers import in place of the app.
            "PYTHONPATH": ":".join(
                filter(None, (process.env.get("PYTHONPATH"), str(self._project / "probe")))
            ),
            RUNTIME_DIR_VARIABLE: str(scratch / "runtime"),
        }
        image = process.image or spec.image
        # The name of a part such as nginx, which is found on this machine and started from our own files.
        part_of_ours = not Path(image).is_absolute()
        tls = str(tls_directory(self._project))
        path = scratch / f"{process.name}.log"
        with (
            path.open("wb") as log,
            self._group(
                sys.prefix if part_of_ours else image,
                tuple(filled(part, ports=ports, tls=tls) for part in process.argv),
                env={key: filled(value, ports=ports, tls=tls) for key, value in env.items()},
                home=scratch,
                cwd=Path(spec.cwd) if spec.cwd and not part_of_ours else self._project,
                cpus=spec.cpus,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            ) as group,
        ):
            scheme = "https" if spec.tls else "http"
            base_url = f"{scheme}://{HOST}:{ports[0]}"
            part = ProcessDeployment(process.name, group, base_url=base_url, cpus=spec.cpus, log=path)
            try:
                yield part
            finally:
                group.stop(spec.stop_timeout_s)
                part.keep_log()

    @contextmanager
    def companion(
        self, beside: object, *, image: str, argv: tuple[str, ...], cpus: tuple[int, ...]
    ) -> Iterator[PipeChannel]:
        """A process on this machine; it reaches the deployment over loopback."""
        server = first_of(beside)
        if not isinstance(server, ProcessDeployment):
            raise TypeError(f"a process companion stands next to a process deployment, not {beside!r}")
        server.include_steal_of(cpus)
        tls = server.base_url.startswith("https:")
        with (
            _scratch() as scratch,
            (scratch / "stderr").open("wb") as stderr,
            self._group(
                image,
                argv,
                # The only certificate that the load generator trusts, as in its image.
                env={"SSL_CERT_FILE": str(tls_directory(self._project) / "cert.pem")} if tls else {},
                home=scratch,
                cpus=cpus,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
            ) as group,
        ):
            channel = PipeChannel(
                " ".join(argv),
                stdin=group.stdin,
                stdout=group.stdout,
                stderr=scratch / "stderr",
                exit_code=group.exit_code,
            )
            try:
                yield channel
            finally:
                channel.close()

    def close(self) -> None:
        """Stop whatever still runs. May be called twice."""
        for group in tuple(self._groups.values()):
            group.stop(STOP_TIMEOUT_S)
        self._groups.clear()
        self._reaper.close()

    @contextmanager
    def _group(
        self,
        image: str,
        argv: tuple[str, ...],
        *,
        env: Mapping[str, str],
        home: Path,
        cpus: tuple[int, ...],
        cwd: Path | None = None,
        stdin: Stream,
        stdout: Stream,
        stderr: Stream,
    ) -> Iterator[ProcessGroup]:
        programs = Path(image) / "bin"
        if not (programs / argv[0]).exists():
            raise VariantError(
                f"{programs} has no program {argv[0]!r}. Add its package to the recipe's requirements."
            )
        group = ProcessGroup.start(
            (str(programs / argv[0]), *argv[1:]),
            cwd=cwd or self._project,
            # Nothing else of our own environment: it may hold secrets, and settings of libraries.
            env={
                "PATH": f"{programs}:{SYSTEM_PATH}",
                "HOME": str(home),
                "TMPDIR": str(home),
                "LANG": "C.UTF-8",
                **env,
            },
            cpus=cpus,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
        )
        self._groups[group.pid] = group
        try:
            self._reaper.adopt(group.pid)
            yield group
        finally:
            group.stop(STOP_TIMEOUT_S)
            # Not if `close` was quicker: then the reaper has gone as well.
            if self._groups.pop(group.pid, None):
                self._reaper.release(group.pid)


@contextmanager
def reserved_port() -> Iterator[int]:
    """A free port on 127.0.0.1 that the kernel hands to nobody else in the meantime.

    The socket is bound and never listens. With SO_REUSEADDR on both (servers set it), Linux lets a
    server listen on that port all the same, but gives it to no ephemeral bind or connection.
    """
    with socket.socket() as reservation:
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reservation.bind((HOST, 0))
        yield reservation.getsockname()[1]


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="harness-", ignore_cleanup_errors=True) as directory:
        yield Path(directory)
