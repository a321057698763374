"""Stand-ins for the outside world that record what was asked of them and fail on request."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from harness.adapters.several_processes import Together, first_of
from harness.deployment import DeploymentSpec, DeploymentState, MemorySnapshot, ResourceReading
from harness.errors import BuildFailed, DeploymentDied, GeneratorFailed, NoAnswer
from harness.target import ServiceLife, Target

MIB = 1 << 20


class FakeClock:
    """A `Clock` whose time passes only when someone sleeps."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self.now_s = now_s
        self.slept_s: list[float] = []

    def monotonic(self) -> float:
        return self.now_s

    def suspended_s(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds


class Faults:
    """What goes wrong at which step, and when.

    A single exception strikes every time; of a sequence, the nth entry strikes the nth time (None: all
    is well). Steps of the fakes here: build, start, reading, memory, state, stop, companion, send,
    receive, close.
    """

    def __init__(self, **steps: BaseException | Sequence[BaseException | None]) -> None:
        self._steps = steps
        self._reached: Counter[str] = Counter()

    def strike(self, step: str) -> None:
        """Called by a fake at each step."""
        nth = self._reached[step]
        self._reached[step] += 1
        planned = self._steps.get(step, ())
        if isinstance(planned, BaseException):
            raise planned
        if nth < len(planned) and (fault := planned[nth]) is not None:
            raise fault


class EndedError(Exception):
    """Raised by the script of a FakeChannel: the companion process ends here."""


class FakeChannel:
    """A `Channel` to a scripted companion.

    `answer` takes each line sent and gives the lines that come back; it may raise EndedError. A wait for a
    line that never comes takes its whole time-out, on the fake clock.
    """

    def __init__(
        self,
        answer: Callable[[str], Iterable[str]],
        *,
        clock: FakeClock | None = None,
        faults: Faults | None = None,
        greeting: Iterable[str] = (),
    ) -> None:
        self._answer = answer
        self._clock = clock or FakeClock()
        self._faults = faults or Faults()
        self._waiting = deque(greeting)
        self._ended = False
        self.sent: list[str] = []

    def send(self, line: str) -> None:
        self._faults.strike("send")
        if self._ended:
            raise GeneratorFailed("the fake companion ended")
        self.sent.append(line)
        try:
            self._waiting.extend(self._answer(line))
        except EndedError:
            self._ended = True

    def receive(self, timeout_s: float) -> str:
        self._faults.strike("receive")
        if self._waiting:
            return self._waiting.popleft()
        if self._ended:
            raise GeneratorFailed("the fake companion ended")
        self._clock.sleep(timeout_s)
        raise NoAnswer(f"the fake companion gave no answer within {timeout_s:g} s")


class FakeDeployment:
    """A `Deployment` that uses half a core, or as much as it is told, and 50 MiB for as long as it runs."""

    CORES = 0.5

    def __init__(self, spec: DeploymentSpec, *, clock: FakeClock, faults: Faults, port: int = 8000) -> None:
        self.spec, self.name = spec, spec.name
        self.base_url = f"http://127.0.0.1:{port}"
        self.remote = False
        self._clock, self._faults = clock, faults
        self._cores, self._cpu_s, self._since_s = self.CORES, 0.0, clock.monotonic()
        self._spans: list[tuple[float, float, float]] = []
        self._state = DeploymentState(running=True)
        self.oom_kills = 0
        self.overflows: int | None = 0
        self._log = [f"{spec.name} listens on {port}"]

    def reading(self) -> ResourceReading:
        self._faults.strike("reading")
        self._must_run()
        now_s = self._clock.monotonic()
        return ResourceReading(
            at_s=now_s,
            cpu_s=self._cpu_s + self._cores * (now_s - self._since_s) + self._in_spans_s(now_s),
            throttled_s=0.0,
            working_set_bytes=50 * MIB,
            oom_kills=self.oom_kills,
            steal_s=0.0,
        )

    def memory(self) -> MemorySnapshot | None:
        self._faults.strike("memory")
        self._must_run()
        return MemorySnapshot(processes=1, rss_bytes=60 * MIB, pss_bytes=50 * MIB, uss_bytes=45 * MIB)

    def listen_overflows(self) -> int | None:
        return self.overflows

    def state(self) -> DeploymentState:
        self._faults.strike("state")
        return self._state

    def log(self) -> str:
        return "\n".join(self._log)

    def work(self, cores: float) -> None:
        """From now on it uses so many cores."""
        now_s = self._clock.monotonic()
        self._cpu_s, self._since_s = self._cpu_s + self._cores * (now_s - self._since_s), now_s
        self._cores = cores

    def work_in(self, spans_s: Iterable[tuple[float, float]], cores: float) -> None:
        """It uses so many cores in these spans of the clock, next to what it uses anyway."""
        self._spans += [(start_s, end_s, cores) for start_s, end_s in spans_s]

    def _in_spans_s(self, now_s: float) -> float:
        return sum(cores * max(0.0, min(end_s, now_s) - start_s) for start_s, end_s, cores in self._spans)

    def say(self, line: str) -> None:
        """Have the server write a line to its log."""
        self._log.append(line)

    def die(self, exit_code: int = 137, *, oom_killed: bool = False) -> None:
        """Have the server end; a second end changes nothing."""
        if self._state.running:
            self._state = DeploymentState(running=False, exit_code=exit_code, oom_killed=oom_killed)

    def _must_run(self) -> None:
        if not self._state.running:
            raise DeploymentDied(f"{self.spec.name}: the server ended (exit code {self._state.exit_code})")


def silence(_deployment: FakeDeployment, _line: str) -> Iterable[str]:
    """A companion that never answers."""
    return ()


class FakeEngine:
    """An `Engine` that keeps the story of what happened, such as ["build a", "start a.w1", "stop a.w1"].

    `answer` plays the companion: it gets the deployment next to it and each line sent. Without `recipes`
    every recipe builds.
    """

    name = "fake"

    def __init__(
        self,
        *,
        clock: FakeClock | None = None,
        recipes: Sequence[str] | None = None,
        answer: Callable[[FakeDeployment, str], Iterable[str]] = silence,
        greeting: Iterable[str] = (),
        faults: Faults | None = None,
    ) -> None:
        self.clock = clock or FakeClock()
        self.story: list[str] = []
        self.standing: list[FakeDeployment] = []
        self.channels: list[FakeChannel] = []
        self._recipes, self._answer, self._greeting = recipes, answer, tuple(greeting)
        self._faults = faults or Faults()
        self._ports = iter(range(8000, 9000))

    def describe(self) -> Mapping[str, str]:
        return {"engine": self.name}

    @contextmanager
    def services(self, target: Target | None, *, life: ServiceLife, **_: object) -> Iterator[None]:
        wanted = [service.name for service in target.services if service.life == life] if target else []
        for name in wanted:
            self._step("service", name)
        yield
        for name in reversed(wanted):
            self._step("service ends", name)

    def build(self, recipe: str, target: Target | None = None) -> str:
        self._step("build", recipe)
        if self._recipes is not None and recipe not in self._recipes:
            raise BuildFailed(recipe, f"no such recipe; there are {', '.join(self._recipes)}")
        return f"image-of-{recipe}"

    @contextmanager
    def running(self, spec: DeploymentSpec) -> Iterator[FakeDeployment | Together[FakeDeployment]]:
        with ExitStack() as stack:
            first = stack.enter_context(self._served(spec))
            beside = {
                process.name: stack.enter_context(self._served(replace(spec, name=process.name)))
                for process in spec.beside
            }
            yield Together(first, beside) if beside else first

    @contextmanager
    def _served(self, spec: DeploymentSpec) -> Iterator[FakeDeployment]:
        self._step("start", spec.name)
        deployment = FakeDeployment(spec, clock=self.clock, faults=self._faults, port=next(self._ports))
        self.standing.append(deployment)
        try:
            yield deployment
        finally:
            deployment.die(0)
            self.standing.remove(deployment)
            self._step("stop", spec.name)

    @contextmanager
    def companion(
        self, beside: object, *, image: str, argv: tuple[str, ...], cpus: tuple[int, ...]
    ) -> Iterator[FakeChannel]:
        server = first_of(beside)
        if not isinstance(server, FakeDeployment):
            raise TypeError(f"a fake companion stands next to a fake deployment, not {beside!r}")
        self._step("companion", server.spec.name)
        channel = FakeChannel(
            lambda line: self._answer(server, line),
            clock=self.clock,
            faults=self._faults,
            greeting=self._greeting,
        )
        self.channels.append(channel)
        yield channel

    def close(self) -> None:
        self._step("close")

    def _step(self, step: str, what: str = "") -> None:
        self.story.append(f"{step} {what}".strip())
        self._faults.strike(step)
