"""What share of a core the observer takes: `python benchmarks/observer_cost.py`. At most 1 % is promised.

Observes a container for 20 s where a Docker engine with a base image answers, and in any case a tree
of four processes. Nothing else runs in this process meanwhile, so its CPU time is the observer's.
Exits 1 above 1 %.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.adapters import host, proc
from harness.adapters.cgroup_files import CgroupFiles
from harness.adapters.docker_build import base_image
from harness.adapters.docker_client import connect
from harness.adapters.system_clock import SystemClock
from harness.deployment import DeploymentState, MemorySnapshot, ResourceReading
from harness.errors import EnvironmentProblem
from harness.execution.observer import Observer

OBSERVED_S = 20.0
LIMIT = 0.01
PROCESSES = 4
TREE = "import os, time; [os.fork() for _ in range(2)]; print(flush=True); time.sleep(600)"
"""A process, two children and a grandchild, each of which says that it is there."""


@dataclass(frozen=True, slots=True)
class Observed:
    """As much of a deployment as the observer needs."""

    read: Callable[[], ResourceReading]
    base_url: str = ""

    def reading(self) -> ResourceReading:
        return self.read()

    def memory(self) -> MemorySnapshot | None:
        return None

    def state(self) -> DeploymentState:
        return DeploymentState(running=True)

    def log(self) -> str:
        return ""


def cost(read: Callable[[], ResourceReading]) -> tuple[float, int]:
    """Share of a core over OBSERVED_S at 1 Hz, and how many readings that gave."""
    started_s, used_s = time.monotonic(), time.process_time()
    with Observer(Observed(read), SystemClock()) as observer:
        time.sleep(OBSERVED_S)
    return (time.process_time() - used_s) / (time.monotonic() - started_s), len(observer.readings)


def cost_on_a_container() -> tuple[float, int]:
    client = connect()
    image = base_image(client, None)[1]
    container = client.containers.run(image, ["python3", "-c", TREE], detach=True, network_mode="none")
    try:
        container.reload()
        return cost(CgroupFiles.of_pid(container.attrs["State"]["Pid"], cpus=host.cpu_split()[0]).reading)
    finally:
        container.remove(force=True)
        client.close()


def cost_on_a_tree() -> tuple[float, int]:
    with subprocess.Popen([sys.executable, "-c", TREE], stdout=subprocess.PIPE) as root:
        assert root.stdout is not None
        for _ in range(PROCESSES):
            root.stdout.readline()
        try:
            return cost(lambda: proc.tree_reading(root.pid, cpus=host.cpu_split()[0]))
        finally:
            for pid in proc.descendants(root.pid):
                os.kill(pid, signal.SIGKILL)


def main() -> int:
    facts = host.facts(Path.cwd())
    print(
        f"{facts['cpu_model']}, {facts['cpus_host']} CPUs, kernel {facts['kernel']}, Python {facts['python']}"
    )
    shares = []
    for name, measure in (("a container", cost_on_a_container), ("a process tree", cost_on_a_tree)):
        try:
            share, readings = measure()
        except EnvironmentProblem as problem:
            print(f"{name}: not measured. {problem}")
            continue
        shares.append(share)
        print(f"{name}: {share:.3%} of a core, {readings} readings in {OBSERVED_S:g} s")
    return 1 if max(shares) > LIMIT else 0


if __name__ == "__main__":
    sys.exit(main())
