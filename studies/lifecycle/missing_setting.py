"""L10: a setting that the app must have is missing. Whether the container ends, how, and with what words."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from harness.planning.example import REQUIRED_SETTING
from studies.lifecycle.containers import FaultEquipment, variant
from studies.lifecycle.probe import Probe, observation
from studies.observations import Observation

NAME = "missing-setting"
SETTING = REQUIRED_SETTING
ENDED_WITHIN_S = 45.0
"""More than the 30 s health check of the variants: uvicorn's parent may wait so long for the answer of a
worker that has just ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedStart:
    exit_code: int | None
    """None when it still ran after ENDED_WITHIN_S."""
    after_s: float | None
    names_setting: bool


def _without_it(equipment: FaultEquipment, target: str) -> FailedStart:
    started_s = time.monotonic()
    with equipment.started(variant(target), env={SETTING: ""}) as server:
        exit_code = server.container.wait_ended(ENDED_WITHIN_S)
        return FailedStart(
            exit_code=exit_code,
            after_s=None if exit_code is None else time.monotonic() - started_s,
            names_setting=SETTING in server.container.log(),
        )


def _observe(equipment: FaultEquipment, target: str) -> Iterator[Observation]:
    equipment.image(variant(target).recipe)
    endings = equipment.repeated(lambda: _without_it(equipment, target), times=equipment.few)
    note = f"{SETTING} empty; within {ENDED_WITHIN_S:g} s"
    codes, times_s = [ending.exit_code for ending in endings], [ending.after_s for ending in endings]
    yield observation(NAME, target, "exit_code", "id", codes, note=note)
    yield observation(NAME, target, "exit_s", "s", times_s, note=note)
    named = [float(ending.names_setting) for ending in endings]
    yield observation(NAME, target, "names_setting", "yes", named, note="in the container's log")


PROBES = (
    Probe(
        name=NAME,
        claim="L10",
        targets=(
            *("uvicorn-standard.w1", "uvicorn-standard.w2", "gunicorn-asgi.w2"),
            *("gunicorn-uvicorn.w2", "fastapi-run.w1", "fastapi-run.w2"),
        ),
        quantities=("exit_code", "names_setting", "exit_s"),
        expected_s=20,
        observe=_observe,
    ),
)
