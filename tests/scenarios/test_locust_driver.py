"""Any Locust file, as it is: what it sends, what of it is recorded, and that nothing is lost."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from functools import reduce
from pathlib import Path

import numpy as np
import pytest

from tests.scenarios.agent_process import VERIFY, AgentProcess, assert_conserved
from tests.scenarios.locust_agent import get, load, statuses
from tests.scenarios.path_server import PathServer

pytestmark = pytest.mark.process

QUICK = {"warmup_s": 0.05, "measure_s": 0.3}


@pytest.fixture
def server(agent: AgentProcess) -> Iterator[PathServer]:
    with PathServer() as running:
        agent.ready(running.base_url)
        yield running
        agent.load("root")


def test_every_kind_of_user_and_task(agent: AgentProcess, server: PathServer) -> None:
    source = """
        class Reader(HttpUser):
            weight = 3
            host = "http://198.51.100.1:9"
            def on_start(self):
                self.client.get("/login")
            def on_stop(self):
                self.client.get("/logout")
            @tag("reads")
            @task(3)
            def often(self):
                self.client.get("/often/" + str(time.monotonic()), name="/often/[now]")
            @task
            def write(self):
                self.client.post("/write", json={"a": 1})
        class Steps(FastHttpUser):
            fixed_count = 1
            @task
            class Order(SequentialTaskSet):
                @task
                def first(self): self.client.get("/first")
                @task
                class Nested(TaskSet):
                    @task
                    def within(self):
                        self.client.put("/within", data="x")
                        self.interrupt()
                @task
                def last(self): self.client.get("/last")
        class Base(HttpUser):
            abstract = True
        """
    assert load(agent, source) == 2
    totals, arrays = agent.drive(**QUICK, load={"kind": "closed", "clients": 5}, id_base=1000)
    assert_conserved(totals)
    assert totals["ok"] == totals["scheduled"] == totals["exchanges"] == totals["exchanges_sent"]
    assert sorted(server.ids) == list(range(1001, 1001 + totals["ok"]))
    assert (totals["id_sum"], totals["id_xor"]) == (sum(server.ids), reduce(operator.xor, server.ids))
    assert statuses(arrays) == {200: len(arrays["status"])}
    assert server.unnumbered == ["/login"] * 4
    assert server.paths.count("/logout") == 4
    kinds = {path.split("/")[1] for path in server.paths}
    assert kinds == {"often", "write", "first", "within", "last", "logout"}
    firsts, withins, lasts = (server.paths.count(f"/{name}") for name in ("first", "within", "last"))
    assert firsts >= withins >= lasts >= firsts - 1


def test_what_became_of_a_request_is_told_by_the_file_first_and_by_http_then(
    agent: AgentProcess, server: PathServer
) -> None:
    source = """
        class Visitor(%s):
            network_timeout = 0.1
            @task
            class All(SequentialTaskSet):
                @task
                def missing(self): self.client.get("/missing")
                @task
                def boom(self): self.client.get("/boom")
                @task
                def good_after_all(self):
                    with self.client.get("/missing", catch_response=True) as answer:
                        answer.success()
                @task
                def wrong(self):
                    with self.client.get("/fine", catch_response=True) as answer:
                        answer.failure("no cheese in it")
                @task
                def broken(self): self.client.get("/close")
                @task
                def broken_and_judged(self):
                    with self.client.get("/close", catch_response=True) as answer:
                        if answer.status_code != 200:
                            answer.failure("not 200")
                @task
                def late(self): self.client.get("/hang", %s)
                @task
                def raises(self): raise KeyError("token")
                @task
                def end(self): time.sleep(30)
        """
    for user, timeout in (("HttpUser", "timeout=0.1"), ("FastHttpUser", "")):
        load(agent, source % (user, timeout))
        totals, arrays = agent.drive(
            warmup_s=0, measure_s=0.8, drain_s=0.1, load={"kind": "closed", "clients": 1}
        )
        assert_conserved(totals)
        assert arrays["status"].tolist() == [404, 500, 200, -3, -2, -2, -1, -6]
        assert (totals["ok"], totals["failed"], totals["timed_out"]) == (1, 6, 1)
        assert totals["exchanges_sent"] - totals["exchanges"] == 3


def test_other_clients_fire_events_of_their_own(agent: AgentProcess, server: PathServer) -> None:
    source = """
        class Grpc(User):
            @task
            def one(self):
                with self.environment.events.request.measure("grpc", "Get"):
                    time.sleep(0.05)
                self.environment.events.request.fire(
                    request_type="mqtt", name="publish", response_time=20, response_length=0, context={},
                    exception=ConnectionResetError("gone"))
                events.request.fire(request_type="mqtt", name="publish", response_time=None,
                                    response_length=0, exception=ValueError("bad"))
                time.sleep(30)
        """
    load(agent, source)
    totals, arrays = agent.drive(warmup_s=0, measure_s=0.4, drain_s=0.1)
    assert statuses(arrays) == {-3: 4, -2: 4, 200: 4}
    assert totals["exchanges"] == totals["exchanges_sent"] == 0
    right = arrays["status"] == 200
    assert ((arrays["finished_s"] - arrays["sent_s"])[right] >= 0.05).all()


def test_each_redirect_is_an_exchange_of_its_own(agent: AgentProcess, server: PathServer) -> None:
    for user in ("HttpUser", "FastHttpUser"):
        server.ids.clear()
        load(agent, get("/redirect", user=user))
        totals, _ = agent.drive(**QUICK)
        assert totals["ok"] == totals["scheduled"]
        assert totals["exchanges"] == len(set(server.ids)) == 2 * totals["ok"]


def test_a_broken_connection_is_a_failure_and_no_second_request(
    agent: AgentProcess, server: PathServer
) -> None:
    source = """
        class Visitor(%s):
            @task
            class All(SequentialTaskSet):
                @task
                def fine(self): self.client.get("/fine")
                @task
                def close(self): self.client.get("/close")
        """
    for user in ("HttpUser", "FastHttpUser"):
        server.ids.clear()
        server.paths.clear()
        load(agent, source % user)
        totals, _ = agent.drive(**QUICK)
        assert_conserved(totals)
        unanswered = totals["exchanges_sent"] - totals["exchanges"]
        assert totals["failed"] == server.paths.count("/close") == unanswered
        assert len(server.ids) == totals["scheduled"]


def test_the_time_of_a_request_ends_with_its_answer(agent: AgentProcess, server: PathServer) -> None:
    source = """
        class Visitor(HttpUser):
            @task
            def one(self):
                with self.client.get("/slow", catch_response=True) as answer:
                    time.sleep(0.4)
        """
    load(agent, source)
    totals, arrays = agent.drive(warmup_s=0, measure_s=0.5)
    took_s = arrays["finished_s"] - arrays["sent_s"]
    assert totals["ok"] == 4
    assert (took_s >= 0.3).all()
    assert (arrays["sent_s"] < totals["window_start_s"] + 0.3).all()


def test_users_wait_between_tasks_and_the_end_ends_their_wait(
    agent: AgentProcess, server: PathServer
) -> None:
    load(agent, get("/fine", user="HttpUser", wait_time="constant(60)"))
    totals, _ = agent.drive(**QUICK, drain_s=30)
    assert totals["scheduled"] == 4


def test_requests_in_flight_are_waited_for(agent: AgentProcess, server: PathServer) -> None:
    load(agent, get("/slow", user="HttpUser"))
    totals, _ = agent.drive(**QUICK)
    assert totals["scheduled"] == totals["ok"] == len(server.ids)
    assert totals["scheduled"] >= 4


def test_what_is_cut_off_is_undrained(agent: AgentProcess, server: PathServer) -> None:
    for user in ("HttpUser", "FastHttpUser"):
        load(agent, get("/hang", user=user))
        totals, arrays = agent.drive(**QUICK, drain_s=0.1)
        assert_conserved(totals)
        assert (totals["scheduled"], totals["undrained"]) == (4, 4)
        assert totals["exchanges_sent"] - totals["exchanges"] == 4
        assert arrays["status"].size == 0


def test_the_scenarios_time_out_holds_where_the_file_gives_none(
    agent: AgentProcess, server: PathServer
) -> None:
    for user in ("HttpUser", "FastHttpUser"):
        load(agent, get("/hang", user=user))
        totals, _ = agent.drive(**QUICK, request_timeout_s=0.2)
        assert_conserved(totals)
        assert totals["timed_out"] == totals["scheduled"] >= 4


def test_listeners_variables_and_arguments(agent: AgentProcess, server: PathServer, tmp_path: Path) -> None:
    told = tmp_path / "told"
    source = """
        def tell(what):
            with open(os.environ["TOLD"], "a") as file:
                print(what, file=file)
        @events.init_command_line_parser.add_listener
        def arguments(parser): parser.add_argument("--shop", default="cheese")
        @events.init.add_listener
        def init(environment, runner, **_): tell(f"init {environment.parsed_options.shop} {bool(runner)}")
        @events.test_start.add_listener
        def start(environment, **_): tell(f"start {environment.host == environment.parsed_options.host}")
        @events.test_stop.add_listener
        def stop(environment, **_): tell(f"stop {environment.stats.total.num_failures}")
        @events.quitting.add_listener
        def quitting(environment, **_): tell("quitting")
        """
    load(agent, f"{source}\n{_indented(get('/fine'))}", TOLD=str(told))
    agent.drive(**QUICK)
    assert told.read_text().split("\n") == ["init cheese True", "start True", "stop 0", "quitting", ""]


def test_each_run_imports_the_file_anew(agent: AgentProcess, server: PathServer) -> None:
    source = """
        ACCOUNTS = ["a", "b"]
        class Visitor(FastHttpUser):
            def on_start(self): self.account = ACCOUNTS.pop()
            @task
            def one(self): self.client.get("/" + self.account)
        """
    load(agent, source)
    for _ in range(2):
        agent.result(**VERIFY)
        totals, _ = agent.drive(**QUICK, load={"kind": "closed", "clients": 2})
        assert totals["failed"] == 0


def test_users_can_be_prepared_before_they_start(agent: AgentProcess, server: PathServer) -> None:
    source = """
        class Visitor(HttpUser):
            def on_start(self): self.client.get("/login")
            @task
            def one(self): self.client.get("/fine")
        """
    load(agent, source)
    agent.result(op="prepare", clients=3, timeout_s=5)
    assert (server.unnumbered, server.paths) == (["/login"] * 3, [])
    totals, _ = agent.drive(**QUICK, load={"kind": "closed", "clients": 3})
    assert server.unnumbered == ["/login"] * 3
    assert totals["ok"] == len(server.paths)


def test_it_tells_its_cpu_share_and_its_progress(agent: AgentProcess, server: PathServer) -> None:
    load(agent, get("/fine"))
    agent.progress.clear()
    totals, arrays = agent.drive(warmup_s=0.2, measure_s=1.0)
    assert len(agent.progress) == 2
    assert 0 < agent.progress[-1]["requests"] <= totals["scheduled"]
    assert len(arrays["generator_cpu_share"]) == 1
    assert np.isfinite(arrays["finished_s"]).all()


def test_without_a_path_that_tells_readiness_any_answer_below_500_is_one(agent: AgentProcess) -> None:
    load(agent, get("/fine"))
    with PathServer() as server:
        agent.ready(server.base_url, ready=None)
        assert server.unnumbered == ["/"]
    kind, text = agent.error(
        **{"op": "ready", "base_url": server.base_url, "workers": 1, "timeout_s": 0.1},
        ready=None,
        inside=False,
    )
    assert (kind, "GET /: " in text) == ("NotReady", True)


def test_the_bundled_scenarios_still_run_after_a_file(agent: AgentProcess, server: PathServer) -> None:
    load(agent, get("/fine"))
    agent.drive(**QUICK)
    agent.load("root")
    totals, _ = agent.drive(**QUICK)
    assert totals["ok"] == totals["scheduled"]
    assert totals["exchanges"] is None


def _indented(source: str) -> str:
    return "\n".join(f"        {line}" for line in source.split("\n"))
