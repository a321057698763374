"""The operations of the agent and its answers, and how they become lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import nan
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from wire.loads import Clients, Drive, Timeout
from wire.workloads import Workload

PROBE_PATH = "/.harness/probe"
"""Where the wrapper answers, and every server of ours that tells of its inside."""
TIMED_OUT, DISCONNECTED, WRONG_BODY, DROPPED, UNDRAINED, RAISED, REFUSED, PORTLESS = range(-1, -9, -1)
"""In the array `status`, of requests without a right answer; any other value is the HTTP status received.

DISCONNECTED lost its connection, REFUSED got none: nobody listens; PORTLESS got none either, as the generator
had no local port left. DROPPED was never sent, UNDRAINED was still unanswered when the load ended. RAISED is
no request: a task of a Locust file raised an exception.
"""
STEPS_AT_ONCE = 8
"""Clients of one agent that take their steps before the load at the same time: logging in is slow on purpose,
and not what is measured."""
ON_START_TIMEOUTS = 3
"""An on_start of a Locust file may take that many time-outs of a request."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class TellWorkload:
    """What later operations send. Answered by `Accepted`."""

    workload: Workload
    op: Literal["workload"] = "workload"


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitReady:
    """Wait until a server can serve, and remember it. Answered by the probe's report, {} of a black box."""

    base_url: Annotated[str, Field(pattern="^https?://")]
    workers: Annotated[int, Field(ge=1, le=4096)]
    timeout_s: Annotated[float, Field(ge=0, le=3600)]
    ready: str | None
    """A path that is to answer 2xx; None: the workload's first request is to be answered as expected."""
    inside: bool
    """Whether it has a probe, which is then to list that many workers."""
    op: Literal["ready"] = "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskProbe:
    """Answered by the probe's report."""

    op: Literal["probe"] = "probe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """Send each kind of request once."""

    timeout_s: Timeout
    op: Literal["verify"] = "verify"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepare:
    """Have each client take the steps before its first request."""

    clients: Clients
    timeout_s: Timeout
    op: Literal["prepare"] = "prepare"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskClock:
    """Answered by `ClockReading`."""

    op: Literal["clock"] = "clock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """End."""

    op: Literal["exit"] = "exit"


Operation = TellWorkload | AwaitReady | AskProbe | Verify | Prepare | Drive | AskClock | Exit


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """How many kinds of requests a workload has."""

    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReading:
    """CLOCK_MONOTONIC of the agent's machine, in seconds."""

    monotonic_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DriveProgress:
    """What an agent says of itself about once a second: requests answered so far, and their present rate."""

    elapsed_s: float
    requests: int
    per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Counts over every request: scheduled = ok + failed + timed_out + dropped + undrained."""

    scheduled: int
    ok: int
    failed: int
    timed_out: int
    dropped: int
    undrained: int
    id_sum: int
    """Sum modulo 2**64 of the ids of all requests that got a whole HTTP answer, right or wrong."""
    id_xor: int
    in_flight_s: float = nan
    """Sum of the times from send to answer of these requests; NaN in old records."""
    wrong_bodies: int | None = None
    """Those of `failed` that have the right status and another body than is expected; None in old records."""
    exchanges: int | None = None
    """HTTP exchanges that were answered, where a request may be several (the redirects of a Locust file); the
    ids are theirs. None: each answered request is one."""
    exchanges_sent: int | None = None
    """With those that were not answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriveResult(Totals):
    """What an agent answers to `drive`."""

    window_start_s: float
    window_end_s: float
    arrays_npz_b64: str
    """An .npz file: intended_s, sent_s, finished_s, status (200 is a right answer) and generator_cpu_share;
    for each span span_start_s, span_end_s (of what is measured) and span_answered (in all of it)."""


_OPERATION: TypeAdapter[Operation] = TypeAdapter(Annotated[Operation, Field(discriminator="op")])


_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)
"""Of a kind of answer, made once: they come every second while a load is measured."""


def line_of(operation: Operation) -> str:
    """The message that asks for it."""
    return _OPERATION.dump_json(operation).decode()


def operation_of(line: str) -> Operation:
    """What a line asks for. Raises ValueError naming the first field that is wrong."""
    try:
        return _OPERATION.validate_json(line, strict=True)
    except ValidationError as error:
        raise ValueError(first_problem(error)) from error


def answer_of(kind: type[T], result: Any) -> T:
    """The `result` of an answer, decoded from JSON. Raises ValueError naming a field that is wrong."""
    try:
        answer: T = _adapter(kind).validate_json(json.dumps(result), strict=True)
    except ValidationError as error:
        raise ValueError(f"no {kind.__name__}: {first_problem(error)}") from error
    return answer


def first_problem(error: ValidationError) -> str:
    """In a line: where, what is wrong, and what stood there."""
    problem = error.errors(include_url=False)[0]
    where = ".".join(map(str, problem["loc"])) or "the message"
    return f"{where}: {problem['msg']}, got {problem['input']!r:.80}"
