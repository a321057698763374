"""Waiting for a server to serve, for as long as it lives."""

from __future__ import annotations

from harness.errors import NotReady
from harness.execution.ports import Clock, Deployment, Generator
from harness.model import Scenario

LOOK_S = 8.0
"""How long the generator waits before somebody looks whether the server still runs. No shorter: the generator
needs 5 s of errors to say that a server cannot serve."""
FIRST_ANSWER_LOOK_S = 30.0
"""The same where a first request says that the app is ready: it may take this long
(scenarios/loadkit/readiness.py)."""


def wait_ready(
    generator: Generator,
    deployment: Deployment,
    clock: Clock,
    *,
    workers: int,
    timeout_s: float,
    scenario: Scenario,
    ready: str | None,
    inside: bool,
) -> None:
    """As the generator waits, but a server that has ended is not waited for.

    Raises NotReady, or CannotServe.
    """
    started_s, left_s = clock.monotonic(), timeout_s
    every_s = LOOK_S if ready is not None else FIRST_ANSWER_LOOK_S
    while True:
        look_s = left_s if left_s < 2 * every_s else every_s
        try:
            generator.wait_ready(
                workers=workers, timeout_s=look_s, scenario=scenario, ready=ready, inside=inside
            )
            return
        except NotReady as error:
            # By the time that was asked for: each ask takes all of it.
            left_s -= look_s
            if left_s <= 0:
                raise NotReady(deployment.name, timeout_s, error.detail) from error
            if not deployment.state().running:
                waited_s = round(clock.monotonic() - started_s)
                raise NotReady(deployment.name, waited_s, error.detail) from error
