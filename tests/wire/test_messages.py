"""Every message survives its way as a line; one that is wrong is refused with the field that is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.scenarios.agent_process import DRIVE
from wire.loads import ClosedLoad, Drive, OpenLoad
from wire.messages import (
    Accepted,
    AskProbe,
    AwaitReady,
    Exit,
    Operation,
    Prepare,
    TellWorkload,
    Totals,
    Verify,
    answer_of,
    line_of,
    operation_of,
)
from wire.workloads import (
    BundledWorkload,
    Expectation,
    FileContent,
    FilledRequest,
    LocustWorkload,
    RequestsWorkload,
)

OPEN = {"kind": "open", "rate_per_s": 100.0, "arrivals": "poisson"}
ORDER = FilledRequest(
    path="/orders/{id}",
    method="POST",
    headers={"x-a": "ü"},
    json={"qty": [1, None, "{qty}"]},
    expect=Expectation(status=201, json={"id": "{id}"}, json_schema={"type": "object"}),
    weight=3,
    rows=({"id": 1, "qty": 2.5}, {"id": 2, "qty": True}),
    keep={"token": "json:a.b"},
    name="POST /orders",
)
UPLOAD = FilledRequest(
    path="/up", files=(FileContent(field_name="f", path="a.bin", content_type="a/b", content_b64="/9g="),)
)
CLOSED = Drive(
    load=ClosedLoad(clients=4),
    spans_s=((0.0, 1.0), (1.5, 2.0)),
    ramp_s=0.2,
    rest_until_s=3.0,
    request_timeout_s=5.0,
    drain_s=5.0,
    seed=2**63 - 1,
    id_base=1 << 48,
    start_at_s=12.5,
)


@pytest.mark.parametrize(
    "operation",
    [
        TellWorkload(workload=BundledWorkload(locustfile="root")),
        TellWorkload(workload=LocustWorkload(name="a.py", source="ü = 1\n", env={"A": "b"})),
        TellWorkload(workload=RequestsWorkload(requests=(ORDER, UPLOAD), before=(ORDER,))),
        AwaitReady(base_url="http://127.0.0.1:1", workers=2, timeout_s=3.0, ready=None, inside=True),
        AskProbe(),
        Verify(timeout_s=1.0),
        Prepare(clients=900, timeout_s=1.0),
        CLOSED,
        Exit(),
    ],
)
def test_what_is_sent_is_what_arrives(operation: Operation) -> None:
    line = line_of(operation)
    assert "\n" not in line
    assert operation_of(line) == operation


def test_both_kinds_of_load_are_read() -> None:
    closed, opened = (operation_of(json.dumps(told)) for told in (DRIVE, {**DRIVE, "load": OPEN}))
    assert isinstance(closed, Drive)
    assert isinstance(opened, Drive)
    assert closed.load == ClosedLoad(clients=4)
    assert opened.load == OpenLoad(rate_per_s=100.0)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"load": None}, "drive.load: "),
        ({"load": {"kind": "burst"}}, "tag 'burst' found using 'kind' does not match"),
        ({"load": {"kind": "closed", "clients": 0}}, "load.closed.clients: Input should be greater than or"),
        ({"load": {"kind": "closed", "clients": 901}}, "less than or equal to 900, got 901"),
        (
            {"load": {"kind": "closed", "clients": True}},
            "closed.clients: Input should be a valid int",
        ),
        ({"load": {"kind": "closed"}}, "load.closed.clients: Field required"),
        (
            {"load": {**OPEN, "rate_per_s": float("nan")}},
            "open.rate_per_s: Input should be a finite",
        ),
        ({"load": {**OPEN, "rate_per_s": -1}}, "load.open.rate_per_s"),
        ({"load": {**OPEN, "arrivals": "bursty"}}, "should be 'poisson' or 'constant', got 'bursty'"),
        ({"load": {**OPEN, "rate_per_s": 1e6}, "spans_s": [[0, 60]]}, "lower rate_per_s, or measure"),
        ({"spans_s": []}, "drive.spans_s: Tuple should have at least 1 item"),
        ({"spans_s": [[0, 0.2]]}, "spans_s.0 ends at 0.2 s, but must last for ramp_s and 0.02 s"),
        ({"spans_s": [[0, 1], [0.5, 2]]}, "spans_s.1 begins at 0.5 s, inside the span before"),
        ({"spans_s": [[0, 1], [2]]}, "drive.spans_s.1.1: Field required"),
        ({"spans_s": [[0, float("inf")]]}, "drive.spans_s.0.1"),
        ({"ramp_s": "1"}, "drive.ramp_s: Input should be a valid number, got '1'"),
        ({"seed": 1.5}, "drive.seed: Input should be a valid integer"),
        ({"id_base": 2**63}, "drive.id_base"),
        ({"start_at_s": "now"}, "drive.start_at_s"),
    ],
)
def test_a_bad_field_of_a_load_is_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match="drive") as refusal:
        operation_of(json.dumps({**DRIVE, **changes}))
    assert named in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        ({"path": "x"}, "path: String should match pattern"),
        ({"path": "/", "expect": {"status": 99}}, "expect.status: "),
        ({"path": "/", "headers": {"a": 1}}, "headers.a: Input should be a valid string"),
        ({"path": "/", "rows": [{"a": 1}, {"b": 1}]}, "row 2 has other columns than the first one"),
        ({"path": "/", "rows": [{}] * 100_001}, "at most 100000 items"),
        ({"path": "/", "weight": 0}, "weight: "),
    ],
)
def test_a_bad_field_of_a_request_is_named(request_: dict[str, Any], named: str) -> None:
    message = {"op": "workload", "workload": {"kind": "requests", "requests": [request_]}}
    with pytest.raises(ValueError, match=r"workload\.workload\.requests\.requests\.0") as refusal:
        operation_of(json.dumps(message))
    assert named in str(refusal.value)


def test_an_answer_is_read_strictly() -> None:
    assert answer_of(Accepted, {"requests": 2}) == Accepted(requests=2)
    with pytest.raises(ValueError, match=r"no Accepted: requests: .* got '2'"):
        answer_of(Accepted, {"requests": "2"})
    with pytest.raises(ValueError, match="no Totals: ok: Field required"):
        answer_of(Totals, {"scheduled": 1})
