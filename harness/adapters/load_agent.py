"""One load agent's end of its channel, and what its answers say."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from harness.deployment import ServerFacts
from harness.errors import CannotServe, GeneratorFailed, NotReady, TrialError, WrongResponse
from harness.ports import Channel
from wire import PROTOCOL
from wire.messages import AskClock, ClockReading, Operation, answer_of, line_of

START_TIMEOUT_S = 30.0
CLOCK_ROUNDS, CLOCK_TIMEOUT_S = 10, 5.0

T = TypeVar("T")


class Agent:
    """One agent's end of its channel."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._greeted = False

    def send(self, operation: Operation) -> None:
        """Raises GeneratorFailed when the agent never came up."""
        if not self._greeted:
            greeting = self.receive(START_TIMEOUT_S).get("result")
            spoken = greeting.get("agent") if isinstance(greeting, dict) else None
            if spoken != PROTOCOL:
                raise GeneratorFailed(
                    f"the load agent speaks protocol {spoken}, the harness {PROTOCOL}: they are of different "
                    f"versions. Build the generator again."
                )
            self._greeted = True
        self._channel.send(line_of(operation))

    def receive(self, timeout_s: float) -> Mapping[str, Any]:
        """The next message: a progress, or an answer with `ok`. Raises GeneratorFailed for anything else."""
        line = self._channel.receive(timeout_s)
        try:
            message = json.loads(line)
        except json.JSONDecodeError as error:
            raise GeneratorFailed(f"the load agent wrote no JSON ({error}): {line[:200]!r}") from error
        if not isinstance(message, dict) or not {"progress", "ok"} & message.keys():
            raise GeneratorFailed(f"the load agent broke its protocol: {line[:200]!r}")
        return message


@dataclass(frozen=True, slots=True)
class RelatedClock:
    """An agent's monotonic clock against ours."""

    ahead_s: float
    error_s: float
    """At most: half of the shortest round trip."""


def related_clock(agent: Agent, monotonic: Callable[[], float] = time.monotonic) -> RelatedClock:
    """Asks the agent for the time, and keeps the answer that came the quickest (as NTP does, RFC 5905).

    Raises GeneratorFailed.
    """
    found: list[RelatedClock] = []
    for _ in range(CLOCK_ROUNDS):
        asked_s = monotonic()
        agent.send(AskClock())
        told = parsed(ClockReading, agent.receive(CLOCK_TIMEOUT_S).get("result"))
        answered_s = monotonic()
        middle_s = (asked_s + answered_s) / 2
        found.append(RelatedClock(told.monotonic_s - middle_s, (answered_s - asked_s) / 2))
    return min(found, key=lambda one: one.error_s)


def failure(error: object, *, name: str, within_s: float) -> TrialError:
    """An agent's error as one of ours; whatever is not the server's fault is the generator's."""
    match error:
        case {"kind": "NotReady", "message": str(message)}:
            return NotReady(name, within_s, message)
        case {"kind": "CannotServe", "message": str(message)}:
            return CannotServe(f"{name}: {message}. The cause stands in its server.log.")
        case {"kind": "WrongResponse", "message": str(message)}:
            return WrongResponse(f"{name}: {message}")
        case {"kind": str(kind), "message": str(message)}:
            return GeneratorFailed(f"{name}: the load agent failed ({kind}): {message}")
    return GeneratorFailed(f"{name}: the load agent failed without a reason: {error!r}")


def server_facts(answer: object) -> ServerFacts:
    """The probe's answer as facts. Raises GeneratorFailed naming the field that is missing or wrong."""
    return parsed(ServerFacts, answer)


def parsed(kind: type[T], answer: object) -> T:
    """`answer` as a dataclass, strictly: no text for a number, no field left out."""
    try:
        return answer_of(kind, answer)
    except ValueError as error:
        raise GeneratorFailed(
            f"the load agent's answer is {error}. Agent and harness are of different versions; build the "
            f"generator again."
        ) from error
