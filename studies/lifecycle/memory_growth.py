"""L9: what each further worker costs in memory, and with how many the OOM killer comes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import linear_regression

from harness.errors import NotReady, TrialError
from studies.lifecycle.containers import READY_S, FaultEquipment, FaultServer, seconds_until, variant
from studies.lifecycle.probe import Probe, observation
from studies.observations import Observation

PER_WORKER, LIMIT = "memory-per-worker", "memory-limit"
MIB = 2**20
RECIPES = ("uvicorn-standard", "gunicorn-asgi")
COUNTS = (1, 2, 3, 4)
FITTED = (2, 4)
"""Where the line is drawn through. Not 1: uvicorn has no supervisor then, so it is not on the line."""
LIMITS_MIB = (128, 160, 192)
SEARCH = 4
"""How far from the prediction the killer is looked for."""
ENDED_WITHIN_S = 5.0
REQUESTS_EACH = 10
"""Sent for each worker before its memory is read: what a first request loads is there then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What the workers of one container hold, in bytes, as soon as all of them serve."""

    pss_bytes: float
    working_set_bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedLine:
    """Memory as a function of the number of workers."""

    base_bytes: float
    per_worker_bytes: float

    def __str__(self) -> str:
        return f"= {self.base_bytes / MIB:.1f} + {self.per_worker_bytes / MIB:.1f} MiB x workers"


def line_through(points: Mapping[int, float]) -> FittedLine:
    """Least squares through bytes by number of workers."""
    slope, intercept = linear_regression(tuple(points), tuple(points.values()))
    return FittedLine(base_bytes=intercept, per_worker_bytes=slope)


def first_too_many(limit_bytes: float, line: FittedLine) -> int:
    """The smallest number of workers, at least 1, whose memory exceeds the limit."""
    return max(1, math.floor((limit_bytes - line.base_bytes) / line.per_worker_bytes) + 1)


def first_killed(killed: Callable[[int], bool], *, near: int, within: int) -> int | None:
    """The smallest number of workers with which the OOM killer comes, sought from `near` on, up or down.

    None when it is not among the numbers up to `within` away. More workers never need less memory.
    """
    if killed(near):
        lowest = max(1, near - within)
        spared = next((count for count in range(near - 1, lowest - 1, -1) if not killed(count)), None)
        if spared is not None:
            return spared + 1
        return 1 if lowest == 1 else None
    return next((count for count in range(near + 1, near + within + 1) if killed(count)), None)


def _memory(equipment: FaultEquipment, target: str) -> Memory:
    tested = variant(target)
    with equipment.server(tested) as server:
        _exercise(server, tested.workers)
        snapshot = server.container.memory()
        if snapshot is None:
            raise TrialError("this kernel does not let us read the servers' memory maps: run as root")
        reading = server.container.reading()
        return Memory(pss_bytes=snapshot.pss_bytes, working_set_bytes=reading.working_set_bytes)


def _exercise(server: FaultServer, workers: int) -> None:
    """Until the first request that is not answered: then there is nothing left to load."""
    for _ in range(REQUESTS_EACH * workers):
        if not server.client.look("/items/1").ok:
            return


def _per_worker(equipment: FaultEquipment, target: str) -> Iterator[Observation]:
    # One after another: PSS divides what is shared by the number of sharers, and a neighbour of the same
    # image is one.
    seen = [_memory(equipment, target) for _ in range(equipment.few)]
    pss, working_set = [m.pss_bytes for m in seen], [m.working_set_bytes for m in seen]
    note = "idle, all workers serving"
    yield observation(PER_WORKER, target, "pss_bytes", "bytes", pss, note=note)
    yield observation(PER_WORKER, target, "working_set_bytes", "bytes", working_set, note=note)


def _limit(equipment: FaultEquipment, target: str) -> Iterator[Observation]:
    """Predict by both measures, then start servers until one is killed. One value for each limit."""
    fitted = {count: _memory(equipment, f"{target}.w{count}") for count in FITTED}
    by_pss = line_through({count: memory.pss_bytes for count, memory in fitted.items()})
    by_working_set = line_through({count: memory.working_set_bytes for count, memory in fitted.items()})
    predicted = [first_too_many(limit * MIB, by_pss) for limit in LIMITS_MIB]
    otherwise = [first_too_many(limit * MIB, by_working_set) for limit in LIMITS_MIB]
    limits = f"limits of {', '.join(map(str, LIMITS_MIB))} MiB"
    note = f"{limits}; PSS {by_pss}"
    yield observation(LIMIT, target, "predicted_workers", "count", predicted, note=note)
    note = f"{limits}; working set {by_working_set}"
    yield observation(LIMIT, target, "predicted_by_working_set", "count", otherwise, note=note)
    actual = [_killed_at(equipment, target, *pair) for pair in zip(LIMITS_MIB, predicted, strict=True)]
    note = f"{limits}; sought up to {SEARCH} from the prediction"
    yield observation(LIMIT, target, "killed_at_workers", "count", actual, note=note)


def _killed_at(equipment: FaultEquipment, target: str, limit_mib: int, near: int) -> int | None:
    return first_killed(
        lambda count: _is_killed(equipment, f"{target}.w{count}", limit_mib), near=near, within=SEARCH
    )


def _is_killed(equipment: FaultEquipment, target: str, limit_mib: int) -> bool:
    """Whether the kernel kills a process of this server before, or soon after, all its workers serve."""
    tested = variant(target, memory_mib=limit_mib)
    with equipment.started(tested) as server:
        try:
            if seconds_until(lambda: _kills(server) or _all_serve(server, tested.workers), READY_S) is None:
                raise NotReady(target, READY_S, f"neither killed nor serving under {limit_mib} MiB")
            _exercise(server, tested.workers)
            return _kills(server)
        except TrialError:
            # Where it was the first process that was killed, the container has ended with it.
            server.container.wait_ended(ENDED_WITHIN_S)
            if server.container.state().oom_killed:
                return True
            raise


def _kills(server: FaultServer) -> bool:
    return server.container.reading().oom_kills > 0


def _all_serve(server: FaultServer, workers: int) -> bool:
    return len(server.workers()) >= workers


PROBES = (
    Probe(
        name=PER_WORKER,
        claim="L9",
        targets=tuple(f"{recipe}.w{count}" for recipe in RECIPES for count in COUNTS),
        quantities=("pss_bytes", "working_set_bytes"),
        expected_s=12,
        observe=_per_worker,
    ),
    Probe(
        name=LIMIT,
        claim="L9",
        targets=RECIPES,
        quantities=("predicted_workers", "predicted_by_working_set", "killed_at_workers"),
        expected_s=45,
        observe=_limit,
    ),
)
