"""The observer's schedule, and what it does when a reading fails."""

import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.deployment import DeploymentState, MemorySnapshot, ResourceReading
from harness.errors import DeploymentDied, EngineUnavailable
from harness.execution.observer import Observer, next_tick

PATIENCE_S = 30.0
HOUR_S = 3600.0


class Server:
    """A deployment whose nth reading first calls `on_reading(n)`."""

    name = "tiny.w1.hello.00"
    base_url = "http://127.0.0.1:8000"

    def __init__(self, on_reading: Callable[[int], None] = lambda n: None) -> None:
        self._on_reading = on_reading
        self.count = 0

    def reading(self) -> ResourceReading:
        self.count += 1
        self._on_reading(self.count)
        return ResourceReading(
            at_s=float(self.count), cpu_s=0, throttled_s=0, working_set_bytes=0, oom_kills=0, steal_s=0
        )

    def memory(self) -> MemorySnapshot | None:
        return None

    def state(self) -> DeploymentState:
        return DeploymentState(running=True)

    def log(self) -> str:
        return ""


class Ticks:
    """The machine's own clock: only the order of events is asserted, never a duration."""

    def suspended_s(self) -> float:
        return 0.0

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def at(n: int, act: Callable[[], None]) -> tuple[Callable[[int], None], threading.Event]:
    """What a server does at its nth reading, and an event that says that it came."""
    came = threading.Event()

    def on_reading(count: int) -> None:
        if count == n:
            came.set()
            act()

    return on_reading, came


def fail(error: Exception) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


@pytest.mark.parametrize(
    ("tick", "elapsed_s", "next_one", "wait_s"),
    [(0, 0.0, 1, 1.0), (1, 1.25, 2, 0.75), (1, 0.75, 2, 1.25), (1, 2.0, 2, 0.0), (1, 3.5, 4, 0.5)],
    ids=["first", "after a reading", "woken early", "just due", "two left out"],
)
def test_readings_are_due_at_whole_periods(tick: int, elapsed_s: float, next_one: int, wait_s: float) -> None:
    assert next_tick(tick, elapsed_s, period_s=1.0) == (next_one, wait_s)


@given(st.integers(0, 10**6), st.floats(0, 10**6), st.floats(0.01, 100))
def test_the_schedule_moves_on_and_is_never_ahead_by_more_than_two_periods(
    tick: int, ahead_s: float, period_s: float
) -> None:
    elapsed_s = tick * period_s + ahead_s
    later, wait_s = next_tick(tick, elapsed_s, period_s=period_s)
    assert later > tick
    assert 0 <= wait_s <= 2 * period_s
    assert elapsed_s + wait_s == pytest.approx(max(later * period_s, elapsed_s))


def test_readings_reach_from_before_the_body_to_after_it() -> None:
    server = Server()
    with Observer(server, Ticks(), period_s=HOUR_S) as observer:
        assert [reading.at_s for reading in observer.readings] == [1.0]
    assert [reading.at_s for reading in observer.readings] == [1.0, 2.0]
    assert not observer.ended_early


def test_readings_go_on_meanwhile_and_stop_with_the_body() -> None:
    on_reading, came = at(4, lambda: None)
    server = Server(on_reading)
    with Observer(server, Ticks(), period_s=0.001) as observer:
        assert came.wait(PATIENCE_S)
    taken = server.count
    assert taken >= 5
    assert [reading.at_s for reading in observer.readings] == [float(n + 1) for n in range(taken)]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("observer")]


def test_a_deployment_that_ends_stops_the_observer_and_not_the_trial() -> None:
    on_reading, came = at(3, fail(DeploymentDied("container c is gone")))
    server = Server(on_reading)
    with Observer(server, Ticks(), period_s=0.001) as observer:
        assert came.wait(PATIENCE_S)
    assert observer.ended_early
    assert len(observer.readings) == 2
    assert server.count == 3


@pytest.mark.parametrize("n", [1, 2])
def test_a_deployment_may_be_gone_before_the_body_or_after_it(n: int) -> None:
    server = Server(at(n, fail(DeploymentDied("container c is gone")))[0])
    with Observer(server, Ticks(), period_s=HOUR_S) as observer:
        pass
    assert observer.ended_early
    assert (len(observer.readings), server.count) == (n - 1, n)


def test_any_other_failure_is_raised_on_the_way_out() -> None:
    on_reading, came = at(3, fail(EngineUnavailable("no engine answers")))
    reached = False
    with (
        pytest.raises(EngineUnavailable, match="no engine answers"),
        Observer(Server(on_reading), Ticks(), period_s=0.001),
    ):
        reached = came.wait(PATIENCE_S)
    assert reached


def test_a_failure_of_the_body_is_not_hidden_by_one_of_the_observer() -> None:
    on_reading, came = at(3, fail(EngineUnavailable("no engine answers")))

    def trial() -> None:
        with Observer(Server(on_reading), Ticks(), period_s=0.001):
            assert came.wait(PATIENCE_S)
            raise KeyError("the body's own")

    with pytest.raises(KeyError, match="the body's own") as caught:
        trial()
    assert "no engine answers" in caught.value.__notes__[0]
