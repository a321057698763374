"""Importing a HAR: what becomes requests, what is left out and named, and what hostile files do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigurationError
from harness.importers import har as har_module
from harness.importers.har import from_har

CHROMIUM = Path(__file__).parent / "chromium.har"


def entry(
    method: str = "GET",
    url: str = "http://api.test/items",
    status: int = 200,
    headers: dict[str, str] | None = None,
    **request: Any,
) -> dict[str, Any]:
    pairs = [{"name": name, "value": value} for name, value in (headers or {}).items()]
    return {
        "request": {"method": method, "url": url, "headers": pairs, **request},
        "response": {"status": status},
    }


def har(*entries: Any) -> str:
    return json.dumps({"log": {"version": "1.2", "entries": list(entries)}})


def json_data(value: str) -> dict[str, Any]:
    return {"postData": {"mimeType": "application/json; charset=utf-8", "text": value}}


def test_a_recording_of_chromium_becomes_the_mix_that_it_shows() -> None:
    imported = from_har(CHROMIUM.read_bytes(), where="chromium.har", writes=True)

    found = {(spec.method, spec.path): spec for spec in imported.requests}
    assert {key: spec.weight for key, spec in found.items()} == {
        ("GET", "/orders?page=1"): 2,
        ("POST", "/orders"): 1,
        ("POST", "/login"): 1,
    }
    created = found["POST", "/orders"]
    assert created.json == {"sku": "a-1", "qty": 2}
    assert created.expect.status == 201
    assert dict(created.headers) == {"accept": "application/json", "x-tenant": "north"}
    login = found["POST", "/login"]
    assert login.form == {"username": "bench", "password": "{env:PASSWORD}"}

    said = "\n".join(imported.warnings)
    assert "1 static asset left out" in said
    assert "sent to https://cdn.test, not to https://shop.test" in said
    assert "'authorization'" in said
    assert "'cookie'" in said
    assert "[[scenarios.before]]" in said
    assert "{env:PASSWORD}" in said
    assert "hunter2" not in repr(imported)
    assert "eyJhbGciOi" not in repr(imported)


def test_the_most_frequent_origin_is_taken_unless_one_is_named() -> None:
    text = har(entry(), entry(), entry(url="https://other.test:443/a"))

    assert [spec.path for spec in from_har(text, where="h").requests] == ["/items"]
    assert [spec.path for spec in from_har(text, where="h", origin="https://other.test").requests] == ["/a"]
    with pytest.raises(ConfigurationError, match=r"no request to http://none\.test"):
        from_har(text, where="h", origin="http://none.test")


def test_writes_opt_in_and_are_named_when_left_out() -> None:
    imported = from_har(har(entry(), entry("POST", **json_data("{}"))), where="h")

    assert [spec.method for spec in imported.requests] == ["GET"]
    assert any("1 POST request left out" in words and "--writes" in words for words in imported.warnings)


def test_what_the_browser_had_in_its_cache_is_expected_in_full() -> None:
    assert from_har(har(entry(status=304)), where="h").requests[0].expect.status == 200


def test_equal_requests_with_different_answers_expect_the_usual_one_and_say_so() -> None:
    imported = from_har(har(entry(status=404), entry(), entry()), where="h")

    assert [(spec.weight, spec.expect.status) for spec in imported.requests] == [(1, 200)]
    assert "answered 200 (2x), 404 (1x); 200 is expected" in imported.warnings[-1]


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://api.test/{env:HOME}/{uuid}?q={x}", "/%7Benv:HOME%7D/%7Buuid%7D?q=%7Bx%7D"),
        ("http://api.test", "/"),
        ("http://api.test//evil.test/a", "/evil.test/a"),
        ("http://api.test/a?access_token=abc&b=1", "/a?access_token={env:ACCESS_TOKEN}&b=1"),
        ("http://api.test/a?author=kim", "/a?author=kim"),
        ("http://api.test/é?q=a%20b", "/%C3%A9?q=a%20b"),
    ],
)
def test_urls_hold_no_variables_by_accident_and_no_secrets(url: str, path: str) -> None:
    assert from_har(har(entry(url=url)), where="h").requests[0].path == path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"q": "{name}"}', {"json": {"q": "{{name}}"}}),
        ('{"q": null}', {"body": '{"q":null}'}),
        ('{"{id}": 1}', {"body": '{"{{id}}":1}'}),
        ("36893488147419103232", {"body": "36893488147419103232"}),
        ('{"api_key": "s3cret", "a": [1, true]}', {"json": {"api_key": "{env:API_KEY}", "a": [1, True]}}),
    ],
)
def test_json_bodies_stand_for_themselves(text: str, expected: dict[str, Any]) -> None:
    spec = from_har(har(entry("POST", **json_data(text))), where="h", writes=True).requests[0]

    assert {"json": spec.json, "body": spec.body} == {"json": None, "body": None, **expected}


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (
            {"request": {"method": 7, "url": "http://api.test/"}, "response": {"status": 200}},
            "request.method",
        ),
        ({"request": None}, "malformed entry"),
        (7, "malformed entry"),
        (entry(status=0), "answered 0"),
        (entry(status=502), "answered 502"),
        (entry(url="data:text/plain,a"), "not one of http"),
        (entry(url="http://[::1/"), "not one of http"),
        (entry(url="http://api.test/a\x1bb"), "control codes"),
        (entry(url="http://api.test/" + "a" * 9000), "longer than 8192"),
        (entry(url="http://api.test/\ud800"), "valid string"),
        (entry("OPTIONS"), "'OPTIONS' request"),
        (entry(headers={"x-a": "a\nb"}), "header 'x-a' cannot be sent"),
        (entry("POST", **json_data("{")), "said to be JSON and is not"),
        (entry("POST", **json_data("[" * 16_000)), "said to be JSON and is not"),
        (entry("POST", **json_data('"' + "a" * 300_000 + '"')), "longer than 16 KiB"),
        (entry("POST", **json_data('{"a": "{env:HOME}"}')), "read as a secret"),
        (entry("POST", postData={"mimeType": "multipart/form-data", "text": "--x"}), "multipart"),
    ],
)
def test_what_cannot_be_used_is_left_out_and_named(bad: Any, words: str) -> None:
    imported = from_har(har(entry(), entry(), bad), where="h", writes=True)

    assert [spec.path for spec in imported.requests] == ["/items"]
    assert any(words in warning for warning in imported.warnings), imported.warnings
    assert "\x1b" not in "".join(imported.warnings)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"log": 1}', '{"log": {"entries": {}}}', "[" * 200_000, b"\xff"]
)
def test_a_file_that_is_no_har_is_refused(text: str | bytes) -> None:
    with pytest.raises(ConfigurationError, match="not a HAR"):
        from_har(text, where="session.har")


def test_a_file_that_is_too_large_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(har_module, "MAX_SIZE", 100)

    with pytest.raises(ConfigurationError, match="most that is read"):
        from_har(b" " * 101, where="h")


def test_fifty_mebibytes_of_one_body_are_left_out_not_written_down() -> None:
    huge = entry("POST", **json_data('"' + "a" * (50 * 2**20) + '"'))

    imported = from_har(har(entry(), huge), where="h", writes=True)

    assert len(imported.requests) == 1
    assert len(repr(imported)) < 2000


def test_bodies_that_a_matrix_file_cannot_hold_are_left_out_and_said() -> None:
    text = har(*[entry("POST", **json_data(json.dumps({"n": n, "text": "a" * 15_000}))) for n in range(9)])

    imported = from_har(text, where="h", writes=True)

    assert len(imported.requests) == 4
    assert "The 4 most frequent of 9 distinct requests are kept: 4 of 9" in imported.warnings[-1]
