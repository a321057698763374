from pathlib import PurePosixPath

import pytest

from harness.errors import EnvironmentProblem
from harness.measurement.cgroup import V1_FILES, V2_FILES, locate, reading_v1, reading_v2

V1 = {
    "cpuacct/cpuacct.usage": "39299774000\n",
    "cpu/cpu.stat": "nr_periods 40\nnr_throttled 7\nthrottled_time 250000000\nnr_bursts 0\nburst_time 0\n",
    "memory/memory.usage_in_bytes": "14102528\n",
    "memory/memory.stat": "inactive_file 1\ntotal_cache 10878976\ntotal_inactive_file 8929280\n",
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
}
V2 = {
    "cpu.stat": "usage_usec 1500000\nuser_usec 1\nnr_periods 9\nnr_throttled 4\nthrottled_usec 30000\n",
    "memory.current": "14102528\n",
    "memory.stat": "anon 2822144\ninactive_anon 5\ninactive_file 8929280\nactive_file 7\n",
    "memory.events": "low 0\nhigh 0\nmax 0\noom 2\noom_kill 1\noom_group_kill 0\n",
}


def test_v1_reads_nanoseconds_and_the_hierarchical_inactive_file() -> None:
    reading = reading_v1(V1, at_s=5.0, steal_s=0.25)
    assert (reading.cpu_s, reading.throttled_s) == (39.299774, 0.25)
    assert (reading.periods, reading.throttled_periods) == (40, 7)
    assert reading.working_set_bytes == 14102528 - 8929280
    assert (reading.oom_kills, reading.at_s, reading.steal_s) == (3, 5.0, 0.25)


def test_v2_reads_microseconds() -> None:
    reading = reading_v2(V2, at_s=5.0, steal_s=0.25)
    assert (reading.cpu_s, reading.throttled_s) == (1.5, 0.03)
    assert (reading.periods, reading.throttled_periods) == (9, 4)
    assert reading.working_set_bytes == 14102528 - 8929280
    assert (reading.oom_kills, reading.at_s, reading.steal_s) == (1, 5.0, 0.25)


def test_the_samples_hold_the_files_that_are_promised() -> None:
    assert (tuple(V1), tuple(V2)) == (V1_FILES, V2_FILES)


def test_a_cache_dropped_between_two_files_is_no_negative_memory() -> None:
    assert reading_v2({**V2, "memory.current": "4096"}, at_s=0, steal_s=0).working_set_bytes == 0


def test_without_bandwidth_control_nothing_throttles() -> None:
    assert reading_v2({**V2, "cpu.stat": "usage_usec 10\n"}, at_s=0, steal_s=0).throttled_s == 0
    assert reading_v1({**V1, "cpu/cpu.stat": "nr_periods 0\n"}, at_s=0, steal_s=0).throttled_s == 0


@pytest.mark.parametrize("name", V1_FILES)
def test_a_missing_v1_file_is_named(name: str) -> None:
    with pytest.raises(EnvironmentProblem, match=name):
        reading_v1({key: text for key, text in V1.items() if key != name}, at_s=0, steal_s=0)


@pytest.mark.parametrize("name", V2_FILES)
def test_an_empty_v2_file_is_named(name: str) -> None:
    with pytest.raises(EnvironmentProblem, match=name):
        reading_v2({**V2, name: ""}, at_s=0, steal_s=0)


HYBRID_MOUNTS = """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
HYBRID_MEMBERSHIP = (
    "9:name=systemd:/docker/d5\n4:memory:/docker/d5\n2:cpuacct:/docker/d5\n1:cpu:/docker/d5\n0::/docker/d5\n"
)
V2_MOUNTS = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"


def test_a_hybrid_host_is_read_through_v1() -> None:
    location = locate(HYBRID_MEMBERSHIP, HYBRID_MOUNTS)
    assert location.version == 1
    assert location.files["cpuacct/cpuacct.usage"] == PurePosixPath(
        "/sys/fs/cgroup/cpuacct/docker/d5/cpuacct.usage"
    )
    assert location.procs == PurePosixPath("/sys/fs/cgroup/memory/docker/d5/cgroup.procs")
    assert tuple(location.files) == V1_FILES


def test_controllers_that_share_a_mount_are_found() -> None:
    mounts = HYBRID_MOUNTS.replace("/cpuacct rw", "/cpu,cpuacct rw").replace("rw,cpuacct", "rw,cpu,cpuacct")
    location = locate("5:cpu,cpuacct:/docker/d5\n4:memory:/docker/d5\n", mounts)
    assert (
        location.files["cpuacct/cpuacct.usage"].as_posix()
        == "/sys/fs/cgroup/cpu,cpuacct/docker/d5/cpuacct.usage"
    )


def test_v2_with_the_systemd_driver() -> None:
    location = locate("0::/system.slice/docker-d5.scope\n", V2_MOUNTS)
    assert location.version == 2
    assert (
        location.files["memory.current"].as_posix()
        == "/sys/fs/cgroup/system.slice/docker-d5.scope/memory.current"
    )
    assert tuple(location.files) == V2_FILES


def test_a_mount_that_shows_a_part_of_the_tree() -> None:
    mounts = V2_MOUNTS.replace(" / /sys", " /lxc/a /sys")
    assert locate("0::/lxc/a/docker/d5\n", mounts).procs.as_posix() == "/sys/fs/cgroup/docker/d5/cgroup.procs"


@pytest.mark.parametrize("membership", ["0::/\n", "4:memory:/docker/d5\n2:cpuacct:/\n1:cpu:/docker/d5\n"])
def test_the_root_cgroup_is_refused_because_it_counts_the_whole_machine(membership: str) -> None:
    mounts = V2_MOUNTS if membership.startswith("0::") else HYBRID_MOUNTS
    with pytest.raises(EnvironmentProblem, match="whole machine"):
        locate(membership, mounts)


@pytest.mark.parametrize(
    ("membership", "mounts"),
    [
        ("0::/../docker-d5.scope\n", V2_MOUNTS),
        ("0::/docker/d5\n", ""),
        ("0::/docker/d5\n", V2_MOUNTS.replace(" / /sys", " /lxc/a /sys")),
        ("4:memory:/docker/d5\n", HYBRID_MOUNTS),
    ],
)
def test_a_cgroup_that_cannot_be_seen_is_an_error(membership: str, mounts: str) -> None:
    with pytest.raises(EnvironmentProblem, match=r"under any cgroup mount|turn that controller on"):
        locate(membership, mounts)
