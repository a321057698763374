import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.adapters import host


@pytest.mark.parametrize(
    ("cpus", "server", "generator"),
    [
        ((0,), (0,), (0,)),
        ((0, 1), (1,), (0,)),
        ((2, 5, 7), (5, 7), (2,)),
        (range(8), (2, 3, 4, 5, 6, 7), (0, 1)),
        (range(11), (2, 3, 4, 5, 6, 7, 8, 9, 10), (0, 1)),
    ],
)
def test_the_generator_gets_a_quarter(
    cpus: tuple[int, ...], server: tuple[int, ...], generator: tuple[int, ...]
) -> None:
    assert host.split_cpus(tuple(cpus)) == (server, generator)


@given(st.sets(st.integers(0, 1000), min_size=2))
def test_two_cores_or_more_are_divided_without_rest_or_overlap(cpus: set[int]) -> None:
    server, generator = host.split_cpus(sorted(cpus))
    assert sorted(server + generator) == sorted(cpus)
    assert server
    assert generator


def test_the_split_stays_within_the_affinity_of_this_process() -> None:
    server, generator = host.cpu_split()
    assert {*server, *generator} == os.sched_getaffinity(0)


def test_the_facts_of_this_machine(tmp_path: Path) -> None:
    facts = host.facts(tmp_path / "results" / "not-there-yet")
    assert facts["kernel"] == os.uname().release
    assert facts["boot_id"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert facts["cpus_affinity"] == len(os.sched_getaffinity(0))
    assert int(facts["memory_bytes"]) > 2**28
    assert int(facts["disk_free_bytes"]) > 0
    assert facts["cgroup"] in ("v1", "v2")
    assert all(value != "" for value in facts.values())


def test_what_the_kernel_does_not_tell_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Path.read_text

    def without_model(path: Path) -> str:
        if path.name == "scaling_governor":
            raise FileNotFoundError(path)
        return "processor : 0\n" if path.name == "cpuinfo" else read(path)

    monkeypatch.setattr(Path, "read_text", without_model)
    facts = host.facts(tmp_path)
    assert (facts["cpu_model"], facts["governor"]) == (host.NOT_EXPOSED, host.NOT_EXPOSED)
