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


THREADS_APART = [frozenset({cpu % 4, cpu % 4 + 4}) for cpu in range(8)]
"""Four cores of two threads, numbered as most machines do: 0 and 4 are one core."""


@pytest.mark.parametrize(
    ("siblings", "generator"),
    [
        (THREADS_APART, (0, 4)),
        ([frozenset({cpu // 2 * 2, cpu // 2 * 2 + 1}) for cpu in range(8)], (0, 1)),
        ([frozenset(range(8))] * 8, (0, 1)),
        ([frozenset({cpu}) for cpu in range(8)], (0, 1)),
        ([frozenset(range(4))] * 4 + [frozenset(range(4, 8))] * 4, (0, 1, 2, 3)),
    ],
)
def test_server_and_generator_share_no_core_where_there_are_two(
    siblings: list[frozenset[int]], generator: tuple[int, ...]
) -> None:
    server, got = host.split_cpus(range(8), siblings)
    assert got == generator
    assert sorted((*server, *got)) == list(range(8))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("count", [2, 4, 16, 64, 128, 192])
def test_machines_of_every_size_are_divided_by_whole_cores(count: int, threads: int) -> None:
    cores = count // threads
    siblings = [frozenset(range(cpu % cores, count, cores)) for cpu in range(count)]
    server, generator = host.split_cpus(range(count), siblings)
    assert len(generator) == max(1, count // 4) if cores > 1 and count >= 4 * threads else len(generator) >= 1
    if cores > 1:
        assert not {siblings[cpu] for cpu in server} & {siblings[cpu] for cpu in generator}


def test_a_list_of_cpus_is_read_as_the_kernel_writes_it() -> None:
    assert host.cpu_list("0") == {0}
    assert host.cpu_list("0-2,64,70-71") == {0, 1, 2, 64, 70, 71}


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
