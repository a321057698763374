"""Nouns for tests, with every field that matters to the test given by name."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.deployment import CpuCounts, ResourceReading, ServerFacts, WorkerFacts
from harness.measurement.load import LoadRecord
from harness.model import ClosedLoad, Matrix, Scenario, TrialMetrics, TrialRecord, Validity, Variant

PLAIN = Variant(recipe="uvicorn-plain", workers=1)
STANDARD = Variant(recipe="uvicorn-standard", workers=1)
ITEMS = Scenario(
    name="items", locustfile="items", load=ClosedLoad(clients=4), warmup_s=1.0, measure_s=3.0, slo_ms=50
)


def a_matrix(**changes: Any) -> Matrix:
    values: dict[str, Any] = {
        "name": "m",
        "description": "",
        "variants": (PLAIN, STANDARD),
        "scenarios": (ITEMS,),
        "baseline_id": PLAIN.id,
        "blocks": 2,
        "seed": 1,
        "margin": 0.03,
        "budget_s": 1000.0,
        "ready_timeout_s": 30.0,
        "server_cpus": (1,),
        "generator_cpus": (0,),
        "slices": False,
    }
    return Matrix(**{**values, **changes})


def some_metrics(**changes: Any) -> TrialMetrics:
    values: dict[str, Any] = {
        "duration_s": 3.0,
        "requests": 3000,
        "errors": 0,
        "throughput_per_s": 1000.0,
        "latency_p50_s": 0.003,
        "latency_p90_s": 0.005,
        "latency_p95_s": 0.006,
        "latency_p99_s": 0.009,
        "latency_max_s": 0.02,
        "slow_share": 0.0,
        "cpu_cores": 0.99,
        "cpu_ms_per_request": 0.99,
        "throttled_share": 0.0,
        "working_set_peak_bytes": 60 * 2**20,
        "working_set_mean_bytes": 58 * 2**20,
        "pss_before_bytes": 50 * 2**20,
        "pss_after_bytes": 55 * 2**20,
        "uss_after_bytes": 50 * 2**20,
        "generator_cpu_share": 0.4,
        "send_lateness_p99_s": None,
        "steal_share": 0.0,
    }
    return TrialMetrics(**{**values, **changes})


def some_facts(**changes: Any) -> ServerFacts:
    values: dict[str, Any] = {
        "variant_id": PLAIN.id,
        "workers": (WorkerFacts(pid=7, requests=0, id_sum=0, id_xor=0, in_flight=0),),
        "server": "uvicorn 0.54.0",
        "loop": "asyncio.unix_events._UnixSelectorEventLoop",
        "http": "uvicorn.protocols.http.h11_impl.H11Protocol",
        "access_log": False,
        "keep_alive_s": 5.0,
        "versions": {"fastapi": "0.165.0"},
        "cpus": CpuCounts(host=2, affinity=1, quota=1.0),
        "uid": 10001,
        "features": ("proxy-headers",),
    }
    return ServerFacts(**{**values, **changes})


def a_record(
    variant: Variant = PLAIN,
    scenario: Scenario = ITEMS,
    block: int = 1,
    validity: Validity = Validity.VALID,
    **changes: Any,
) -> TrialRecord:
    values: dict[str, Any] = {
        "trial_id": f"{variant.id}.{scenario.name}.{block:02d}",
        "variant_id": variant.id,
        "scenario": scenario.name,
        "block": block,
        "validity": validity,
        "reasons": () if validity is Validity.VALID else ("I7: worker pids changed",),
        "metrics": some_metrics(),
        "facts": some_facts(variant_id=variant.id),
        "phases_s": {"start": 0.5, "load": 4.0},
        "started_at": "2026-11-21T09:00:00.000+00:00",
    }
    return TrialRecord(**{**values, **changes})


def a_load(requests: int = 300, start_s: float = 100.0, measure_s: float = 3.0) -> LoadRecord:
    """Evenly spaced requests, each answered after 5 ms, ids 1 to n."""
    intended = start_s + np.arange(requests) * (measure_s / requests)
    ids = np.arange(1, requests + 1)
    return LoadRecord(
        window_start_s=start_s,
        window_end_s=start_s + measure_s,
        intended_s=intended,
        sent_s=intended.copy(),
        finished_s=intended + 0.005,
        status=np.full(requests, 200, dtype=np.int16),
        generator_cpu_share=np.full(int(measure_s), 0.4),
        scheduled=requests,
        ok=requests,
        failed=0,
        timed_out=0,
        dropped=0,
        undrained=0,
        id_sum=int(ids.sum()),
        id_xor=int(np.bitwise_xor.reduce(ids)),
    )


def some_readings(start_s: float = 99.0, seconds: int = 6) -> tuple[ResourceReading, ...]:
    """One reading a second of a server that uses 0.99 of a core."""
    return tuple(
        ResourceReading(
            at_s=start_s + n,
            cpu_s=1.0 + 0.99 * n,
            throttled_s=0.0,
            working_set_bytes=60 * 2**20,
            oom_kills=0,
            steal_s=0.0,
        )
        for n in range(seconds)
    )
