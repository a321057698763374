import os
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from harness.adapters import proc
from harness.errors import DeploymentDied, EnvironmentProblem

FAMILY = """
import os, sys, time
{before}
middle = os.fork()
if not middle:
    if not os.fork():
        print(os.getppid(), os.getpid(), flush=True)
    time.sleep(600)
time.sleep(600)
"""


@pytest.fixture
def family(request: pytest.FixtureRequest) -> Iterator[tuple[subprocess.Popen[str], int, int]]:
    """A process, its child and its grandchild."""
    program = FAMILY.format(before=getattr(request, "param", ""))
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as root:
        assert root.stdout is not None
        child, grandchild = map(int, root.stdout.readline().split())
        yield root, child, grandchild
        for pid in (grandchild, child, root.pid):
            os.kill(pid, 9)


def test_a_tree_is_listed_from_its_root(family: tuple[subprocess.Popen[str], int, int]) -> None:
    root, child, grandchild = family
    assert proc.descendants(root.pid) == (root.pid, child, grandchild)
    assert proc.descendants(grandchild) == (grandchild,)


@pytest.mark.parametrize("family", [f"kept = os.urandom({64 * 2**20})"], indirect=True)
def test_memory_shared_in_a_tree_counts_once(family: tuple[subprocess.Popen[str], int, int]) -> None:
    snapshot = proc.memory(proc.descendants(family[0].pid))
    assert snapshot is not None
    assert snapshot.processes == 3
    assert snapshot.rss_bytes > 3 * 64 * 2**20
    assert 64 * 2**20 < snapshot.pss_bytes < 2 * 64 * 2**20
    assert proc.tree_reading(family[0].pid, cpus=(0,)).working_set_bytes == pytest.approx(
        snapshot.pss_bytes, rel=0.2
    )


def test_a_tree_is_charged_with_the_cpu_of_children_that_ended() -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    before = proc.tree_reading(os.getpid(), cpus=(0,))
    subprocess.run([sys.executable, "-c", burn], check=True)
    after = proc.tree_reading(os.getpid(), cpus=(0,))
    assert after.cpu_s - before.cpu_s >= 0.28
    assert before.at_s < after.at_s <= time.monotonic()
    assert (after.throttled_s, after.oom_kills) == (0.0, 0)


def test_less_than_a_clock_tick_is_seen_too() -> None:
    """Of idle neighbours, a tick of 10 ms would be a tenth of a slice in which they did nothing."""
    burn = """
import sys, time
for _ in sys.stdin:
    began_s = time.process_time()
    while time.process_time() < began_s + 0.002:
        pass
    print(flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        used_s = []
        for _ in range(5):
            before = proc.tree_reading(server.pid, cpus=(0,)).cpu_s
            server.stdin.write("go\n")
            server.stdin.flush()
            server.stdout.readline()
            used_s.append(proc.tree_reading(server.pid, cpus=(0,)).cpu_s - before)
        server.stdin.close()
    # The first time it has just started.
    assert min(used_s) >= 0.0019
    assert max(used_s[1:]) < 0.01


def test_an_ended_process_is_a_death_before_and_after_it_is_reaped() -> None:
    ended = subprocess.Popen(["true"])
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(DeploymentDied, match=f"process {ended.pid} ended"):
        proc.tree_reading(ended.pid, cpus=(0,))
    ended.wait()
    with pytest.raises(DeploymentDied, match=f"process {ended.pid} ended"):
        proc.descendants(ended.pid)


def test_ended_processes_hold_no_memory() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    snapshot = proc.memory([ended.pid, os.getpid()])
    assert snapshot is not None
    assert snapshot.processes == 1


def test_memory_that_may_not_be_read_is_none_and_no_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(process: psutil.Process) -> None:
        raise psutil.AccessDenied(process.pid)

    monkeypatch.setattr(psutil.Process, "memory_full_info", denied)
    assert proc.memory([os.getpid()]) is None
    with pytest.raises(EnvironmentProblem, match="another user"):
        proc.tree_reading(os.getpid(), cpus=(0,))


def test_steal_grows_only() -> None:
    cpus = sorted(os.sched_getaffinity(0))
    first = proc.steal_s(cpus)
    assert 0 <= first <= proc.steal_s(cpus)
