"""What the load generator is told of a workload: files read in, secrets filled in, all else as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from harness.errors import ConfigurationError
from harness.model import ClosedLoad, Scenario
from harness.planning.workload_message import dealt, files_of, workload_message
from harness.workload import Expectation, FilePart, RequestSpec
from scenarios.loadkit.template import fill_json, fill_path, fill_text
from wire.messages import TellWorkload, line_of
from wire.workloads import FilledRequest, LocustWorkload, RequestsWorkload

BUNDLED = Scenario(
    name="s", locustfile="root", load=ClosedLoad(clients=1), warmup_s=0, measure_s=1, slo_ms=100
)
LOGIN = RequestSpec(
    method="POST",
    path="/login",
    form={"user": "{user}", "password": "{env:PASSWORD}"},
    data="users.csv",
    keep={"token": "json:access_token"},
)
ORDER = RequestSpec(
    method="POST",
    path="/orders/{id}?key={env:KEY}",
    headers={"Authorization": "Bearer {token}"},
    json={"qty": "{qty}", "note": ["{env:NOTE}", 1, None], "id": "{uuid}"},
    data="rows/orders.jsonl",
    expect=Expectation(
        status=201, json={"id": "{id}"}, headers={"X": "{env:KEY}"}, json_schema={"type": "object"}
    ),
    weight=3,
)
UPLOAD = RequestSpec(
    method="POST", path="/up", form={"a": "b"}, files=(FilePart(field_name="f", path="a.bin"),)
)
RAW = RequestSpec(method="PUT", path="/raw", body_file="raw.bin")
FILES = {
    "users.csv": b"user\nu0\nu1\n",
    "rows/orders.jsonl": b'{"id": 1, "qty": 2.5}\n{"id": 2, "qty": 3}\n',
    "a.bin": b"\xff\xd8",
    "raw.bin": b"\0\1",
}
SECRETS = {"PASSWORD": "p{user}w", "KEY": "a/b c", "NOTE": "{{id}} or {qty}"}


def own(*requests: RequestSpec, before: tuple[RequestSpec, ...] = ()) -> Scenario:
    return replace(BUNDLED, locustfile="", requests=requests, before=before)


def message(scenario: Scenario) -> Any:
    """As the agent decodes it."""
    told = json.loads(line_of(TellWorkload(workload=workload_message(scenario, FILES, SECRETS))))
    return told["workload"]


def test_a_scenario_that_ships_is_told_by_its_name() -> None:
    assert message(BUNDLED) == {"kind": "bundled", "locustfile": "root"}


def test_a_locust_file_is_told_whole_with_the_secrets() -> None:
    scenario = replace(BUNDLED, locustfile="load/shop.py")
    made = workload_message(scenario, {"load/shop.py": "ü = 1\n".encode()}, {"A": "b"})
    assert made == LocustWorkload(name="shop.py", source="ü = 1\n", env={"A": "b"})
    with pytest.raises(ConfigurationError, match=r"locustfile = 'load/shop\.py' was not found"):
        workload_message(scenario, {}, {})


def test_files_become_rows_and_bytes() -> None:
    made = message(own(ORDER, UPLOAD, RAW, before=(LOGIN,)))
    order, upload, raw = made["requests"]
    assert made["before"][0]["rows"] == [{"user": "u0"}, {"user": "u1"}]
    assert made["before"][0]["keep"] == {"token": "json:access_token"}
    assert order["rows"] == [{"id": 1, "qty": 2.5}, {"id": 2, "qty": 3}]
    assert (order["weight"], order["expect"]["status"]) == (3, 201)
    assert order["expect"]["json_schema"] == {"type": "object"}
    assert upload["files"] == [
        {
            "field_name": "f",
            "path": "a.bin",
            "content_type": "application/octet-stream",
            "content_b64": "/9g=",
        }
    ]
    assert raw["content_b64"] == "AAE="
    assert raw["rows"] == []


def test_secrets_are_filled_in_and_stay_out_of_the_name() -> None:
    order = message(own(ORDER, before=(LOGIN,)))["requests"][0]
    assert order["path"] == "/orders/{id}?key=a%2Fb%20c"
    assert order["name"] == "POST /orders/{id}?key={env:KEY}"
    assert order["expect"]["headers"] == {"X": "a/b c"}


def test_a_secret_with_braces_reaches_the_server_as_it_is() -> None:
    """Through the load generator's own filling in, which knows the names in it."""
    values = {"id": 1, "qty": 2, "user": "u0", "token": "t"}
    made = message(own(ORDER, before=(LOGIN,)))
    assert fill_json(made["requests"][0]["json"], values)["note"] == [SECRETS["NOTE"], 1, None]
    assert fill_text(made["before"][0]["form"]["password"], values) == SECRETS["PASSWORD"]
    odd = workload_message(own(RequestSpec(path="/{env:KEY}")), {}, {"KEY": "{id}%"})
    assert isinstance(odd, RequestsWorkload)
    assert fill_path(odd.requests[0].path, values) == "/%7Bid%7D%25"


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        (own(replace(ORDER, headers={})), None),
        (
            own(ORDER),
            "requests[0].headers.Authorization: nothing gives {token} a value (columns of",
        ),
        (own(replace(RAW, path="/{sku}")), "requests[0].path: nothing gives {sku} a value (there is no data"),
        (own(replace(RAW, path="/{env:NONE}")), "requests[0].path: {env:NONE} has no value"),
        (own(replace(RAW, body_file="none")), "requests[0].body_file = 'none' was not found"),
        (own(replace(RAW, data="none.csv")), "requests[0].data = 'none.csv' was not found"),
        (own(replace(RAW, data="a.bin")), "requests[0].data: a.bin"),
        (
            own(RAW, before=(replace(LOGIN, headers={"a": "{token}"}),)),
            "before[0].headers.a: nothing gives {t",
        ),
    ],
)
def test_what_cannot_be_filled_in_is_named(scenario: Scenario, said: str | None) -> None:
    if said is None:
        message(scenario)
        return
    with pytest.raises(ConfigurationError) as refusal:
        message(scenario)
    assert said in str(refusal.value)


def test_every_file_is_named_once() -> None:
    scenario = own(ORDER, UPLOAD, RAW, replace(ORDER, path="/"), before=(LOGIN,))
    assert set(files_of(scenario)) == FILES.keys()
    assert len(files_of(scenario)) == len(FILES)
    assert files_of(replace(BUNDLED, locustfile="a/b.py")) == ("a/b.py",)
    assert files_of(BUNDLED) == ()


def test_rows_are_dealt_so_that_each_goes_to_one_agent() -> None:
    rows = tuple({"id": number} for number in range(5))
    bare = FilledRequest(path="/")
    workload = RequestsWorkload(
        before=(FilledRequest(path="/login", rows=rows[:2]),),
        requests=(FilledRequest(path="/{id}", rows=rows), bare),
    )
    hands = [hand for index in range(3) if isinstance(hand := dealt(workload, index, 3), RequestsWorkload)]
    assert [hand.requests[0].rows for hand in hands] == [rows[0::3], rows[1::3], rows[2::3]]
    assert [hand.before[0].rows for hand in hands] == [rows[:1], rows[1:2], rows[:1]]
    assert all(hand.requests[1] == bare for hand in hands)
    assert dealt(workload, 0, 1) == workload
