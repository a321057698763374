"""What is compared, and which way is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from harness.findings import Direction
from harness.model import CapacityLoad, OpenLoad, Scenario, TrialMetrics

CAPACITY = "capacity_per_s"
CAPACITY_PER_GIB = "capacity_per_gib"
THROUGHPUT = "throughput_per_s"
LATENCY_P95 = "latency_p95_s"
LATENCY_P99 = "latency_p99_s"
WORKING_SET = "working_set_peak_bytes"
CPU_PER_REQUEST = "cpu_ms_per_request"
MEMORY_GROWTH = "memory_growth_mib_per_1000"

METRIC_NAMES = (*(field.name for field in fields(TrialMetrics)), CAPACITY_PER_GIB)

DIRECTIONS: Mapping[str, Direction] = {
    CAPACITY: Direction.HIGHER,
    THROUGHPUT: Direction.HIGHER,
    LATENCY_P95: Direction.LOWER,
    LATENCY_P99: Direction.LOWER,
    WORKING_SET: Direction.LOWER,
    CPU_PER_REQUEST: Direction.LOWER,
}
"""The compared metrics. All are positive, so that their ratios and logarithms mean something."""

ARITHMETIC_METRICS = frozenset(
    {"requests", "errors", "slow_share", "throttled_share", "generator_cpu_share", "steal_share", "cpu_cores"}
    | {"throttled_periods_share", "send_lateness_p99_s", "refused", "listen_overflows", MEMORY_GROWTH}
)
"""Where zero or less is an ordinary value: averaged as they are, not on the log scale."""

P99_MIN_REQUESTS = 10_000
"""Below this many requests in a cell fewer than 100 lie above p99: too few to compare."""


RATES = frozenset({CAPACITY, THROUGHPUT})
"""Requests per second: what the load generator held back is at least as high as its figure."""


def ranking_metric(scenario: Scenario) -> str:
    """A closed loop finds the peak throughput; at an offered rate the latency is what differs."""
    if isinstance(scenario.load, CapacityLoad):
        return CAPACITY
    return LATENCY_P95 if isinstance(scenario.load, OpenLoad) else THROUGHPUT


def compared_metrics(scenario: Scenario) -> tuple[str, ...]:
    """The ranking metric first. Left out is what the load decides: under open load the throughput is the
    offered rate, and at capacity every variant has another rate to show its latency at."""
    rank = ranking_metric(scenario)
    ignored = {CAPACITY} if rank != CAPACITY else {LATENCY_P95, LATENCY_P99}
    if rank != THROUGHPUT:
        ignored.add(THROUGHPUT)
    return (rank, *(metric for metric in DIRECTIONS if metric != rank and metric not in ignored))
