"""The line through memory, the count it predicts, and the search for the one that is killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.deployment import DeploymentState
from harness.errors import DeploymentDied
from harness.model import Variant
from studies.lifecycle import memory_growth
from studies.lifecycle.containers import FaultEquipment
from studies.lifecycle.memory_growth import (
    LIMITS_MIB,
    MIB,
    FittedLine,
    first_killed,
    first_too_many,
    line_through,
)

LINE = FittedLine(base_bytes=20.0, per_worker_bytes=10.0)


def test_the_line_goes_through_its_points() -> None:
    assert line_through({2: 40.0, 4: 60.0}) == LINE


@pytest.mark.parametrize(("limit", "count"), [(29, 1), (30, 2), (59, 4), (60, 5), (5, 1)])
def test_the_first_count_beyond_the_limit(limit: float, count: int) -> None:
    assert first_too_many(limit, LINE) == count
    if count > 1:
        assert LINE.base_bytes + (count - 1) * LINE.per_worker_bytes <= limit
    assert LINE.base_bytes + count * LINE.per_worker_bytes > limit


@pytest.mark.parametrize("near", range(1, 10))
@pytest.mark.parametrize("truth", [1, 4, 9])
def test_the_search_finds_the_first_killed_count_on_either_side(near: int, truth: int) -> None:
    tried: list[int] = []

    def killed(count: int) -> bool:
        tried.append(count)
        return count >= truth

    assert first_killed(killed, near=near, within=8) == truth
    assert min(tried) >= 1
    assert len(tried) <= abs(near - truth) + 2


@pytest.mark.parametrize("truth", [1, 9])
def test_what_lies_beyond_the_search_is_not_guessed(truth: int) -> None:
    assert first_killed(lambda count: count >= truth, near=5, within=2) is None


@dataclass(frozen=True)
class ModelRig:
    """Servers that hold base + per_worker x workers MiB. Their kernel counts `hidden` MiB more."""

    base: float
    per_worker: float
    hidden: float
    whole_container_dies: bool

    @contextmanager
    def started(self, tested: Variant) -> Iterator[Any]:
        held = (self.base + self.per_worker * tested.workers) * MIB
        killed = tested.memory_mib is not None and held + self.hidden * MIB > tested.memory_mib * MIB

        def reading() -> Any:
            if killed and self.whole_container_dies:
                raise DeploymentDied("gone")
            return SimpleNamespace(working_set_bytes=held + self.hidden * MIB, oom_kills=int(killed))

        container = SimpleNamespace(
            memory=lambda: SimpleNamespace(pss_bytes=held),
            reading=reading,
            wait_ended=lambda timeout_s: 137,
            state=lambda: DeploymentState(running=not killed, oom_killed=killed),
        )
        client = SimpleNamespace(look=lambda path: SimpleNamespace(ok=not killed))
        workers = frozenset[int]() if killed else frozenset(range(tested.workers))
        yield SimpleNamespace(container=container, client=client, workers=lambda: workers)

    server = started


@pytest.mark.parametrize("whole_container_dies", [True, False])
@pytest.mark.parametrize(("hidden", "actual"), [(0.0, (4, 5, 6)), (33.0, (3, 4, 5)), (-33.0, (5, 6, 7))])
def test_prediction_and_truth_are_told_apart(
    whole_container_dies: bool, hidden: float, actual: tuple[int, ...]
) -> None:
    equipment = ModelRig(base=10, per_worker=32, hidden=hidden, whole_container_dies=whole_container_dies)
    seen = {o.quantity: o for o in memory_growth._limit(cast(FaultEquipment, equipment), "uvicorn-standard")}
    assert LIMITS_MIB == (128, 160, 192)
    assert seen["predicted_workers"].values == (4, 5, 6)
    assert seen["predicted_by_working_set"].values == actual
    assert seen["killed_at_workers"].values == actual
    assert "10.0 + 32.0 MiB x workers" in seen["predicted_workers"].note
