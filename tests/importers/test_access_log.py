"""Importing access logs: the observed mix of the formats that servers write by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import ConfigurationError
from harness.importers import access_log
from harness.importers.access_log import from_access_log

UVICORN = Path(__file__).parent / "uvicorn.log"
NGINX = (
    '127.0.0.1 - - [25/Nov/2026:05:06:15 +0000] "GET /orders.json HTTP/1.1" 200 4197 "-" "Python-urllib/3.13"'
)
COMMON = '127.0.0.1 - kim [10/Oct/2000:13:55:36 -0700] "GET /orders.json HTTP/1.0" 200 2326'
VHOST = f"shop.test:443 {NGINX}"
GUNICORN_SOCKET = '- - - [25/Nov/2026:05:06:15 +0000] "GET /orders.json HTTP/1.1" 200 12 "-" "curl/8"'
IPV6 = NGINX.replace("127.0.0.1", "2001:db8::1")


def line(request: str = "GET /a HTTP/1.1", status: int | str = 200) -> str:
    return f'INFO:     10.0.0.1:5000 - "{request}" {status} OK'


def test_what_uvicorn_printed_becomes_the_mix_of_its_requests() -> None:
    imported = from_access_log(UVICORN.read_text().splitlines(), where="uvicorn.log")

    assert {spec.path: spec.weight for spec in imported.requests} == {
        "/healthz": 2,
        "/collections": 3,
        "/collections/public.points/items?limit=10": 2,
        "/collections/public.points/items/5": 1,
        "/collections/public.points/tiles/WebMercatorQuad/2/1/1": 1,
        "/collections/public.points/items?limit=10&f=json&bbox=0,0,10,10": 1,
    }
    said = "\n".join(imported.warnings)
    assert "1 POST request left out" in said
    assert "1 request left out: answered 404" in said
    assert "personal data" in said


@pytest.mark.parametrize(
    "text",
    [
        NGINX,
        COMMON,
        VHOST,
        GUNICORN_SOCKET,
        IPV6,
        '\x1b[32mINFO\x1b[0m: 10.0.0.1:50 - "\x1b[1mGET /orders.json HTTP/1.1\x1b[0m" \x1b[32m200 OK\x1b[0m',
        'api-1  | INFO:     10.0.0.1:5000 - "GET /orders.json HTTP/1.1" 200 OK',
        '2026-11-25 05:06:15 INFO 10.0.0.1:5000 - "GET /orders.json HTTP/1.1" 200',
        '[::1]:5000 - "GET /orders.json HTTP/2" 200 Non-Authoritative Information',
        line("GET http://shop.test/orders.json HTTP/1.1"),
    ],
)
def test_formats(text: str) -> None:
    assert [spec.path for spec in from_access_log([text], where="l").requests] == ["/orders.json"]


def test_formats_may_be_mixed_and_the_most_frequent_requests_are_kept() -> None:
    lines = [NGINX, *[line()] * 6, COMMON, line("GET /rare HTTP/1.1")]

    imported = from_access_log(lines, where="l", limit=2)

    assert [(spec.path, spec.weight) for spec in imported.requests] == [("/a", 3), ("/orders.json", 1)]
    assert (
        "2 most frequent of 3 distinct requests are kept: 8 of 9, 89% of those seen" in imported.warnings[-1]
    )


def test_cached_answers_are_expected_in_full_and_redirects_as_they_were() -> None:
    lines = [line(status=304), line("GET /b HTTP/1.1", 307), line("HEAD /c HTTP/1.1")]

    found = from_access_log(lines, where="l").requests

    assert [(spec.method, spec.path, spec.expect.status) for spec in found] == [
        ("GET", "/a", 200),
        ("GET", "/b", 307),
        ("HEAD", "/c", 200),
    ]


def test_braces_are_no_variables_and_secrets_are_not_written_down() -> None:
    imported = from_access_log([line("GET /{env:HOME}?api_key=abc&q={x} HTTP/1.1")], where="l")

    assert imported.requests[0].path == "/%7Benv:HOME%7D?api_key={env:API_KEY}&q=%7Bx%7D"
    assert any("{env:NAME}" in words for words in imported.warnings)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("Traceback (most recent call last):", "not a request in"),
        ("a" * 100_000, "not a request in"),
        (line("\\x16\\x03\\x01"), "not one of HTTP"),
        (line("GET /b"), "not one of HTTP"),
        (line("GET /b HTTP/1.1", 500), "answered 500"),
        (line("GET /b HTTP/1.1", 206), "answered 206"),
        (line("GET /b HTTP/1.1", 999), "answered 999"),
        (line("GET /\ud800 HTTP/1.1"), "not valid Unicode"),
        (line("GET /\x01 HTTP/1.1"), "control codes"),
        (line(f"GET /{'b' * 9000} HTTP/1.1"), "longer than 8192"),
        (line("DELETE /b HTTP/1.1"), "1 DELETE request left out"),
        (NGINX.replace("25/Nov/2026", "99/Nov/2026"), "not a request in"),
    ],
)
def test_lines_that_cannot_be_used_are_counted_and_named(bad: str, words: str) -> None:
    imported = from_access_log([line(), bad], where="l")

    assert [spec.path for spec in imported.requests] == ["/a"]
    assert any(words in warning for warning in imported.warnings), imported.warnings


def test_a_log_without_end_is_read_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "MAX_LINES", 50)

    def endless() -> Iterator[str]:
        while True:
            yield line()

    imported = from_access_log(endless(), where="l")

    assert imported.requests[0].weight == 1
    assert "Only the first 50 lines were read." in imported.warnings


@pytest.mark.parametrize("lines", [[], [""], ["hello"], [line(status=500)]])
def test_a_log_that_gives_nothing_is_refused(lines: list[str]) -> None:
    with pytest.raises(ConfigurationError, match=r"^access\.log:\n  - no line of it can be used"):
        from_access_log(lines, where="access.log")


def test_weights_stay_within_their_bound_whatever_the_counts() -> None:
    lines = [*[line()] * 5000, line("GET /rare HTTP/1.1")]

    assert [spec.weight for spec in from_access_log(lines, where="l").requests] == [1000, 1]
