"""How much faster the lean user is than Locust's FastHttpUser: `python benchmarks/lean_user.py`.

Both, and wrk as referee, take turns on core 0 against the static server on core 1, each with the same
number of connections; the ratio is taken within a round, so drift of the machine cancels. The lean user
runs as the harness runs it (in the agent), FastHttpUser as its documentation shows it; a Locust file of the
same requests runs through the agent too, which shows what our records cost it. Then the lean user's open loop
at several rates: how late requests left, and what it used of its core. Exits 1 when the median ratio is
below 2. About 90 s.
"""

from __future__ import annotations

import base64
import io
import json
import os
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

GENERATOR_CPU, SERVER_CPU = 0, 1
CLIENTS, ROUNDS, WARMUP_S, MEASURE_S = 16, 3, 0.5, 3.0
OPEN_PER_S = (2_000.0, 5_000.0, 10_000.0, 15_000.0, 20_000.0, 25_000.0)
TARGET_RATIO = 2.0
STOCK = "--stock-user"
LOCUST_FILE = """
from locust import FastHttpUser, HttpUser, task

class Stock({}):
    @task
    def root(self):
        self.client.get("/")
"""


def main() -> int:
    if len(os.sched_getaffinity(0)) < 2:
        print("needs two cores: one for the server, one for the generators", file=sys.stderr)
        return 2
    generators: dict[str, Callable[[str], float]] = {
        "lean": lean_per_s,
        "FastHttpUser": stock_per_s,
        "Locust file (FastHttpUser)": partial(locust_file_per_s, "FastHttpUser"),
        "Locust file (HttpUser)": partial(locust_file_per_s, "HttpUser"),
    }
    if shutil.which("wrk"):
        generators["wrk"] = wrk_per_s
    else:
        print("no wrk to compare with: apt-get install wrk", file=sys.stderr)
    rounds: list[Mapping[str, float]] = []
    with static_server() as base_url:
        for number in range(ROUNDS):
            order = list(generators) if number % 2 == 0 else list(reversed(generators))
            measured = {name: generators[name](base_url) for name in order}
            rounds.append({name: measured[name] for name in generators})
            print(f"round {number + 1}: " + ", ".join(f"{name} {n:,.0f}/s" for name, n in rounds[-1].items()))
        for per_s in OPEN_PER_S:
            print(open_loop(base_url, per_s))
    return report(rounds)


def open_loop(base_url: str, per_s: float) -> str:
    """A line on Poisson arrivals at a rate."""
    load = {"kind": "open", "rate_per_s": per_s, "arrivals": "poisson"}
    result = driven(base_url, {"kind": "bundled", "locustfile": "root"}, load)[-2]["result"]
    with np.load(io.BytesIO(base64.b64decode(result["arrays_npz_b64"]))) as arrays:
        sent_s, intended_s, finished_s = (arrays[name] for name in ("sent_s", "intended_s", "finished_s"))
        busiest = arrays["generator_cpu_share"].max()
    late_ms = np.quantile(sent_s - intended_s, [0.5, 0.99]) * 1e3
    took_ms = np.quantile(finished_s - intended_s, [0.5, 0.99]) * 1e3
    return (
        f"open loop at {per_s:,.0f}/s: {result['ok']:,} of {result['scheduled']:,} answered; sent "
        f"{late_ms[0]:.2f} ms late in the median, {late_ms[1]:.2f} ms at the 99th percentile; answered after "
        f"{took_ms[0]:.2f} and {took_ms[1]:.2f} ms; {busiest:.0%} of the core in the busiest second"
    )


def report(rounds: list[Mapping[str, float]]) -> int:
    """Print the ratios and the circumstances. Exit code 1 below the target."""
    for name in rounds[0]:
        ratios = [each["lean"] / each[name] for each in rounds]
        if name != "lean":
            print(f"lean / {name}: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    packages = ", ".join(f"{name} {version(name)}" for name in ("locust", "geventhttpclient", "gevent"))
    print(f"{processor()} x {os.cpu_count()}, Linux {platform.release()}, Python {platform.python_version()}")
    print(f"{packages}; {CLIENTS} connections, {MEASURE_S:g} s a turn, static server on the other core")
    ratio = statistics.median(each["lean"] / each["FastHttpUser"] for each in rounds)
    word = "ok" if ratio >= TARGET_RATIO else "FAILED"
    print(f"{word}: at least {TARGET_RATIO:g} times FastHttpUser is promised")
    return int(ratio < TARGET_RATIO)


def processor() -> str:
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def pinned(cpu: int, *command: str) -> list[str]:
    return ["taskset", "--cpu-list", str(cpu), *command]


@contextmanager
def static_server() -> Iterator[str]:
    """The load kit's static server on a free port of loopback."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = pinned(SERVER_CPU, sys.executable, "-m", "scenarios.loadkit.static_server", "--port", str(port))
    server = subprocess.Popen(command)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=10)


def lean_per_s(base_url: str) -> float:
    return agent_per_s(base_url, {"kind": "bundled", "locustfile": "root"})


def locust_file_per_s(user: str, base_url: str) -> float:
    """Of the same users from a Locust file, through the agent's driver of such files."""
    workload = {"kind": "locustfile", "name": "locustfile.py", "source": LOCUST_FILE.format(user), "env": {}}
    return agent_per_s(base_url, workload)


def agent_per_s(base_url: str, workload: Mapping[str, object]) -> float:
    answers = driven(base_url, workload, {"kind": "closed", "clients": CLIENTS})
    # With less than a second of warm-up, the first progress is told at the start of the window.
    first, *_, last = [answer["progress"] for answer in answers if "progress" in answer]
    return float((last["requests"] - first["requests"]) / (last["elapsed_s"] - first["elapsed_s"]))


def driven(base_url: str, workload: Mapping[str, object], load: Mapping[str, object]) -> list[dict[str, Any]]:
    """All that the agent says; its last two answers are to the load, and its farewell."""
    messages = [
        {"op": "workload", "workload": workload},
        {"op": "ready", "base_url": base_url, "workers": 1, "timeout_s": 10, "ready": "/", "inside": True},
        {
            "op": "drive",
            "load": load,
            "spans_s": [[0.0, WARMUP_S + MEASURE_S]],
            "ramp_s": WARMUP_S,
            "rest_until_s": 0.0,
            "request_timeout_s": 10,
            "drain_s": 5,
            "seed": 1,
            "id_base": 0,
        },
        {"op": "exit"},
    ]
    command = pinned(GENERATOR_CPU, sys.executable, "-m", "scenarios.loadkit.agent")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as agent:
        assert agent.stdin is not None
        assert agent.stdout is not None
        agent.stdin.write("".join(json.dumps(message) + "\n" for message in messages))
        agent.stdin.flush()
        # All output first: the end of stdin would end the load.
        return [json.loads(line) for line in agent.stdout]


def stock_per_s(base_url: str) -> float:
    command = pinned(GENERATOR_CPU, sys.executable, __file__, STOCK, base_url)
    return float(subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout)


def wrk_per_s(base_url: str) -> float:
    options = ["-t1", f"-c{CLIENTS}", f"-d{MEASURE_S:g}s", f"{base_url}/"]
    run = subprocess.run(
        pinned(GENERATOR_CPU, "wrk", *options), capture_output=True, text=True, timeout=60, check=True
    )
    found = re.search(r"Requests/sec:\s+([\d.]+)", run.stdout)
    assert found, run.stdout
    return float(found[1])


def drive_stock_user(base_url: str) -> float:
    """Requests per second of Locust's FastHttpUser, by Locust's own count. Patches the process it runs in."""
    import gevent
    from locust import FastHttpUser, task
    from locust.env import Environment

    class Stock(FastHttpUser):
        host = base_url

        @task
        def root(self) -> None:
            self.client.get("/")

    environment = Environment(user_classes=[Stock])
    runner = environment.create_local_runner()
    runner.start(CLIENTS, spawn_rate=CLIENTS)
    gevent.sleep(WARMUP_S)
    count, started_s = environment.stats.total.num_requests, time.monotonic()
    gevent.sleep(MEASURE_S)
    per_s = (environment.stats.total.num_requests - count) / (time.monotonic() - started_s)
    assert environment.stats.total.num_failures == 0
    runner.quit()
    return per_s


if __name__ == "__main__":
    if sys.argv[1:2] == [STOCK]:
        print(drive_stock_user(sys.argv[2]))
    else:
        sys.exit(main())
