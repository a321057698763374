"""Bytes and bounds of prepared requests, without any network."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from scenarios.loadkit import accepted as accepted_module
from scenarios.loadkit.accepted import MAX_BODIES, MAX_BODY_BYTES, Accepted
from scenarios.loadkit.body import Json
from scenarios.loadkit.client import SendOnceClient
from scenarios.loadkit.expectation import difference
from scenarios.loadkit.prepare import Budget, Fixed, Prepared, whole
from scenarios.loadkit.request import Request
from scenarios.loadkit.template import fill_json, fill_path, fill_text

CLIENT = SendOnceClient.to("http://127.0.0.1:8000", timeout_s=1.0)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def test_a_request_without_variables_is_the_same_bytes_but_for_its_id() -> None:
    request = Request(path="/a", expect=b"", method="POST", body=Json({"a": "{b}"}))
    prepared = Prepared(request, CLIENT, kept=frozenset({"token"}), budget=Budget())
    outgoing = prepared.outgoing({"token": "t"}, Budget(0))
    assert isinstance(outgoing, Fixed)
    data, _ = outgoing.next(42)
    assert data.startswith(b"POST /a HTTP/1.1\r\n")
    assert b"\r\nx-harness-id: 42\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n" in data
    assert data.endswith(b'\r\n\r\n{"a":"{b}"}')
    assert whole(request, CLIENT, {}) == data.replace(b"x-harness-id: 42\r\n", b"")


def test_the_headers_of_a_request_win() -> None:
    headers = (("host", "shop.example"), ("user-agent", "theirs"), ("connection", "close"))
    data = whole(Request(path="/", expect=b"", headers=headers), CLIENT, {}).lower()
    for name, value in headers:
        assert data.count(f"{name}: ".encode()) == 1
        assert f"\r\n{name}: {value}\r\n".encode() in data


@given(st.text())
def test_a_value_in_a_path_stays_one_segment_and_one_line(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        return
    path = fill_path("/a/{x}/b?y={x}", {"x": value})
    assert path.isascii()
    assert path.isprintable()
    assert (path.count("/"), path.count("?"), " " in path) == (3, 1, False)


@given(st.text(alphabet="{}ab_.-"))
def test_names_that_are_not_known_stay_as_they_are(template: str) -> None:
    if "{{" not in template:
        assert fill_text(template, {}) == template


def test_a_value_is_not_looked_at_for_variables() -> None:
    assert fill_text("{a}{b}", {"a": "{b}", "b": "x"}) == "{b}x"
    assert fill_text("{{a}} {a.b-c}", {"a": 1, "a.b-c": 2.5}) == "{a} 2.5"


@given(ANYTHING)
def test_json_without_variables_is_not_changed(value: object) -> None:
    if "{" not in json.dumps(value, ensure_ascii=False).replace('{"', "").replace("{}", ""):
        assert fill_json(value, {"a": 1}) == value


@given(ANYTHING)
def test_a_value_has_no_difference_from_itself(value: object) -> None:
    assert difference(value, value, exact=True) is None
    assert difference(value, value, exact=False) is None


def test_bodies_are_accepted_by_every_byte_and_within_bounds() -> None:
    accepted = Accepted()
    long = b"x" * (MAX_BODY_BYTES + 1)
    for body in (b"a", long):
        accepted.add(bytearray(body))
        accepted.add(b"another")
        assert bytearray(body) in accepted
        assert body[:-1] + b"y" not in accepted
        assert body[:-1] not in accepted
    for number in range(2 * MAX_BODIES):
        accepted.add(b"%d" % number)
    assert b"0" in accepted
    assert b"%d" % (2 * MAX_BODIES - 1) in accepted
    assert b"%d" % (2 * MAX_BODIES - 2) not in accepted


def test_no_body_passes_for_the_hash_of_another() -> None:
    accepted = Accepted()
    long = b"x" * (MAX_BODY_BYTES + 1)
    accepted.add(long)
    accepted.add(b"another")
    key = accepted_module._key(long)
    assert key not in accepted
    assert key[1:] not in accepted
