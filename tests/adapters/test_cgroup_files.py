import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from harness.adapters import proc
from harness.adapters.cgroup_files import CgroupFiles
from harness.adapters.docker_build import base_image
from harness.adapters.docker_client import connect
from harness.errors import DeploymentDied
from harness.measurement.cgroup import Location

MIB = 2**20

V2_TEXTS = {
    "cpu.stat": "usage_usec 2500000\nthrottled_usec 0\n",
    "memory.current": "1000\n",
    "memory.stat": "inactive_file 400\n",
    "memory.events": "oom_kill 0\n",
    "cgroup.procs": "41\n42\n",
}


@pytest.fixture
def v2_files(tmp_path: Path) -> CgroupFiles:
    directory = tmp_path / "docker-d5.scope"
    directory.mkdir()
    for name, text in V2_TEXTS.items():
        (directory / name).write_text(text)
    files = {name: PurePosixPath(directory / name) for name in V2_TEXTS if name != "cgroup.procs"}
    location = Location(version=2, files=files, procs=PurePosixPath(directory / "cgroup.procs"))
    return CgroupFiles(location, (0,))


def test_v2_files_are_read_as_v2(v2_files: CgroupFiles) -> None:
    reading = v2_files.reading()
    assert (reading.cpu_s, reading.working_set_bytes) == (2.5, 600)
    assert v2_files.pids() == (41, 42)


def test_files_are_read_anew_each_time(v2_files: CgroupFiles) -> None:
    first = v2_files.reading()
    Path(v2_files.location.files["cpu.stat"]).write_text("usage_usec 3500000\n")
    assert v2_files.reading().cpu_s - first.cpu_s == pytest.approx(1.0)


def test_a_cgroup_that_is_gone_means_that_the_deployment_died(v2_files: CgroupFiles) -> None:
    shutil.rmtree(Path(v2_files.location.procs).parent)
    with pytest.raises(DeploymentDied, match=r"docker-d5\.scope is gone"):
        v2_files.reading()
    with pytest.raises(DeploymentDied, match=r"docker-d5\.scope is gone"):
        v2_files.pids()


def test_other_faults_are_not_taken_for_a_death(v2_files: CgroupFiles) -> None:
    file = Path(v2_files.location.files["cpu.stat"])
    file.unlink()
    file.mkdir()
    with pytest.raises(IsADirectoryError):
        v2_files.reading()


def test_a_process_that_ended() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    with pytest.raises(DeploymentDied, match=f"process {ended.pid} ended"):
        CgroupFiles.of_pid(ended.pid, cpus=(0,))


@pytest.fixture(scope="module")
def image(docker_here: None) -> Iterator[str]:
    client = connect()
    yield base_image(client, None)[1]
    client.close()


@contextmanager
def container(image: str, program: str, *options: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Host pid of a container that runs a Python program, and the line of JSON that it printed."""
    run = ("docker", "run", "--detach", "--network", "none", *options, image, "python3", "-c", program)
    name = subprocess.run(run, check=True, capture_output=True, text=True).stdout.strip()
    try:
        # The line is printed once the program has done its work, so waiting for it needs no sleep.
        with subprocess.Popen(
            ("docker", "logs", "--follow", name), stdout=subprocess.PIPE, text=True
        ) as logs:
            assert logs.stdout is not None
            told = json.loads(logs.stdout.readline())
            logs.terminate()
        inspect = ("docker", "inspect", "--format", "{{.State.Pid}}", name)
        yield int(subprocess.run(inspect, check=True, capture_output=True, text=True).stdout), told
    finally:
        subprocess.run(("docker", "rm", "--force", name), check=True, capture_output=True)


BURN = """
import json, os, time
while time.process_time() < {cpu_s}: pass
kept = bytearray(os.urandom({kept_bytes}))
child = os.fork()
if child: print(json.dumps(dict(cpu_s=time.process_time())), flush=True)
time.sleep(600)
"""


@pytest.mark.engine
def test_a_real_container_is_read_as_it_sees_itself(image: str) -> None:
    cpus = sorted(os.sched_getaffinity(0))
    program = BURN.format(cpu_s=0.5, kept_bytes=64 * MIB)
    with container(image, program, "--cpuset-cpus", str(cpus[-1])) as (pid, told):
        files = CgroupFiles.of_pid(pid, cpus=cpus)
        reading, pids = files.reading(), files.pids()
        snapshot = proc.memory(pids)
        assert reading.cpu_s == pytest.approx(told["cpu_s"], abs=0.2)
        assert reading.throttled_s == 0
        assert reading.oom_kills == 0
        assert 64 * MIB < reading.working_set_bytes < 128 * MIB
        assert pid in pids
        assert len(pids) == 2
        assert snapshot is not None
        assert snapshot.processes == 2
        # The forked child shares the parent's 64 MiB: once in PSS, twice in RSS, never in USS.
        assert snapshot.rss_bytes > 128 * MIB
        assert 64 * MIB < snapshot.pss_bytes < 100 * MIB
        assert snapshot.uss_bytes < 40 * MIB
    with pytest.raises(DeploymentDied):
        files.reading()


@pytest.mark.engine
def test_throttling_under_a_quota_is_read(image: str) -> None:
    with container(image, BURN.format(cpu_s=0.1, kept_bytes=1), "--cpus", "0.05") as (pid, told):
        assert CgroupFiles.of_pid(pid, cpus=(0,)).reading().throttled_s > told["cpu_s"]


HOG = """
import json, os, time
child = os.fork()
if not child:
    kept = bytearray(os.urandom(256 * 2**20))
    time.sleep(600)
_, status = os.waitpid(child, 0)
print(json.dumps(dict(killed_by=status)), flush=True)
time.sleep(600)
"""


@pytest.mark.engine
def test_an_oom_kill_of_a_child_is_read_while_the_container_lives_on(image: str) -> None:
    with container(image, HOG, "--memory", "64m", "--memory-swap", "64m") as (pid, told):
        assert told == {"killed_by": 9}
        assert CgroupFiles.of_pid(pid, cpus=(0,)).reading().oom_kills >= 1
