"""One load shared among several generator processes, and their records made one again."""

from __future__ import annotations

import base64
import functools
import io
import operator
import zipfile
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import GeneratorFailed
from harness.measurement.load import LoadRecord
from harness.model import ClosedLoad, OpenLoad
from wire.messages import DriveProgress, DriveResult, Totals

ARRAYS = ("intended_s", "sent_s", "finished_s", "status")
TIMES = ("intended_s", "sent_s", "finished_s", "span_start_s", "span_end_s")


def share(load: ClosedLoad | OpenLoad, agents: int) -> tuple[ClosedLoad | OpenLoad, ...]:
    """The load in at most `agents` parts that add up to it; no part is empty.

    Poisson streams add up to a Poisson stream at the sum of the rates; for constant ones see `stagger_s`.
    """
    if isinstance(load, OpenLoad):
        return (replace(load, rate_per_s=load.rate_per_s / agents),) * agents
    each, rest = divmod(load.clients, agents)
    return tuple(
        replace(load, clients=each + (index < rest)) for index in range(agents) if each or index < rest
    )


def stagger_s(load: ClosedLoad | OpenLoad, index: int) -> float:
    """How much later agent `index` starts, so that constant streams interleave into a constant one."""
    if isinstance(load, OpenLoad) and load.arrivals == "constant":
        return index / load.rate_per_s
    return 0.0


def total_progress(latest: Collection[DriveProgress]) -> dict[str, float]:
    """What all processes have done together."""
    return {
        "elapsed_s": max(each.elapsed_s for each in latest),
        "requests": sum(each.requests for each in latest),
        "per_s": sum(each.per_s for each in latest),
    }


def merge(
    results: Sequence[DriveResult],
    *,
    cpus: Sequence[int] = (),
    ahead_s: Sequence[float] = (),
    earlier: LoadRecord | None = None,
) -> LoadRecord:
    """One record of all agents, in the order of intended times. The first agent's window is the window.

    `ahead_s`: by how much each agent's clock is ahead of ours, on which the record's times are; without it
    all are on one.

    The totals go on from those of an `earlier` load on the same server. `generator_cpu_share` has shape
    (cores, seconds): agents on the same one of `cpus` are added up; without `cpus` each has its own.
    Raises GeneratorFailed where an array is missing or none can be read.
    """
    try:
        ahead_s = ahead_s or [0.0] * len(results)
        tables = [_on_our_clock(_arrays(result), by_s) for result, by_s in zip(results, ahead_s, strict=True)]
        shares = [table["generator_cpu_share"] for table in tables]
        arrays = {name: np.concatenate([table[name] for table in tables]) for name in ARRAYS}
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise GeneratorFailed(f"the load agent's arrays cannot be read: {error}") from error
    order = np.argsort(arrays["intended_s"], kind="stable")
    seconds = min(map(len, shares))
    loads: list[Totals] = [*results] if earlier is None else [earlier, *results]
    return LoadRecord(
        window_start_s=results[0].window_start_s - ahead_s[0],
        window_end_s=results[0].window_end_s - ahead_s[0],
        intended_s=arrays["intended_s"][order],
        sent_s=arrays["sent_s"][order],
        finished_s=arrays["finished_s"][order],
        status=arrays["status"][order],
        generator_cpu_share=_by_core(np.stack([each[:seconds] for each in shares]), cpus),
        span_start_s=tables[0]["span_start_s"],
        span_end_s=tables[0]["span_end_s"],
        span_answered=np.sum([table["span_answered"] for table in tables], axis=0),
        scheduled=sum(load.scheduled for load in loads),
        ok=sum(load.ok for load in loads),
        failed=sum(load.failed for load in loads),
        timed_out=sum(load.timed_out for load in loads),
        dropped=sum(load.dropped for load in loads),
        undrained=sum(load.undrained for load in loads),
        id_sum=sum(load.id_sum for load in loads) % 2**64,
        id_xor=functools.reduce(operator.xor, (load.id_xor for load in loads)),
        in_flight_s=sum(load.in_flight_s for load in loads),
        wrong_bodies=sum(load.wrong_bodies or 0 for load in loads),
        exchanges=_total([load.exchanges for load in loads]),
        exchanges_sent=_total([load.exchanges_sent for load in loads]),
    )


def _total(counts: Sequence[int | None]) -> int | None:
    """None where one of them is not reported: loads on one server are all of one kind."""
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _by_core(shares: NDArray[np.float64], cpus: Sequence[int]) -> NDArray[np.float64]:
    """From shape (agents, seconds) to (cores, seconds), where `cpus` tells each agent's core."""
    if not cpus:
        return shares
    return np.stack([shares[np.equal(cpus, cpu)].sum(axis=0) for cpu in dict.fromkeys(cpus)])


def _on_our_clock(table: dict[str, NDArray[Any]], ahead_s: float) -> dict[str, NDArray[Any]]:
    return {name: values - ahead_s if name in TIMES else values for name, values in table.items()}


def _arrays(result: DriveResult) -> dict[str, NDArray[Any]]:
    npz = io.BytesIO(base64.b64decode(result.arrays_npz_b64, validate=True))
    with np.load(npz, allow_pickle=False) as file:
        return dict(file)
