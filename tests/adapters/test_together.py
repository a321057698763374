from __future__ import annotations

from harness.adapters.several_processes import Together, first_of
from harness.deployment import DeploymentSpec, DeploymentState, MemorySnapshot
from tests.fakes import MIB, FakeClock, FakeDeployment, Faults


class Unreadable(FakeDeployment):
    def memory(self) -> MemorySnapshot | None:
        return None


def part(name: str, clock: FakeClock, kind: type[FakeDeployment] = FakeDeployment) -> FakeDeployment:
    spec = DeploymentSpec(name=name, image="i", argv=("serve",), env={}, cpus=(0,))
    return kind(spec, clock=clock, faults=Faults())


def test_what_is_used_is_the_sum_over_all() -> None:
    clock = FakeClock()
    together = Together(part("a", clock), {"b": part("b", clock), "c": part("c", clock)})
    clock.sleep(4.0)
    reading, memory = together.reading(), together.memory()
    assert reading.cpu_s == 3 * FakeDeployment.CORES * 4.0
    assert reading.working_set_bytes == 150 * MIB
    assert reading.at_s == clock.monotonic()
    assert memory == MemorySnapshot(
        processes=3, rss_bytes=180 * MIB, pss_bytes=150 * MIB, uss_bytes=135 * MIB
    )


def test_memory_that_cannot_be_read_of_one_is_not_known_of_all() -> None:
    clock = FakeClock()
    assert Together(part("a", clock), {"b": part("b", clock, Unreadable)}).memory() is None


def test_one_that_is_out_of_memory_makes_the_deployment_so() -> None:
    clock = FakeClock()
    dead = part("b", clock)
    together = Together(part("a", clock), {"b": dead})
    assert together.state() == DeploymentState(running=True)
    dead.die(137, oom_killed=True)
    assert together.state() == DeploymentState(running=False, exit_code=137, oom_killed=True)


def test_the_load_goes_to_the_first() -> None:
    clock = FakeClock()
    first = part("a", clock)
    together = Together(first, {"b": part("b", clock)})
    assert (together.name, together.base_url) == (first.name, first.base_url)
    assert first_of(together) is first_of(first) is first
    assert together.log() == "front | a listens on 8000\nb | b listens on 8000"
