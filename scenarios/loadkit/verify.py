"""One request of each kind, checked in full: before and after a load, never during."""

from __future__ import annotations

from scenarios.loadkit.client import SendOnceClient
from scenarios.loadkit.errors import WrongResponse
from scenarios.loadkit.user import LeanUser

TIMEOUT_S = 5.0
"""For each kind of request. Nothing else is under way, so a longer wait would only hide a hang."""


def verify(scenario: type[LeanUser], *, base_url: str) -> int:
    """How many kinds of requests were answered as expected. Raises WrongResponse naming all that were not.

    These requests carry no x-harness-id, so they stay out of the server's count of the load.
    """
    client = SendOnceClient.to(base_url, timeout_s=TIMEOUT_S)
    try:
        answers = [
            (request, client.fetch(client.request_head(request.path, request.headers) + b"\r\n"))
            for request in (*scenario.requests, *((scenario.beside,) if scenario.beside else ()))
        ]
    finally:
        client.close()
    problems = [problem for request, answer in answers if (problem := request.problem(answer))]
    if problems:
        raise WrongResponse("; ".join(problems))
    return len(answers)
