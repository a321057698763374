"""What counts as the expected answer."""

from __future__ import annotations

import pytest

from scenarios.loadkit.answer import Answer
from scenarios.loadkit.chain import sha256_chain
from scenarios.loadkit.request import Request, json_body
from wire.messages import DISCONNECTED, PORTLESS, REFUSED, TIMED_OUT

ROOT = Request(path="/", expect=json_body(lambda: {"message": "hello"}))


@pytest.mark.parametrize("body", [b'{"message":"hello"}', b'{ "message": "hello" }'])
def test_json_is_compared_by_meaning(body: bytes) -> None:
    assert ROOT.problem(Answer(200, body)) is None


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        (Answer(404, b'{"message":"hello"}'), "status 404"),
        (Answer(200, b'{"message":"hello"'), "unexpected body"),
        (Answer(200, b'{"message":"hello","more":1}'), "unexpected body"),
        (Answer(200, b"\xff\xfe"), "unexpected body"),
        (Answer(TIMED_OUT, b""), "no answer in time"),
        (Answer(DISCONNECTED, b""), "connection broken"),
        (Answer(REFUSED, b""), "connection refused"),
        (Answer(PORTLESS, b""), "no local port left"),
    ],
)
def test_a_wrong_answer_is_named(answer: Answer, named: str) -> None:
    problem = ROOT.problem(answer)
    assert problem is not None
    assert problem.startswith("GET /: ")
    assert named in problem


def test_bytes_are_compared_exactly() -> None:
    request = Request(path="/payload?bytes=2", expect=b"xx")
    assert request.problem(Answer(200, b"xx")) is None
    assert request.problem(Answer(200, b"xxx")) is not None


def test_the_expectation_is_built_once_and_only_when_needed() -> None:
    built: list[int] = []
    check = json_body(lambda: built.append(1) or {"a": 1})
    assert not built
    assert check(b'{"a":1}')
    assert check(b'{"a":1}')
    assert len(built) == 1


def test_the_chain_hashes_the_digest_before() -> None:
    # printf target_app | sha256sum
    assert sha256_chain(1) == "8e22c9df07bc22919959c7e647a121782ef97f2cab2e88a46471300dba6b1c6e"
