"""Servers to stop, kill and reload, each in a container of its own, and a client to watch them."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from harness.adapters.controlled_container import RUNTIME_DIR, ControlledContainer, RestartPolicy
from harness.adapters.docker_engine import DockerEngine
from harness.deployment import DeploymentSpec
from harness.errors import NotReady, TrialError
from harness.model import Variant
from harness.planning.commands import server_argv, server_env
from harness.planning.example import EXAMPLE
from harness.recipes import RECIPES
from studies.lifecycle.raw_client import RawClient
from studies.lifecycle.repeats import Repeats
from wire.messages import PROBE_PATH

READY_S = 40.0
"""How long servers may take to start, several of them side by side on a small machine."""
POLL_S = 0.02
PROBE_S = 0.1
"""Between two probes, which cost the app some milliseconds each."""
SIDE_BY_SIDE = 4
EXAMPLE_ENV = {**EXAMPLE.env, "TARGET_RUNTIME_DIR": RUNTIME_DIR}
"""What the example app itself records lies next to the records of the wrapper."""
T = TypeVar("T")


def variant(target: str, **levels: Any) -> Variant:
    """The variant that a target such as "uvicorn-standard.w2" names, reached on the host's own loopback.

    The userland proxy of a published port would take connections that the server refuses.
    """
    recipe, _, workers = target.rpartition(".w")
    return Variant(recipe=recipe, workers=int(workers), network="host", **levels)


def seconds_until(happened: Callable[[], bool], within_s: float, *, every_s: float = POLL_S) -> float | None:
    """How long it took until something had happened; None when it has not within the bound."""
    started_s = time.monotonic()
    while not happened():
        if time.monotonic() - started_s > within_s:
            return None
        time.sleep(every_s)
    return time.monotonic() - started_s


@contextmanager
def runtime_directory() -> Iterator[Path]:
    """For one container that is controlled; removed with all that is in it."""
    with tempfile.TemporaryDirectory(prefix="harness-lifecycle-", ignore_cleanup_errors=True) as path:
        directory = Path(path)
        # The app runs as a user of the image.
        directory.chmod(0o777)
        yield directory


class FaultServer:
    """A container under test with a raw client of its own."""

    def __init__(self, container: ControlledContainer, workers: int) -> None:
        self.container, self._workers = container, workers
        self.client = RawClient(container.port)

    def ready(self) -> bool:
        """Whether the app serves now, as /health/ready says."""
        return self.client.look("/health/ready").ok

    def workers(self) -> frozenset[int]:
        """The pids of all workers that serve, in the container's numbers: started, not shut down, alive.

        Read from the outside: a worker that hangs need not answer, and one that serves is not disturbed.
        """
        events = {line["pid"]: line["event"] for line in self.lifespan()}
        return self.container.pids() & {pid for pid, event in events.items() if event == "startup"}

    def in_flight(self) -> int:
        """How many numbered requests the workers have in hand; 0 where none answers."""
        with suppress(TrialError):
            return sum(int(worker["in_flight"]) for worker in self._probed()["workers"])
        return 0

    def replaced(self, pids: Set[int]) -> bool:
        """Whether all workers serve, and none of `pids` lives."""
        return len(self.workers()) >= self._workers and not self.container.pids() & pids

    def busiest_worker(self) -> int:
        """The pid of the worker with the most numbered requests in hand."""
        return int(max(self._probed()["workers"], key=lambda worker: int(worker["in_flight"]))["pid"])

    def answering_worker(self) -> int:
        """The pid of the worker that takes the next request: one whose start is behind it."""
        return int(self._probed()["pid"])

    def wait_first_answer(self, timeout_s: float = READY_S) -> None:
        """Until one of its workers serves. Raises NotReady."""
        if seconds_until(self.ready, timeout_s) is None:
            raise NotReady(self.container.name, timeout_s, "no 200 from /health/ready")

    def wait_ready(self, timeout_s: float = READY_S) -> None:
        """Until it is ready and all its workers are seen. Raises NotReady, TrialError if it has ended."""
        if seconds_until(lambda: self._all_up() or not self.container.state().running, timeout_s) is None:
            raise NotReady(self.container.name, timeout_s, f"workers seen: {sorted(self.workers())}")
        if not self.container.state().running:
            raise TrialError(f"{self.container.name} ended. Its log:\n{self.container.log()}")

    def wait_in_flight(self, requests: int, timeout_s: float = 5.0) -> None:
        """Until the app has that many numbered requests in hand. Raises TrialError if it never has."""
        arrived_s = seconds_until(lambda: self.in_flight() >= requests, timeout_s, every_s=PROBE_S)
        if arrived_s is None:
            raise TrialError(
                f"{self.container.name}: of {requests} requests sent, {self.in_flight()} had arrived after "
                f"{timeout_s:g} s. The machine may be too busy: run this probe again."
            )

    def lifespan(self) -> list[dict[str, Any]]:
        """What was recorded of the workers' lifespans: events "startup" and "shutdown", with pid and time."""
        return self._recorded("lifespan.jsonl")

    def migrations(self) -> list[dict[str, Any]]:
        """What the example app recorded each time its migration ran."""
        return self._recorded("migrations.jsonl")

    def _recorded(self, name: str) -> list[dict[str, Any]]:
        record = self.container.runtime_dir / name
        return [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []

    def _all_up(self) -> bool:
        return self.ready() and len(self.workers()) >= self._workers

    def _probed(self) -> dict[str, Any]:
        """What the probe says, with one worker at least. Raises TrialError when none answers."""
        reply = self.client.look(PROBE_PATH)
        report: dict[str, Any] = reply.json() if reply.ok else {}
        if not report.get("workers"):
            raise TrialError(f"{self.container.name}: no worker answers the probe")
        return report


class FaultEquipment:
    """Starts servers on a Docker engine of this machine."""

    def __init__(
        self, engine: DockerEngine, *, repeats: int, cpus: tuple[int, ...], say: Callable[[str], None]
    ) -> None:
        """`repeats` is how often losses are counted; `cpus` are the cores that all servers share."""
        self.engine, self.repeats, self.cpus, self.say = engine, repeats, cpus, say
        self._images: dict[str, str] = {}
        self._building = Lock()
        self.repeats_made = Repeats()

    @property
    def few(self) -> int:
        """How often something is repeated that is timed and not counted."""
        return min(5, self.repeats)

    def image(self, recipe: str) -> str:
        """The image of a recipe, built when it is first asked for. Raises BuildFailed."""
        with self._building:
            if recipe not in self._images:
                self.say(f"building {recipe}")
                self._images[recipe] = self.engine.build(recipe)
            return self._images[recipe]

    @contextmanager
    def started(
        self,
        variant: Variant,
        *,
        argv: tuple[str, ...] | None = None,
        env: Mapping[str, str] | None = None,
        files: Mapping[str, str] | None = None,
        restart: RestartPolicy = "no",
        cpus: tuple[int, ...] | None = None,
    ) -> Iterator[FaultServer]:
        """A server that has just been started, removed on the way out, however that comes.

        `argv` stands in for the variant's own command, `env` comes on top of its own environment; `files` are
        texts by name, laid into its runtime directory beforehand.
        """
        with runtime_directory() as runtime_dir:
            for name, text in (files or {}).items():
                (runtime_dir / name).write_text(text)
            # What is no recipe is no app either, such as a dependency.
            app_env = server_env(variant, EXAMPLE, EXAMPLE_ENV) if variant.recipe in RECIPES else {}
            spec = DeploymentSpec(
                name=variant.id,
                image=self.image(variant.recipe),
                argv=argv or server_argv(variant, EXAMPLE),
                env={**app_env, **(env or {})},
                cpus=cpus or self.cpus,
                memory_mib=variant.memory_mib,
                network=variant.network,
                # What is to be seen of its end has been seen by then.
                stop_timeout_s=0,
            )
            with self.engine.controlled(spec, runtime_dir=runtime_dir, restart=restart) as container:
                yield FaultServer(container, variant.workers)

    @contextmanager
    def server(self, variant: Variant, **options: Any) -> Iterator[FaultServer]:
        """A server as `started` gives, ready and with all its workers."""
        with self.started(variant, **options) as server:
            server.wait_ready()
            yield server

    def repeated(self, scenario: Callable[[], T], *, times: int, side_by_side: int = SIDE_BY_SIDE) -> list[T]:
        """For what is counted, or waits on a clock. As `Repeats.of`."""
        return self.repeats_made.of(scenario, times=times, side_by_side=side_by_side)
