"""Locust files that cannot be driven: each is told in a sentence, and the agent goes on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.scenarios.agent_process import DRIVE, VERIFY, AgentProcess, lasting
from tests.scenarios.locust_agent import get, load, refused
from tests.scenarios.path_server import PathServer

pytestmark = pytest.mark.process

SHORT = {**DRIVE, **lasting(warmup_s=0.0, measure_s=0.3), "request_timeout_s": 0.2, "drain_s": 0.1}


@pytest.fixture
def server(agent: AgentProcess) -> Iterator[PathServer]:
    with PathServer() as running:
        agent.ready(running.base_url)
        yield running
        agent.load("root")


@pytest.mark.parametrize(
    ("source", "named"),
    [
        (
            "import faker",
            "No module named 'faker' (line 5, in <module>: import faker).\nFix: the generator has",
        ),
        ("class Visitor(HttpUser)\n    pass", "SyntaxError: expected ':' (locustfile.py, line 5)"),
        ("raise SystemExit('no API_KEY')", "it ends the process (SystemExit: no API_KEY (line 5"),
        ("sys.exit(3)", "it ends the process (SystemExit: 3 (line 5"),
        ("os.environ['API_KEY']", "KeyError: 'API_KEY' (line 5, in <module>: os.environ['API_KEY'])"),
        ("x = 1", "no user class.\nFix: subclass HttpUser"),
        (
            f"{get('/')}\nclass Stages(LoadTestShape):\n    def tick(self): return (1, 1)",
            "Stages is a LoadTestShape, but the load comes from the scenario.\nFix: take the class out",
        ),
    ],
)
def test_a_file_that_is_no_workload(agent: AgentProcess, source: str, named: str) -> None:
    assert named in refused(agent, source)
    assert load(agent, get("/fine")) == 1


def test_a_rate_is_refused(agent: AgentProcess, server: PathServer) -> None:
    load(agent, get("/fine"))
    kind, text = agent.error(**{**DRIVE, "load": {"kind": "open", "rate_per_s": 10, "arrivals": "poisson"}})
    assert kind == "BadRequest"
    assert "locustfile.py: a Locust file is a closed loop, it has no rate.\nFix: give clients" in text


def test_fixed_counts_that_do_not_come_to_the_clients(agent: AgentProcess, server: PathServer) -> None:
    load(agent, get("/fine", fixed_count=3))
    kind, text = agent.error(**SHORT)
    assert (kind, "fixed_count of all classes comes to 3 users, the scenario has clients = 4" in text) == (
        "BadRequest",
        True,
    )


@pytest.mark.parametrize(
    ("on_start", "named"),
    [
        ("time.sleep(3600)", "4 of 4 users were not done with on_start after 0.6 s"),
        ("\n        while True: pass", "Visitor: computes without an end, and lets no other user run"),
        ("self.token = {}['token']", "Visitor: on_start failed: KeyError: 'token' (line 6, in on_start"),
        ("raise StopUser", "Visitor: on_start stopped its user"),
        ("sys.exit(4)", "Visitor: ended the process: SystemExit: 4 (line 6"),
    ],
)
def test_an_on_start_that_never_ends_or_goes_wrong(
    agent: AgentProcess, server: PathServer, on_start: str, named: str
) -> None:
    load(
        agent,
        f"class Visitor(HttpUser):\n    def on_start(self): {on_start}\n    @task\n    def a(self): pass",
    )
    kind, text = agent.error(**SHORT)
    assert (kind, named in text) == ("WrongResponse", True), text
    assert _still_drives(agent)


@pytest.mark.parametrize(
    ("task", "named"),
    [
        ("raise StopUser", "4 of 4 users left before the end of the window"),
        ("self.environment.runner.quit()", "users left before the end of the window"),
        ("sys.exit(5)", "Visitor: ended the process: SystemExit: 5"),
    ],
)
def test_users_that_leave_by_themselves(
    agent: AgentProcess, server: PathServer, task: str, named: str
) -> None:
    load(agent, f"class Visitor(HttpUser):\n    @task\n    def one(self): {task}")
    kind, text = agent.error(**SHORT)
    assert (kind, named in text) == ("WrongResponse", True), text
    assert _still_drives(agent)


def test_an_endless_on_stop_is_cut_off(agent: AgentProcess, server: PathServer) -> None:
    load(agent, get("/fine").replace("@task", "def on_stop(self): time.sleep(3600)\n    @task"))
    agent.drive(**SHORT)
    assert _still_drives(agent)


def test_verify_takes_one_user_of_each_class(agent: AgentProcess, server: PathServer) -> None:
    source = f"{get('/a')}\n{get('/b').replace('Visitor', 'Buyer')}"
    load(agent, source)
    assert agent.result(**VERIFY)["checked"] >= 2
    assert set(server.unnumbered) == {"/a", "/b"}
    assert server.ids == []


def test_verify_quotes_what_failed(agent: AgentProcess, server: PathServer) -> None:
    load(agent, get("/missing", user="HttpUser"))
    kind, text = agent.error(**VERIFY)
    assert (kind, "locustfile.py: GET /missing: 404: 404 Client Error" in text) == ("WrongResponse", True), (
        text
    )
    load(agent, "class Visitor(HttpUser):\n    @task\n    def one(self): {}['x']")
    kind, text = agent.error(**VERIFY)
    assert (kind, "a task raised KeyError: 'x' (line 7, in one" in text) == ("WrongResponse", True), text
    load(agent, "class Visitor(HttpUser):\n    def on_start(self): self.client.get('/boom').json()['token']")
    kind, text = agent.error(**VERIFY)
    assert (kind, "GET /boom: 500" in text, "on_start failed: JSONDecodeError" in text) == (
        "WrongResponse",
        True,
        True,
    ), text


def test_verify_waits_for_a_first_answer_within_its_bound(agent: AgentProcess, server: PathServer) -> None:
    load(agent, "class Idle(HttpUser):\n    @task\n    def one(self): time.sleep(0.01)")
    kind, text = agent.error(**{**VERIFY, "timeout_s": 1.0})
    assert (kind, "Idle: wrong or missing response within 1 s" in text) == ("WrongResponse", True)


def _still_drives(agent: AgentProcess) -> bool:
    """Whether a good file is driven well right after."""
    load(agent, get("/fine"))
    totals, _ = agent.drive(warmup_s=0, measure_s=0.1)
    return bool(totals["ok"] == totals["scheduled"] > 0)
