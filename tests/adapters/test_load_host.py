"""Load from other machines: whose clock is whose, what is refused, and real engines in network namespaces."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from harness import pipeline
from harness.adapters import ownership
from harness.adapters.host import own_addresses
from harness.adapters.load_agent import Agent, RelatedClock, related_clock
from harness.adapters.load_host import LoadPlace
from harness.adapters.load_process import AgentGenerator
from harness.errors import ConfigurationError, GeneratorFailed
from harness.model import Validity
from harness.set_up import load_places, through_load_hosts
from tests.adapters.containers import eventually
from tests.adapters.test_load_process import SCENARIO, ScriptedAgent, ScriptedEngine, drive_result, ok
from tests.samples import PLAIN, a_matrix
from tests.test_end_to_end import HARNESS, Checkout
from wire import PROTOCOL

LOAD_HOSTS = Path(__file__).parents[2] / "scripts" / "load-hosts.sh"


class ClockAgent:
    """Its clock is ahead of ours, and its answers take as long as they say, there and back."""

    def __init__(self, *, ahead_s: float, trips_s: list[tuple[float, float]]) -> None:
        self.now_s, self._ahead_s = 100.0, ahead_s
        self._trips_s = deque(trips_s)
        self._lines = deque([ok({"agent": PROTOCOL})])

    def send(self, line: str) -> None:
        assert json.loads(line) == {"op": "clock"}
        there_s, back_s = self._trips_s.popleft()
        self.now_s += there_s
        self._lines.append(ok({"monotonic_s": self.now_s + self._ahead_s}))
        self.now_s += back_s

    def receive(self, timeout_s: float) -> str:
        return self._lines.popleft()


def test_the_quickest_round_trip_relates_the_clocks() -> None:
    slow, quick = (0.2, 0.01), (0.0004, 0.0002)
    agent = ClockAgent(ahead_s=5000.0, trips_s=[slow, slow, quick, *[slow] * 7])
    clock = related_clock(Agent(agent), lambda: agent.now_s)
    assert clock.error_s == pytest.approx(0.0003)
    assert abs(clock.ahead_s - 5000.0) <= clock.error_s


def test_an_agent_that_tells_no_time_has_failed() -> None:
    with pytest.raises(GeneratorFailed, match="no ClockReading"):
        related_clock(Agent(ScriptedAgent(ok({"monotonic_s": "noon"}))))


def test_turns_are_told_and_results_read_on_the_agents_own_clocks() -> None:
    """Two agents whose clocks are 1,000 s and -50 s ahead of ours, of which the record shows nothing."""
    agents = [ScriptedAgent(drive_result(1010.0)), ScriptedAgent(drive_result(-39.0))]
    engine = ScriptedEngine()
    generator = AgentGenerator([Agent(agent) for agent in agents], engine, cpus=range(2), elsewhere=True)
    generator.clocks = [RelatedClock(1000.0, 0.0), RelatedClock(-50.0, 0.0)]
    generator.prepare(SCENARIO)
    generator.begin(SCENARIO, seed=1, spans_s=((0.0, 2.5),), ramp_s=0.5, start_s=9.0)
    record = generator.finish(progress=lambda _: None)
    assert [agent.told[-1]["start_at_s"] for agent in agents] == [1009.0, -41.0]
    assert record.intended_s.tolist() == pytest.approx([10.0, 11.0])


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("build-2", LoadPlace("build-2")),
        ("ssh://root@10.0.0.2=0-1,4", LoadPlace("ssh://root@10.0.0.2", (0, 1, 4))),
    ],
)
def test_a_place_is_a_context_or_an_address_with_cpus(text: str, place: LoadPlace) -> None:
    assert LoadPlace.parse(text) == place


MATRIX = a_matrix()
REMOTE = replace(MATRIX, variants=(replace(PLAIN, network="remote"),))


def test_what_does_not_fit_together_is_refused_with_what_to_write() -> None:
    address = own_addresses()[0]
    assert load_places(MATRIX, (), "") == ()
    assert load_places(REMOTE, ("a", "b=1"), address) == (LoadPlace("a"), LoadPlace("b", (1,)))
    for matrix, contexts, given, said in (
        (REMOTE, (), address, "Fix: name a machine for the load: --load-context"),
        (MATRIX, ("a",), address, "no variant is reached that way"),
        (REMOTE, ("a",), "192.0.2.1", f"none of this machine's addresses: {address}"),
        (REMOTE, ("a=x",), address, "no list of CPUs"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            load_places(matrix, contexts, given)


def test_a_matrix_that_names_no_path_is_reached_from_the_load_hosts(tmp_path: Path) -> None:
    scenario = '[[scenarios]]\nname = "items"\nload = { clients = 1 }\n'
    paths = []
    for network in ("", 'network = ["shared", "remote"]\n'):
        text = f'name = "m"\n[factors]\nrecipe = ["uvicorn-plain"]\n{network}{scenario}'
        (tmp_path / "m.toml").write_text(text)
        matrix = pipeline.resolved(tmp_path / "m.toml", through_load_hosts).matrix
        paths.append({variant.network for variant in matrix.variants})
    assert paths == [{"remote"}, {"shared", "remote"}]


@pytest.fixture
def load_hosts() -> Iterator[list[str]]:
    """The options for two engines in namespaces of their own."""
    up = subprocess.run([LOAD_HOSTS, "up", "2"], capture_output=True, text=True, timeout=90, check=False)
    assert up.returncode == 0, up.stderr
    yield up.stdout.split()
    subprocess.run([LOAD_HOSTS, "down"], check=True, timeout=60, capture_output=True)


TOML = """
name = "remote"
[factors]
recipe = ["uvicorn-standard"]
[[scenarios]]
name = "items"
load = { rate_per_s = 100 }
warmup_s = 0.3
measure_s = 1.0
[design]
blocks = 3
wrapper_cost = false
"""


@pytest.mark.engine
@pytest.mark.timeout(300)
@pytest.mark.skipif(os.geteuid() != 0 and os.environ.get("CI") is None, reason="namespaces are root's")
def test_load_comes_from_two_hosts_and_one_that_is_cut_off_spoils_its_trials_only(
    tmp_path: Path, load_hosts: list[str], docker_here: None
) -> None:
    checkout = Checkout(tmp_path)
    (checkout.directory / "remote.toml").write_text(TOML)
    process = checkout.start("--matrix", checkout.directory / "remote.toml", *load_hosts)
    assert process.stdout is not None
    said, was_cut, invalid = [], False, False
    for line in process.stdout:
        said.append(line)
        if not was_cut and "block 2" in line:
            subprocess.run([LOAD_HOSTS, "cut", "2"], check=True, timeout=30)
            was_cut = True
        elif was_cut and not invalid and ": INVALID" in line:
            subprocess.run([LOAD_HOSTS, "join", "2"], check=True, timeout=30)
            invalid = True
    process.wait(timeout=60)
    text = "".join(said)
    assert invalid, text
    records = checkout.records
    by_block = {
        block: {record.validity for record in of}
        for block, of in itertools.groupby(records, key=lambda r: r.block)
    }
    # A busy machine makes them NOISY or late, never INVALID.
    assert Validity.INVALID not in by_block[1], text
    assert by_block[2] == {Validity.INVALID}, text
    assert Validity.INVALID not in by_block[max(by_block)], text
    spoilt = [record for record in records if record.validity is Validity.INVALID]
    assert all("load host tcp://10.77.0.3" in " ".join(record.reasons) for record in spoilt), text
    manifest = checkout.store.manifest()
    assert [host["cpus"] for host in manifest["load_hosts"]] == ["0", "0"]
    assert all(0 < host["clock_error_ms"] < 50 for host in manifest["load_hosts"])
    assert manifest["engine"] == "docker"
    stored = checkout.store.trial(records[0].trial_id)
    assert stored is not None
    assert stored.load.generator_cpu_share.shape[0] == 2
    for number in (2, 3):
        client = docker.DockerClient(base_url=f"tcp://10.77.0.{number}:2375")
        wanted = {"label": f"{ownership.RUN}={checkout.store.path.name}"}
        assert eventually(lambda: client.containers.list(all=True, filters=wanted) == [], within_s=20)  # noqa: B023
        client.close()
    assert HARNESS.exists()
