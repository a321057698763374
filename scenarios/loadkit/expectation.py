"""What an answer must be, and the sentence that says why it is not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from scenarios.loadkit.answer import Answer
from scenarios.loadkit.errors import BadRequest
from scenarios.loadkit.template import Values, fill_json, fill_text, names_in
from wire.workloads import Expectation

QUOTED_BYTES = 200


def names(expect: Expectation) -> frozenset[str]:
    """The variables in it."""
    return frozenset(names_in([expect.json, expect.json_exact, expect.text, dict(expect.headers)]))


def filled(expect: Expectation, values: Values) -> Expectation:
    return replace(
        expect,
        json=fill_json(expect.json, values),
        json_exact=fill_json(expect.json_exact, values),
        text=None if expect.text is None else fill_text(expect.text, values),
        headers={name: fill_text(value, values) for name, value in expect.headers.items()},
    )


def problem(expect: Expectation, answer: Answer) -> str | None:
    """What is wrong with an answer of the right status, or None."""
    return next(_problems(expect, answer), None)


def _problems(expect: Expectation, answer: Answer) -> Iterator[str]:
    for name, wanted in expect.headers.items():
        got = answer.header(name)
        if got != wanted:
            yield f"header {name} is {got!r} instead of {wanted!r}"
    if expect.text is not None and expect.text not in answer.body.decode(errors="replace"):
        yield f"the text {expect.text!r} is not in {quoted(answer.body)}"
    if expect.json is None and expect.json_exact is None and expect.json_schema is None:
        return
    try:
        got_json = json.loads(answer.body)
    except (ValueError, RecursionError):
        yield f"unexpected body {quoted(answer.body)} is not JSON"
        return
    for wanted, exact in ((expect.json, False), (expect.json_exact, True)):
        if wanted is not None and (found := difference(wanted, got_json, exact=exact)):
            yield f"unexpected body: {found} in {quoted(answer.body)}"
    if expect.json_schema is not None and (found := _schema_problem(expect.json_schema, got_json)):
        yield f"unexpected body: {found} in {quoted(answer.body)}"


def status_problem(label: str, path: str, answer: Answer, status: int) -> str:
    """Why another status than the one expected came, with what helps where that is known."""
    if 300 <= answer.status < 400:
        target = answer.header("location") or "nowhere"
        return f"{label} answered {answer.status} to {target}: {_redirect_hint(path, target, answer.status)}"
    said = f" and {quoted(answer.body)}" if answer.status >= 400 and answer.body else ""
    hints = {
        401: ": log in with a `before` step that keeps a token, or send a header",
        403: ": log in with a `before` step that keeps a token, or send a header",
        422: ": send what the app asks for",
    }
    return f"{label}: {answer}{said} instead of status {status}{hints.get(answer.status, '')}"


def _redirect_hint(path: str, target: str, status: int) -> str:
    expecting = f"or expect = {{ status = {status} }}"
    before, after = urlsplit(path).path, urlsplit(target).path
    if after == before + "/":
        return f"add the slash, {expecting}"
    if before == after + "/":
        return f"leave out the slash, {expecting}"
    return f"redirects are not followed; ask for that path, {expecting}"


def quoted(body: bytes | bytearray) -> str:
    """The start of a body."""
    more = f"... ({len(body)} bytes)" if len(body) > QUOTED_BYTES else f" ({len(body)} bytes)"
    return f"{bytes(body[:QUOTED_BYTES])!r}{more}"


def difference(wanted: Any, got: Any, *, exact: bool, at: str = "") -> str | None:
    """Where `got` is not as wanted, or None. Unless `exact`, it may have more members than those wanted."""
    here = at or "the answer"
    if isinstance(wanted, dict) and isinstance(got, dict):
        for name in wanted:
            if name not in got:
                return f"{at}{'.' if at else ''}{name} is missing"
        if exact and len(got) > len(wanted):
            more = ", ".join(sorted(got.keys() - wanted.keys())[:5])
            return f"{here} also has {more}"
        pairs = [(f"{at}{'.' if at else ''}{name}", wanted[name], got[name]) for name in wanted]
    elif isinstance(wanted, list) and isinstance(got, list):
        if len(wanted) != len(got):
            return f"{here} has {len(got)} items instead of {len(wanted)}"
        pairs = [(f"{at}[{n}]", *pair) for n, pair in enumerate(zip(wanted, got, strict=True))]
    else:
        # In Python True == 1, in JSON it is not.
        alike = wanted == got and isinstance(wanted, bool) == isinstance(got, bool)
        return None if alike else f"{here} is {got!r:.80} instead of {wanted!r:.80}"
    return next((found for name, w, g in pairs if (found := difference(w, g, exact=exact, at=name))), None)


def checked_schema(schema: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """Raises BadRequest for what is no JSON Schema."""
    # Imported here: most scenarios have no schema, and the import takes a tenth of a second.
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise BadRequest(f"{where} is no JSON Schema: {error.message}") from error
    return schema


def _schema_problem(schema: Mapping[str, Any], got: Any) -> str | None:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match
    from referencing.exceptions import Unresolvable

    try:
        error = best_match(Draft202012Validator(schema).iter_errors(got))
    except Unresolvable as unresolvable:
        return f"the schema refers to what it does not hold ({unresolvable})"
    except RecursionError:
        return "it is nested too deeply for the schema"
    return None if error is None else f"{error.json_path}: {error.message[:200]}"
