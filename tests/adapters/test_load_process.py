"""Agents as the harness talks to them: scripted ones, then the real one against the real app."""

from __future__ import annotations

import json
import os
import re
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from harness.adapters.load_process import GRACE_S, AgentGenerator, ProcessLoadGenerator, server_facts
from harness.adapters.process_engine import ProcessEngine
from harness.deployment import DeploymentSpec, DeploymentState, ServerFacts
from harness.errors import (
    CannotServe,
    DeploymentDied,
    GeneratorFailed,
    NoAnswer,
    NotReady,
    WrongResponse,
)
from harness.model import ClosedLoad, OpenLoad, Scenario, Variant
from harness.planning.commands import GENERATOR_ARGV, server_argv, server_env
from harness.planning.example import EXAMPLE
from harness.workload import RequestSpec
from tests.measurement.test_load_shares import result
from wire import PROTOCOL

PROJECT = Path(__file__).parent.parent.parent
CPUS = sorted(os.sched_getaffinity(0))
FACTS: Mapping[str, Any] = {
    "variant_id": "tiny.w1",
    "pid": 7,
    "uid": 10001,
    "workers": [{"pid": 7, "requests": 3, "id_sum": 2**64 - 1, "id_xor": 5, "in_flight": 0}],
    "server": "uvicorn 0.54.0",
    "loop": "uvloop.Loop",
    "http": "h11",
    "access_log": False,
    "keep_alive_s": None,
    "versions": {"python": "3.13"},
    "cpus": {"host": 2, "affinity": 1, "quota": 1},
}
SCENARIO = Scenario(
    name="hello", locustfile="root", load=ClosedLoad(clients=5), warmup_s=0.5, measure_s=2.0, slo_ms=100
)


def ok(answer: object) -> str:
    return json.dumps({"ok": True, "result": answer})


def error(kind: str, message: str) -> str:
    return json.dumps({"ok": False, "error": {"kind": kind, "message": message}})


def progress(elapsed_s: float, requests: int) -> str:
    return json.dumps(
        {"progress": {"elapsed_s": elapsed_s, "requests": requests, "per_s": requests / elapsed_s}}
    )


def drive_result(*intended_s: float, **totals: int) -> str:
    return ok(asdict(result(*intended_s, **totals)))


class ScriptedAgent:
    """Greets, then gives one line after another; remembers what it was told and how long it was given.

    Workloads it takes as they are, and remembers them apart.
    """

    def __init__(self, *lines: str | NoAnswer) -> None:
        self.lines: deque[str | NoAnswer] = deque([ok({"agent": PROTOCOL}), *lines])
        self.told: list[dict[str, Any]] = []
        self.workloads: list[dict[str, Any]] = []
        self.given_s: list[float] = []

    def send(self, line: str) -> None:
        message = json.loads(line)
        if message["op"] == "workload":
            self.workloads.append(message["workload"])
            self.lines.appendleft(ok({"requests": len(message["workload"].get("requests", "1"))}))
        else:
            self.told.append(message)

    def receive(self, timeout_s: float) -> str:
        self.given_s.append(timeout_s)
        line = self.lines.popleft()
        if isinstance(line, NoAnswer):
            raise line
        return line


class ScriptedEngine:
    """Hands out scripted agents; stands for the deployment as well."""

    base_url = "http://127.0.0.1:8000"
    name = "tiny.w1.hello.00"

    def __init__(self, *agents: ScriptedAgent) -> None:
        self.waiting = deque(agents)
        self.runs = True
        self.started: list[tuple[str, tuple[str, ...], tuple[int, ...]]] = []

    @contextmanager
    def companion(
        self, beside: object, *, image: str, argv: tuple[str, ...], cpus: tuple[int, ...]
    ) -> Iterator[ScriptedAgent]:
        self.started.append((image, argv, cpus))
        yield self.waiting.popleft()

    def state(self) -> DeploymentState:
        return DeploymentState(running=self.runs)


@contextmanager
def attached(*agents: ScriptedAgent, **workload: Mapping[str, Any]) -> Iterator[AgentGenerator]:
    engine = ScriptedEngine(*agents)
    cpus = tuple(range(len(agents)))
    with ProcessLoadGenerator(engine, image="img", cpus=cpus, **workload).attached(engine) as generator:
        assert engine.started == [("img", GENERATOR_ARGV, (cpu,)) for cpu in cpus]
        yield generator


def wait_ready(generator: AgentGenerator, *, workers: int = 1, timeout_s: float = 20.0) -> ServerFacts | None:
    return generator.wait_ready(
        workers=workers, timeout_s=timeout_s, scenario=SCENARIO, ready="/health/ready", inside=True
    )


def test_ready_asks_for_all_workers_and_tells_the_facts() -> None:
    agent = ScriptedAgent(ok(FACTS))
    with attached(agent) as generator:
        facts = wait_ready(generator, workers=2)
    assert agent.told == [
        {
            "op": "ready",
            "base_url": ScriptedEngine.base_url,
            "workers": 2,
            "timeout_s": 20.0,
            "ready": "/health/ready",
            "inside": True,
        }
    ]
    assert facts is not None
    assert (facts.variant_id, facts.keep_alive_s, facts.cpus.quota) == ("tiny.w1", None, 1.0)
    assert facts.workers[0].id_sum == 2**64 - 1


def test_every_agent_learns_where_the_server_is() -> None:
    agents = ScriptedAgent(ok(FACTS)), ScriptedAgent(ok(FACTS))
    with attached(*agents) as generator:
        wait_ready(generator)
    assert [agent.told[0]["op"] for agent in agents] == ["ready", "ready"]


@pytest.mark.promise(10)
def test_every_answer_has_a_bounded_time_that_outlasts_the_question() -> None:
    agent = ScriptedAgent(ok(FACTS), ok(FACTS), ok({}), drive_result())
    with attached(agent) as generator:
        wait_ready(generator)
        generator.probe()
        generator.verify(SCENARIO)
        generator.drive(SCENARIO, seed=1, progress=lambda _: None)
    greeting_s, workload_s, look_s, probe_s, verify_s, drive_s = agent.given_s
    assert 0 < look_s < 1
    assert 0.5 + 2.0 + 10.0 < drive_s < 60
    assert all(0 < bound_s < 80 for bound_s in (greeting_s, workload_s, probe_s, verify_s))


def test_a_server_that_runs_is_waited_for_look_after_look() -> None:
    silence = NoAnswer("nothing yet")
    with attached(ScriptedAgent(silence, silence, silence, ok(FACTS))) as generator:
        assert wait_ready(generator) is not None


def test_a_server_that_has_ended_is_not_waited_for() -> None:
    engine = ScriptedEngine(ScriptedAgent(NoAnswer("nothing yet"), ok(FACTS)))
    engine.runs = False
    with (
        ProcessLoadGenerator(engine, image="img", cpus=(0,)).attached(engine) as generator,
        pytest.raises(DeploymentDied, match=r"tiny\.w1\.hello\.00: it ended before it was ready"),
    ):
        wait_ready(generator, timeout_s=3600)


@pytest.mark.promise(10)
def test_an_agent_that_never_answers_is_given_up() -> None:
    with attached(ScriptedAgent(NoAnswer("hung"))) as generator, pytest.raises(NoAnswer, match="hung"):
        wait_ready(generator, timeout_s=-2 * GRACE_S)


def ready(generator: AgentGenerator) -> object:
    return wait_ready(generator)


def verify(generator: AgentGenerator) -> object:
    generator.verify(SCENARIO)
    return None


def drive(generator: AgentGenerator) -> object:
    return generator.drive(SCENARIO, seed=1, progress=lambda _: None)


@pytest.mark.parametrize(
    ("answer", "ask", "raised", "words"),
    [
        (
            error("NotReady", "got 503"),
            ready,
            NotReady,
            r"tiny\.w1\.hello\.00: not ready within 20 s \(got 503\)",
        ),
        (error("CannotServe", "only 500"), ready, CannotServe, r"tiny\.w1\.hello\.00: only 500"),
        (error("WrongResponse", "404"), verify, WrongResponse, r"tiny\.w1\.hello\.00: 404"),
        (error("BadRequest", "clients?"), drive, GeneratorFailed, r"\(BadRequest\): clients\?"),
        (error("Internal", "KeyError"), drive, GeneratorFailed, r"\(Internal\): KeyError"),
        ('{"ok": false}', verify, GeneratorFailed, "without a reason"),
        ("Segmentation fault", ready, GeneratorFailed, "no JSON.*Segmentation"),
        ("[1]", ready, GeneratorFailed, r"broke its protocol: '\[1\]'"),
        (ok({"window_start_s": 1.0}), drive, GeneratorFailed, "no DriveResult: scheduled"),
        ('{"progress": {"elapsed_s": 1}}', drive, GeneratorFailed, "no DriveProgress: requests"),
    ],
)
def test_an_error_is_raised_as_what_it_is(
    answer: str, ask: Callable[[AgentGenerator], object], raised: type[Exception], words: str
) -> None:
    with attached(ScriptedAgent(answer)) as generator, pytest.raises(raised, match=words):
        ask(generator)


@pytest.mark.parametrize(
    ("path", "value"),
    [("server", None), ("uid", "10001"), ("workers.0.pid", None), ("cpus.quota", "1"), ("access_log", 0)],
)
def test_facts_with_a_field_missing_or_of_another_kind_name_it(path: str, value: object) -> None:
    facts = json.loads(json.dumps(FACTS))
    *parents, last = path.split(".")
    place = facts
    for key in parents:
        place = place[int(key) if key.isdigit() else key]
    place.update({last: value}) if value is not None else place.pop(last)
    with pytest.raises(GeneratorFailed, match=rf"no ServerFacts: {path}:"):
        server_facts(facts)


def test_one_agent_gets_the_whole_load_and_starts_at_its_own_word() -> None:
    agent = ScriptedAgent(drive_result(10.0))
    with attached(agent) as generator:
        generator.drive(SCENARIO, seed=3, progress=lambda _: None)
    (told,) = agent.told
    seed = told.pop("seed")
    assert 0 <= seed < 2**32
    assert told == {
        "op": "drive",
        "load": {"kind": "closed", "clients": 5},
        "spans_s": [[0.0, 2.5]],
        "ramp_s": 0.5,
        "rest_until_s": 0.0,
        "request_timeout_s": 10.0,
        "drain_s": 10.0,
        "id_base": 0,
        "start_at_s": None,
    }


def test_several_agents_share_a_load_and_start_together() -> None:
    agents = [ScriptedAgent(drive_result(10.0 + n, ok=1, scheduled=1)) for n in range(2)]
    with attached(*agents) as generator:
        record = generator.drive(SCENARIO, seed=3, progress=lambda _: None)
    first, second = (agent.told[0] for agent in agents)
    assert (first["load"]["clients"], second["load"]["clients"]) == (3, 2)
    assert first["start_at_s"] == second["start_at_s"] is not None
    assert first["seed"] != second["seed"]
    assert second["id_base"] - first["id_base"] >= 2**48
    assert (record.intended_s.tolist(), record.ok) == ([10.0, 11.0], 2)


def test_an_agent_without_a_share_is_left_alone() -> None:
    agents = ScriptedAgent(drive_result(10.0)), ScriptedAgent()
    scenario = Scenario(**{**fields(SCENARIO), "load": ClosedLoad(clients=1)})
    with attached(*agents) as generator:
        generator.drive(scenario, seed=3, progress=lambda _: None)
    assert agents[1].told == []


def test_the_same_seed_gives_the_same_seeds_and_another_gives_others() -> None:
    def seeds(seed: int) -> list[int]:
        agents = [ScriptedAgent(drive_result()) for _ in range(3)]
        with attached(*agents) as generator:
            generator.drive(SCENARIO, seed=seed, progress=lambda _: None)
        return [agent.told[0]["seed"] for agent in agents]

    assert seeds(1) == seeds(1)
    assert not set(seeds(1)) & set(seeds(2))


def test_a_second_load_uses_new_ids_and_adds_to_the_totals() -> None:
    agent = ScriptedAgent(drive_result(scheduled=5, ok=5), drive_result(scheduled=2, ok=1, failed=1))
    with attached(agent) as generator:
        drive(generator)
        record = generator.drive(SCENARIO, seed=1, progress=lambda _: None)
    assert agent.told[1]["id_base"] == 5
    assert (record.scheduled, record.ok, record.failed) == (7, 6, 1)


def test_progress_of_all_agents_is_told_as_one() -> None:
    heard: list[Mapping[str, float]] = []
    agents = [ScriptedAgent(progress(1.0, n), progress(2.0, 2 * n), drive_result()) for n in (100, 50)]
    with attached(*agents) as generator:
        generator.drive(SCENARIO, seed=1, progress=heard.append)
    assert [(each["elapsed_s"], each["requests"]) for each in heard] == [(1.0, 150), (2.0, 300)]


OWN = replace(
    SCENARIO,
    locustfile="",
    requests=(RequestSpec(path="/{sku}", data="s.csv"), RequestSpec(path="/", method="POST")),
    before=(RequestSpec(path="/login", method="POST", form={"p": "{env:PASSWORD}"}, keep={"t": "json:t"}),),
    request_timeout_s=25.0,
)
FILES, SECRETS = {"s.csv": b"sku\na\n"}, {"PASSWORD": 'hun"ter2', "SHORT": "hun"}


def test_agents_are_told_a_workload_once_and_another_one_again() -> None:
    agents = ScriptedAgent(ok(FACTS), ok({}), drive_result(), drive_result()), ScriptedAgent(ok(FACTS))
    with attached(*agents) as generator:
        wait_ready(generator)
        verify(generator)
        one = replace(SCENARIO, load=ClosedLoad(clients=1), measure_s=1.0)
        generator.drive(one, seed=1, progress=lambda _: None)
        generator.drive(replace(one, locustfile="items"), seed=1, progress=lambda _: None)
    root, items = ({"kind": "bundled", "locustfile": name} for name in ("root", "items"))
    assert (agents[0].workloads, agents[1].workloads) == ([root, items], [root])


def test_own_requests_are_told_with_files_and_secrets() -> None:
    agent = ScriptedAgent(ok({}))
    with attached(agent, files=FILES, secrets=SECRETS) as generator:
        generator.verify(OWN)
    (workload,) = agent.workloads
    assert workload["requests"][0]["rows"] == [{"sku": "a"}]
    assert workload["before"][0]["form"] == {"p": 'hun"ter2'}
    assert agent.told == [{"op": "verify", "timeout_s": 25.0}]


def test_all_clients_take_their_steps_before_any_agent_is_told_to_start() -> None:
    agents = [ScriptedAgent(ok({}), drive_result()) for _ in range(2)]
    with attached(*agents, files=FILES, secrets=SECRETS) as generator:
        generator.drive(OWN, seed=1, progress=lambda _: None)
    assert [agent.told[0]["op"] for agent in agents] == ["prepare", "prepare"]
    assert [agent.told[0]["clients"] for agent in agents] == [3, 2]
    assert [agent.told[1]["op"] for agent in agents] == ["drive", "drive"]


def test_waits_follow_the_scenario_s_time_out() -> None:
    agent = ScriptedAgent(ok({}), ok({}), drive_result(), ok(FACTS))
    with attached(agent, files=FILES, secrets=SECRETS) as generator:
        generator.verify(OWN)
        generator.drive(OWN, seed=1, progress=lambda _: None)
        generator.probe()
    _, _, verify_s, prepare_s, drive_s, probe_s = agent.given_s
    assert verify_s > 3 * 25.0
    assert prepare_s > 25.0
    assert drive_s > 0.5 + 2.0 + 25.0
    assert probe_s > 25.0
    assert agent.told[2]["drain_s"] == 25.0


def test_a_black_box_tells_no_facts() -> None:
    agent = ScriptedAgent(ok({}))
    with attached(agent) as generator:
        facts = generator.wait_ready(workers=2, timeout_s=20.0, scenario=SCENARIO, ready=None, inside=False)
    assert facts is None
    assert (agent.told[0]["ready"], agent.told[0]["inside"]) == (None, False)


@pytest.mark.promise(23)
def test_secrets_that_a_server_repeats_are_taken_out() -> None:
    agent = ScriptedAgent(error("WrongResponse", "step 1: 422 and " + repr(b'{"input":"hun\\"ter2"}')))
    with (
        attached(agent, files=FILES, secrets=SECRETS) as generator,
        pytest.raises(WrongResponse) as raised,
    ):
        generator.verify(OWN)
    assert "ter2" not in str(raised.value)
    assert '"input":"{env:PASSWORD}"' in str(raised.value)


def test_an_agent_of_another_version_is_refused() -> None:
    agent = ScriptedAgent()
    agent.lines[0] = ok({"agent": 1})
    with (
        attached(agent) as generator,
        pytest.raises(GeneratorFailed, match="speaks protocol 1"),
    ):
        generator.verify(SCENARIO)


def fields(scenario: Scenario) -> dict[str, Any]:
    return {name: getattr(scenario, name) for name in scenario.__slots__}


AGENT_THAT_DIES = """
import sys
print('{"ok": true, "result": {"agent": 5}}', flush=True)
sys.stdin.readline()
sys.exit("out of memory, say")
"""


def test_an_agent_process_that_dies_is_reported_with_its_last_words(tmp_path: Path) -> None:
    package = tmp_path / "scenarios/loadkit"
    package.mkdir(parents=True)
    for directory in (package, package.parent):
        (directory / "__init__.py").touch()
    (package / "agent.py").write_text(AGENT_THAT_DIES)
    engine = ProcessEngine(tmp_path)
    sleep = DeploymentSpec(
        name="tiny",
        image=sys.prefix,
        argv=("python", "-c", "import time; time.sleep(60)"),
        env={},
        cpus=(CPUS[-1],),
    )
    generators = ProcessLoadGenerator(engine, image=sys.prefix, cpus=(CPUS[0],))
    try:
        with (
            engine.running(sleep) as deployment,
            generators.attached(deployment) as generator,
            pytest.raises(GeneratorFailed, match=r"ended \(exit code 1\)(.|\n)*out of memory, say"),
        ):
            generator.probe()
    finally:
        engine.close()


@pytest.mark.slow
def test_real_agents_share_the_rows_of_a_file_and_leave_none_out() -> None:
    """Each has one client, hence one connection, by whose port the access log tells them apart."""
    engine = ProcessEngine(PROJECT)
    variant = Variant(recipe="uvicorn-plain", workers=1, access_log=True)
    rows = b"id\n" + b"".join(b"%d\n" % number for number in range(1, 8))
    scenario = replace(
        SCENARIO,
        requests=(RequestSpec(path="/items/{id}", data="ids.csv"),),
        load=ClosedLoad(clients=2),
        warmup_s=0.0,
        measure_s=0.5,
    )
    try:
        spec = DeploymentSpec(
            name=variant.id,
            image=engine.build(variant.recipe),
            argv=server_argv(variant, EXAMPLE),
            env=server_env(variant, EXAMPLE, EXAMPLE.env),
            cpus=(CPUS[-1],),
        )
        generators = ProcessLoadGenerator(
            engine, image=engine.build("generator"), cpus=(CPUS[0],) * 2, files={"ids.csv": rows}
        )
        with engine.running(spec) as deployment, generators.attached(deployment) as generator:
            generator.wait_ready(workers=1, timeout_s=30.0, scenario=scenario, ready=None, inside=True)
            record = generator.drive(scenario, seed=1, progress=lambda _: None)
        log = deployment.log()
    finally:
        engine.close()
    assert record.ok == record.scheduled > 20
    ids: dict[str, set[str]] = {}
    for port, item in re.findall(r"127\.0\.0\.1:(\d+) - \"GET /items/(\d) ", log):
        ids.setdefault(port, set()).add(item)
    assert sorted(map(sorted, (found for found in ids.values() if len(found) > 1))) == [
        ["1", "3", "5", "7"],
        ["2", "4", "6"],
    ]


@pytest.mark.slow
@pytest.mark.parametrize("agents", [1, 2])
def test_the_real_agent_and_the_real_app_agree_on_every_request(agents: int) -> None:
    """The process engine from end to end; figures are not looked at, only that they tally."""
    engine = ProcessEngine(PROJECT)
    variant = Variant(recipe="uvicorn-standard", workers=2)
    try:
        spec = DeploymentSpec(
            name=variant.id,
            image=engine.build(variant.recipe),
            argv=server_argv(variant, EXAMPLE),
            env=server_env(variant, EXAMPLE, EXAMPLE.env),
            cpus=(CPUS[-1],),
        )
        generators = ProcessLoadGenerator(engine, image=engine.build("generator"), cpus=(CPUS[0],) * agents)
        with engine.running(spec) as deployment, generators.attached(deployment) as generator:
            facts = wait_ready(generator, workers=2, timeout_s=30.0)
            assert facts is not None
            generator.verify(SCENARIO)
            before = deployment.reading()
            for load in (SCENARIO.load, OpenLoad(rate_per_s=100.0, arrivals="constant")):
                scenario = Scenario(**{**fields(SCENARIO), "load": load, "measure_s": 1.0})
                record = generator.drive(scenario, seed=1, progress=lambda _: None)
            after, served = deployment.reading(), generator.probe()
    finally:
        engine.close()
    assert (facts.variant_id, len(facts.workers)) == (variant.id, 2)
    assert facts.loop.startswith("uvloop.")
    assert record.scheduled == record.ok > 150
    assert len(record.intended_s) == 100
    assert sum(worker.requests for worker in served.workers) == record.ok
    assert sum(worker.id_sum for worker in served.workers) % 2**64 == record.id_sum
    assert after.cpu_s > before.cpu_s
