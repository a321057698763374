"""Equipment without containers: scripted servers, and a container that writes down what is done to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import Signals
from typing import Any

from studies.lifecycle.raw_client import RawClient
from tests.adapters.containers import eventually
from tests.scenarios.scripted_server import Script, ScriptedServer


class FakeContainer:
    """Takes everything that is done to it, and can tell the scenario afterwards."""

    name = "fake"

    def __init__(self, runtime_dir: Path, requests: Callable[[], int], exit_code: int = 0) -> None:
        self.runtime_dir = runtime_dir
        self._requests, self._exit_code = requests, exit_code
        self.story: list[tuple[str, int]] = []
        """What was done, and how many requests had been sent by then."""

    def stop(self, grace_s: float) -> float:
        self._tell("stop")
        return 0.5

    def send_signal(self, number: Signals) -> None:
        self._tell(number.name)

    def signal_process(self, pid: int, number: Signals) -> None:
        self._tell(f"{number.name} to {pid}")

    def exit_code(self) -> int:
        return self._exit_code

    def _tell(self, what: str) -> None:
        self.story.append((what, self._requests()))


class CountingClient(RawClient):
    sent_so_far = 0

    def send(self, *args: Any, **options: Any) -> None:
        super().send(*args, **options)
        self.sent_so_far += 1


class FakeServer:
    def __init__(self, scripted: ScriptedServer, container: FakeContainer, events: list[str]) -> None:
        self.container, self._events, self._scripted = container, events, scripted
        self.client = CountingClient(int(scripted.base_url.rpartition(":")[2]))

    def workers(self) -> frozenset[int]:
        return frozenset({8, 9})

    def wait_in_flight(self, requests: int) -> None:
        """A scripted server answers at once: what is waited for is that all sent so far have arrived."""
        sent = max(requests, self.client.sent_so_far)
        assert eventually(lambda: len(self._scripted.ids) >= sent)

    def replaced(self, pids: Any) -> bool:
        return True

    def lifespan(self) -> list[dict[str, Any]]:
        return [{"event": event} for event in self._events]


class FakeRig:
    """Every server it gives answers as `script` says; `containers` are those it gave."""

    def __init__(self, runtime_dir: Path, script: Script, *, repeats: int, events: list[str]) -> None:
        self.repeats, self._runtime_dir, self._script, self._events = repeats, runtime_dir, script, events
        self.containers: list[FakeContainer] = []

    @contextmanager
    def server(self, variant: object, **_: Any) -> Iterator[FakeServer]:
        with ScriptedServer(self._script) as scripted:
            container = FakeContainer(self._runtime_dir, lambda: len(scripted.ids))
            self.containers.append(container)
            yield FakeServer(scripted, container, self._events)

    def repeated(self, scenario: Callable[[], Any], *, times: int, side_by_side: int = 1) -> list[Any]:
        return [scenario() for _ in range(times)]
