"""A team's own requests, through the agent: what is sent, what counts as right, what is said otherwise."""

from __future__ import annotations

import json
from collections import Counter
from email import message_from_bytes
from typing import Any

import pytest

from tests.scenarios.agent_process import DRIVE, READY, VERIFY, AgentProcess, assert_conserved
from tests.scenarios.odd_server import THING, OddServer, Seen, answer, as_json, slowly

pytestmark = pytest.mark.process

CLOSED = {"kind": "closed", "clients": 3}
OPEN = {"kind": "open", "rate_per_s": 50.0, "arrivals": "constant"}
WRONG_BODY = -3


def request(path: str, **changes: Any) -> dict[str, Any]:
    return {"path": path, **changes}


def ready(agent: AgentProcess, server: OddServer, *requests: dict[str, Any], **steps: Any) -> None:
    """The workload is known, and the server is: as a black box, ready by a path of its own."""
    agent.own(*requests, **steps)
    agent.result(**{**READY, "base_url": server.base_url, "ready": "/thing", "inside": False})
    server.seen.clear()


def driven(agent: AgentProcess, **changes: Any) -> tuple[dict[str, Any], Counter[int]]:
    """Totals, and how many answers there were of each status in the record."""
    totals, arrays = agent.drive(**{"load": CLOSED, "warmup_s": 0.0, "measure_s": 0.2, **changes})
    assert_conserved(totals)
    return totals, Counter(arrays["status"].tolist())


def only(server: OddServer, path: str) -> Seen:
    (seen,) = server.of(path)
    return seen


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"])
def test_any_method_is_sent(agent: AgentProcess, method: str) -> None:
    with OddServer() as server:
        ready(agent, server, request("/thing", method=method, headers={"X-Of-Theirs": "ja"}))
        assert agent.result(**VERIFY) == {"checked": 1}
    seen = only(server, "/thing")
    assert (seen.method, seen.headers["x-of-theirs"], seen.numbered) == (method, "ja", False)
    assert seen.headers.get("content-length") == ("0" if method in ("POST", "PUT", "PATCH") else None)
    assert "accept-encoding" not in seen.headers


@pytest.mark.parametrize(
    ("body", "content_type", "sent"),
    [
        ({"json": {"a": ["ü", 1.5, None]}}, "application/json", '{"a":["ü",1.5,null]}'.encode()),
        ({"form": {"a": "x y", "b": "ü&"}}, "application/x-www-form-urlencoded", b"a=x+y&b=%C3%BC%26"),
        ({"body": "ü{}"}, None, "ü{}".encode()),
        ({"content_b64": "AAEC"}, None, b"\0\1\2"),
        ({"body": "<a/>", "headers": {"content-TYPE": "text/xml"}}, "text/xml", b"<a/>"),
        ({"json": {}, "headers": {"Content-Type": "application/x+json"}}, "application/x+json", b"{}"),
    ],
)
def test_a_body_is_sent_with_its_type_and_length(
    agent: AgentProcess, body: dict[str, Any], content_type: str | None, sent: bytes
) -> None:
    with OddServer() as server:
        ready(agent, server, request("/thing", method="POST", **body))
        agent.result(**VERIFY)
    seen = only(server, "/thing")
    assert (seen.headers.get("content-type"), seen.body) == (content_type, sent)
    assert seen.headers["content-length"] == str(len(sent))


def test_a_multipart_form_holds_fields_and_files(agent: AgentProcess) -> None:
    file = {"field_name": "photo", "path": "data/a b.png", "content_type": "image/png", "content_b64": "/9j/"}
    with OddServer() as server:
        ready(agent, server, request("/thing", method="POST", form={"title": "ü"}, files=[file]))
        agent.result(**VERIFY)
    seen = only(server, "/thing")
    whole = message_from_bytes(f"Content-Type: {seen.headers['content-type']}\n\n".encode() + seen.body)
    title, photo = whole.get_payload()
    assert title.get_payload(decode=True) == "ü".encode()
    assert photo.get_payload(decode=True) == b"\xff\xd8\xff"
    assert (photo.get_content_type(), photo.get_filename()) == ("image/png", "a b.png")


def test_rows_are_taken_in_turn_and_filled_in_everywhere(agent: AgentProcess) -> None:
    rows = [{"sku": "a/b ü", "qty": 2, "on": True}, {"sku": "c", "qty": 3, "on": False}]
    spec = request(
        "/thing?sku={sku}&lit={{sku}}",
        method="POST",
        headers={"X-Sku": "is {qty}"},
        json={"qty": "{qty}", "on": "{on}", "text": "{sku}: {qty} of {nobody}", "list": ["{qty}"]},
        rows=rows,
    )
    with OddServer() as server:
        ready(agent, server, spec)
        totals, _ = driven(agent)
    seen = server.of("/thing")
    assert totals["ok"] == totals["scheduled"] == len(seen) >= 4
    assert all(each.numbered for each in seen)
    bodies = Counter(each.body for each in seen)
    assert len(bodies) == 2
    assert max(bodies.values()) - min(bodies.values()) <= 1
    first = next(each for each in seen if b"a/b" in each.body)
    assert json.loads(first.body) == {"qty": 2, "on": True, "text": "a/b ü: 2 of {nobody}", "list": [2]}
    assert first.path == "/thing?sku=a%2Fb%20%C3%BC&lit=%7Bsku%7D"
    assert first.headers["x-sku"] == "is 2"
    assert int(first.headers["content-length"]) == len(first.body)


def test_each_request_has_a_uuid_of_its_own(agent: AgentProcess) -> None:
    spec = request(
        "/thing?key={uuid}", method="POST", json={"key": "{uuid}"}, headers={"Idempotency-Key": "{uuid}"}
    )
    with OddServer() as server:
        ready(agent, server, spec)
        totals, _ = driven(agent)
    keys = [each.path.partition("=")[2] for each in server.of("/thing")]
    assert len(set(keys)) == len(keys) == totals["ok"] > 3
    for each, key in zip(server.of("/thing"), keys, strict=True):
        assert json.loads(each.body) == {"key": key}
        assert each.headers["idempotency-key"] == key


def test_kinds_are_sent_by_their_weights(agent: AgentProcess) -> None:
    with OddServer() as server:
        ready(agent, server, request("/thing", weight=9), request("/gzip", weight=1))
        driven(agent, load=OPEN, measure_s=2.0)
    assert 0.02 < len(server.of("/gzip")) / len(server.seen) < 0.25


@pytest.mark.parametrize(
    "path", ["/thing", "/gzip", "/zlib", "/deflate", "/chunked", "/until-closed", "/continue"]
)
def test_a_right_answer_is_right_however_it_is_framed(agent: AgentProcess, path: str) -> None:
    with OddServer() as server:
        ready(agent, server, request(path, expect={"json_exact": {"thing": [1, 2]}}))
        agent.result(**VERIFY)
        totals, statuses = driven(agent)
    assert totals["ok"] == totals["scheduled"] == len(server.of(path)) - 1 > 0
    assert set(statuses) == {200}


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("/created", {"method": "POST", "expect": {"status": 201, "json": {"id": 7}}}),
        ("/empty", {"method": "DELETE", "expect": {"status": 204}}),
        ("/same", {"expect": {"status": 304}}),
        ("/head", {"method": "HEAD", "expect": {"headers": {"X-Total": "3"}}}),
        ("/slash", {"expect": {"status": 307, "headers": {"Location": "http://127.0.0.1/slash/"}}}),
        ("/picky", {"method": "POST", "expect": {"status": 422, "text": "qty is"}}),
    ],
)
def test_another_status_may_be_the_right_one(agent: AgentProcess, path: str, changes: dict[str, Any]) -> None:
    """In the record 200 means right; connections are kept, and nothing waits for a body that never comes."""
    with OddServer() as server:
        ready(agent, server, request(path, **changes))
        agent.result(**VERIFY)
        totals, statuses = driven(agent)
    assert totals["ok"] == totals["scheduled"] > 3
    assert set(statuses) == {200}


def test_a_200_that_was_not_expected_does_not_look_right(agent: AgentProcess) -> None:
    with OddServer() as server:
        ready(agent, server, request("/thing", expect={"status": 201}))
        totals, statuses = driven(agent)
    assert totals["failed"] == totals["scheduled"] > 0
    assert set(statuses) == {WRONG_BODY}


SCHEMA = {"type": "object", "properties": {"thing": {"items": {"type": "string"}}}}


@pytest.mark.parametrize(
    ("path", "changes", "said"),
    [
        (
            "/slash",
            {},
            "307 to http://127.0.0.1/slash/: add the slash, or expect = { status = 307 }",
        ),
        ("/moved", {}, "GET /moved answered 302 to /elsewhere: redirects are not followed"),
        ("/private", {}, "status 401"),
        ("/private", {}, "`before` step"),
        ("/picky", {"method": "POST"}, "qty is missing"),
        ("/nowhere", {}, "GET /nowhere: status 404"),
        ("/thing", {"expect": {"json": {"thing": [1, 3]}}}, "thing[1] is 2 instead of 3"),
        ("/thing", {"expect": {"json": {"thing": [1]}}}, "thing has 2 items instead of 1"),
        ("/thing", {"expect": {"json": {"other": 1}}}, "other is missing"),
        ("/thing", {"expect": {"json_exact": {}}}, "the answer also has thing"),
        ("/created", {"expect": {"status": 201, "json": {"id": True}}}, "id is 7 instead of True"),
        ("/thing", {"expect": {"text": "thong"}}, "the text 'thong' is not in"),
        ("/thing", {"expect": {"headers": {"x-total": "3"}}}, "header x-total is None instead of '3'"),
        ("/thing", {"expect": {"json_schema": SCHEMA}}, "is not of type 'string'"),
        ("/not-gzip", {"expect": {"json": {}}}, "is not JSON"),
        ("/deep", {"expect": {"json": {"a": 1}}}, "is not JSON"),
        ("/latin", {"expect": {"json": {"a": 1}}}, "is not JSON"),
        ("/broken", {}, "connection broken"),
        ("/nonsense", {}, "connection broken"),
    ],
)
def test_a_wrong_answer_is_said_with_what_helps(
    agent: AgentProcess, path: str, changes: dict[str, Any], said: str
) -> None:
    with OddServer() as server:
        ready(agent, server, request(path, **changes))
        kind, text = agent.error(**VERIFY)
        totals, statuses = driven(agent)
    assert kind == "WrongResponse"
    assert said in text
    assert totals["ok"] == 0
    assert 200 not in statuses


def test_what_follows_an_answer_is_not_taken_for_the_next(agent: AgentProcess) -> None:
    with OddServer() as server:
        ready(agent, server, request("/twice", expect={"json": {"thing": [1, 2]}}))
        totals, _ = driven(agent)
    assert totals["ok"] == totals["scheduled"] > 1


def test_an_answer_before_the_whole_request_was_taken_is_read(agent: AgentProcess) -> None:
    with OddServer() as server:
        ready(agent, server, request("/too-large", method="POST", body="x" * 5_000_000))
        _, text = agent.error(**VERIFY)
    assert "status 413" in text


def test_every_body_is_checked(agent: AgentProcess) -> None:
    """One answer in seven is wrong, by one byte and by a number only."""
    turn = iter(range(10_000))

    def counting(_: Seen) -> bytes:
        return as_json({"n": 1 if next(turn) % 7 else 2})

    with OddServer(counting=counting) as server:
        ready(agent, server, request("/counting", expect={"json": {"n": 1}}))
        totals, statuses = driven(agent)
    wrong = sum(each % 7 == 0 for each in range(totals["scheduled"]))
    assert totals["failed"] == statuses[WRONG_BODY] == wrong > 0
    assert totals["ok"] == totals["scheduled"] - wrong


def test_an_expectation_may_name_the_row(agent: AgentProcess) -> None:
    """Each answer is held against its own row, not against what was right for another."""
    turn = iter(range(10_000))

    def echo(seen: Seen) -> bytes:
        asked = int(seen.path.partition("=")[2])
        return as_json({"id": 1 if next(turn) == 5 else asked})

    rows = [{"id": 1}, {"id": 2}]
    with OddServer(echo=echo) as server:
        spec = request("/echo?id={id}", rows=rows, expect={"json": {"id": "{id}"}})
        ready(agent, server, spec)
        totals, _ = driven(agent, load={"kind": "closed", "clients": 1})
    assert totals["failed"] == 1
    assert totals["ok"] == totals["scheduled"] - 1 > 5


LOGIN = {
    "path": "/login",
    "method": "POST",
    "form": {"user": "{user}"},
    "rows": [{"user": f"u{number}"} for number in range(10)],
    "keep": {"token": "json:auth.0.token", "csrf": "header:X-Csrf", "sid": "cookie:sid"},
}


def login(seen: Seen) -> bytes:
    name = seen.body.decode().partition("=")[2]
    headers = f"set-cookie: a=b\r\nset-cookie: sid=s-{name}; Path=/\r\nx-csrf: c-{name}\r\n"
    return as_json({"auth": [{"token": f"t-{name}"}]}, headers=headers)


MINE = request(
    "/thing?me={token}",
    headers={"Authorization": "Bearer {token}", "Cookie": "sid={sid}", "X-Csrf": "{csrf}"},
)


def test_each_client_logs_in_once_before_the_load_and_keeps_what_is_its_own(agent: AgentProcess) -> None:
    with OddServer(login=slowly_login) as server:
        ready(agent, server, MINE, before=[LOGIN])
        totals, _ = driven(agent)
    logins, sent = server.of("/login"), server.of("/thing")
    assert sorted(each.body for each in logins) == [b"user=u0", b"user=u1", b"user=u2"]
    assert not any(each.numbered for each in logins)
    assert server.seen[:3] == logins
    assert totals["ok"] == totals["scheduled"] == len(sent)
    who = {each.headers["authorization"].removeprefix("Bearer t-") for each in sent}
    assert who == {"u0", "u1", "u2"}
    for each in sent:
        name = each.headers["authorization"].removeprefix("Bearer t-")
        assert each.path == f"/thing?me=t-{name}"
        assert (each.headers["cookie"], each.headers["x-csrf"]) == (f"sid=s-{name}", f"c-{name}")


def slowly_login(seen: Seen) -> bytes:
    """For longer than a load waits before its start."""
    return slowly(0.3, login(seen))(seen)


def test_an_open_load_shares_one_login(agent: AgentProcess) -> None:
    with OddServer(login=login) as server:
        ready(agent, server, MINE, before=[LOGIN])
        totals, _ = driven(agent, load=OPEN, measure_s=0.4)
    assert [each.body for each in server.of("/login")] == [b"user=u0"]
    assert totals["ok"] == totals["scheduled"] == 20


def test_steps_that_were_taken_beforehand_are_not_taken_again(agent: AgentProcess) -> None:
    with OddServer(login=login) as server:
        ready(agent, server, MINE, before=[LOGIN])
        agent.result(op="prepare", clients=3, timeout_s=5.0)
        assert len(server.seen) == 3
        driven(agent)
        assert len(server.of("/login")) == 3
        driven(agent)
    assert len(server.of("/login")) == 6


def test_kept_values_and_rows_go_together(agent: AgentProcess) -> None:
    spec = request("/thing", method="POST", headers={"X-Me": "{token}"}, json={"sku": "{sku}"})
    spec["rows"] = [{"sku": "a"}, {"sku": "bb"}]
    with OddServer(login=login) as server:
        ready(agent, server, spec, before=[LOGIN])
        totals, _ = driven(agent)
    pairs = {(each.headers["x-me"], each.body) for each in server.of("/thing")}
    assert totals["ok"] == totals["scheduled"] > 10
    assert len(pairs) == 6


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({**LOGIN, "path": "/private"}, "step 1 before the load: POST /private: status 401"),
        (
            {**LOGIN, "keep": {"t": "json:auth.1.token"}},
            "keep.t = 'json:auth.1.token' is not in the answer: its",
        ),
        ({**LOGIN, "keep": {"t": "header:x-none"}}, "keep.t = 'header:x-none' is not"),
        ({**LOGIN, "keep": {"t": "cookie:si"}}, "keep.t = 'cookie:si' is not"),
        ({**LOGIN, "expect": {"status": 201}}, "POST /login: status 200 instead of status 201"),
    ],
)
def test_a_step_that_fails_is_named(agent: AgentProcess, step: dict[str, Any], said: str) -> None:
    with OddServer(login=login) as server:
        ready(agent, server, request("/thing"), before=[step])
        for message in (VERIFY, {**DRIVE, "load": CLOSED}, {"op": "prepare", "clients": 2, "timeout_s": 5.0}):
            kind, text = agent.error(**message)
            assert kind == "WrongResponse"
            assert said in text
            assert "t-u0" not in text
    assert not any(each.numbered for each in server.seen)


def test_a_token_with_a_line_break_is_refused_not_sent(agent: AgentProcess) -> None:
    evil = as_json({"token": "a\r\nX-Evil: 1"})
    with OddServer(login=lambda _: evil) as server:
        ready(agent, server, MINE, before=[{**LOGIN, "keep": {"token": "json:token"}}])
        kind, text = agent.error(**{**DRIVE, "load": CLOSED})
    assert kind == "BadRequest"
    assert "headers that HTTP does not allow" in text
    assert not server.of("/thing")


def test_the_first_request_tells_a_black_box_ready(agent: AgentProcess) -> None:
    turn = iter(range(1000))

    def late(_: Seen) -> bytes:
        return answer(THING) if next(turn) > 3 else answer(status="503 Service Unavailable")

    message = {**READY, "ready": None, "inside": False}
    with OddServer(late=late, login=login) as server:
        agent.own({**MINE, "path": "/late"}, before=[LOGIN])
        assert agent.result(**{**message, "base_url": server.base_url}) == {}
        assert server.seen[-1].headers["authorization"] == "Bearer t-u0"
        agent.own(request("/private"))
        kind, text = agent.error(**{**message, "base_url": server.base_url, "timeout_s": 0.2})
    assert kind == "NotReady"
    assert "GET /private: status 401" in text


@pytest.mark.parametrize(
    ("ready", "said"),
    [
        (None, "GET /private: status 401"),
        ("/slash", "GET /slash: status 307 to http://127.0.0.1/slash/ for 5 s: let target.ready name"),
    ],
)
def test_a_wrong_answer_that_stays_is_no_start(agent: AgentProcess, ready: str | None, said: str) -> None:
    """However long a start may take: an app that only ever answers 401 has started."""
    with OddServer() as server:
        agent.own(request("/private"))
        message = {**READY, "base_url": server.base_url, "ready": ready, "inside": False, "timeout_s": 3600}
        kind, text = agent.error(**message)
    assert kind == "WrongResponse"
    assert said in text


def test_a_ready_path_may_answer_any_2xx(agent: AgentProcess) -> None:
    with OddServer() as server:
        message = {**READY, "base_url": server.base_url, "inside": False}
        assert agent.result(**{**message, "ready": "/empty"}) == {}
        kind, text = agent.error(**{**message, "ready": "/slash", "timeout_s": 0.2})
    assert kind == "NotReady"
    assert "GET /slash: status 307 to http://127.0.0.1/slash/" in text


def test_where_the_server_listens_instead_is_said(agent: AgentProcess) -> None:
    with OddServer() as server:
        port = int(server.base_url.rpartition(":")[2])
        message = {**READY, "base_url": "http://127.0.0.1:9", "timeout_s": 0.2}
        kind, text = agent.error(**message)
    assert kind == "NotReady"
    assert "nothing listens on port 9; the server listens on" in text
    assert "set target.port" in text
    assert f":{port}" in text or "..." in text


def test_an_answer_may_take_as_long_as_the_scenario_says(agent: AgentProcess) -> None:
    with OddServer(slow=slowly(0.6, answer(THING))) as server:
        ready(agent, server, request("/slow"))
        kind, text = agent.error(**{**VERIFY, "timeout_s": 0.2})
        assert (kind, "no answer in time" in text) == ("WrongResponse", True)
        agent.result(**{**VERIFY, "timeout_s": 5.0})
        totals, _ = driven(agent, request_timeout_s=5.0)
    assert totals["ok"] == totals["scheduled"] == 3


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ({"path": "thing"}, "requests.0.path: String should match pattern"),
        ({"path": "/a", "rows": [{"a": 1}, {"b": 1}]}, "row 2 has other columns"),
        ({"path": "/a", "headers": {"a": 1}}, "requests.0.headers.a: Input should be a valid string"),
        ({"path": "/a", "content_b64": "?"}, "content_b64 is not base64"),
        ({"path": "/a", "expect": {"status": 1}}, "requests.0.expect.status: "),
        ({"path": "/a", "expect": {"json_schema": {"type": 3}}}, "expect.json_schema is no JSON Schema"),
        ({"path": "/a", "weight": 0}, "requests.0.weight: "),
        (3, "requests.0: Input should be an object"),
    ],
)
def test_a_request_that_cannot_be_sent_is_refused(agent: AgentProcess, spec: Any, named: str) -> None:
    kind, text = agent.error(op="workload", workload={"kind": "requests", "requests": [spec]})
    assert kind == "BadRequest"
    assert named in text


def test_more_than_can_be_kept_ready_is_refused(agent: AgentProcess) -> None:
    rows = [{"n": number} for number in range(300)]
    big = request("/thing", method="POST", body="{n}" + "x" * 1_000_000, rows=rows)
    with OddServer() as server:
        ready(agent, server, big)
        kind, text = agent.error(**DRIVE)
        assert (kind, "come to more than 256 MiB" in text) == ("BadRequest", True)
    many = request("/thing?n={n}", rows=[{"n": n} for n in range(100_001)])
    kind, text = agent.error(op="workload", workload={"kind": "requests", "requests": [many]})
    assert (kind, "at most 100000 items" in text) == ("BadRequest", True)
