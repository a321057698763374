"""The steps that a client takes before its first request, and what it keeps of the answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from gevent.pool import Pool

from scenarios.loadkit.answer import Answer
from scenarios.loadkit.client import SendOnceClient
from scenarios.loadkit.errors import BadRequest, WrongResponse
from scenarios.loadkit.expectation import quoted
from scenarios.loadkit.prepare import whole
from scenarios.loadkit.request import Request
from scenarios.loadkit.template import Values
from wire.messages import STEPS_AT_ONCE


def kept_by_clients(
    steps: Sequence[Request], base_url: str, *, clients: int, timeout_s: float
) -> list[dict[str, Any]]:
    """The values that each client keeps. Raises WrongResponse naming the step and what it was answered."""
    if not steps:
        return [{} for _ in range(clients)]
    # Not `map`: the first failure ends it all, instead of coming after everybody else's time-outs.
    pool, taken = Pool(STEPS_AT_ONCE), []
    try:
        for number in range(clients):
            taken.append(pool.spawn(kept_by_one, steps, base_url, number=number, timeout_s=timeout_s))
        return [greenlet.get() for greenlet in taken]
    finally:
        pool.kill()


def kept_by_one(
    steps: Sequence[Request], base_url: str, *, number: int = 0, timeout_s: float
) -> dict[str, Any]:
    """The values that one client keeps; the nth client takes the nth row of a step's data.

    Raises WrongResponse.
    """
    kept: dict[str, Any] = {}
    if not steps:
        return kept
    client = SendOnceClient.to(base_url, timeout_s=timeout_s)
    try:
        for place, step in enumerate(steps, start=1):
            row = step.rows[number % len(step.rows)] if step.rows else {}
            _take(step, place, client, {**kept, **row}, kept)
    finally:
        client.close()
    return kept


def _take(step: Request, place: int, client: SendOnceClient, values: Values, kept: dict[str, Any]) -> None:
    where = f"step {place} before the load"
    try:
        data = whole(step, client, values)
    except BadRequest as error:
        raise WrongResponse(f"{where}: {error}") from error
    answer = client.fetch(data, bodyless=step.bodyless)
    if problem := step.problem(answer, values):
        raise WrongResponse(f"{where}: {problem}", status=answer.status)
    for name, source in step.keep.items():
        value = found(source, answer)
        if value is None:
            raise WrongResponse(
                f"{where}: {step.label}: keep.{name} = {source!r} is not in the answer: {shown(answer)}"
            )
        kept[name] = value


def shown(answer: Answer) -> str:
    """Of an answer that may hold a token: the names in it, and values only where there are none."""
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        return quoted(answer.body)
    return f"its members are {', '.join(body) or 'none'}" if isinstance(body, dict) else quoted(answer.body)


def found(source: str, answer: Answer) -> Any:
    """What "json:a.b.0.c", "header:NAME" or "cookie:NAME" stands for; None where it is not there."""
    kind, _, what = source.partition(":")
    if kind == "header":
        return answer.header(what)
    if kind == "cookie":
        return answer.cookie(what)
    try:
        place = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    for key in what.split("."):
        if isinstance(place, dict) and key in place:
            place = place[key]
        elif isinstance(place, list) and key.isdecimal() and int(key) < len(place):
            place = place[int(key)]
        else:
            return None
    return place
