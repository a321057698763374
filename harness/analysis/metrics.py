"""What is compared, and which way is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from harness.findings import Direction
from harness.model import OpenLoad, Scenario, TrialMetrics

THROUGHPUT = "throughput_per_s"
LATENCY_P95 = "latency_p95_s"
LATENCY_P99 = "latency_p99_s"
WORKING_SET = "working_set_peak_bytes"
CPU_PER_REQUEST = "cpu_ms_per_request"

METRIC_NAMES = tuple(field.name for field in fields(TrialMetrics))

DIRECTIONS: Mapping[str, Direction] = {
    THROUGHPUT: Direction.HIGHER,
    LATENCY_P95: Direction.LOWER,
    LATENCY_P99: Direction.LOWER,
    WORKING_SET: Direction.LOWER,
    CPU_PER_REQUEST: Direction.LOWER,
}
"""The compared metrics. All are positive, so that their ratios and logarithms mean something."""

ARITHMETIC_METRICS = frozenset(
    {"requests", "errors", "slow_share", "throttled_share", "generator_cpu_share", "steal_share", "cpu_cores"}
    | {"send_lateness_p99_s"}
)
"""Counts and shares, where zero is an ordinary value: averaged as they are, not on the log scale."""

P99_MIN_REQUESTS = 10_000
"""Below this many requests in a cell fewer than 100 lie above p99: too few to compare."""


def ranking_metric(scenario: Scenario) -> str:
    """A closed loop finds the peak throughput; at an offered rate the latency is what differs."""
    return LATENCY_P95 if isinstance(scenario.load, OpenLoad) else THROUGHPUT


def compared_metrics(scenario: Scenario) -> tuple[str, ...]:
    """The ranking metric first. Under open load the throughput is the offered rate, so it is left out."""
    rank = ranking_metric(scenario)
    ignored = {THROUGHPUT} if isinstance(scenario.load, OpenLoad) else set()
    return (rank, *(metric for metric in DIRECTIONS if metric != rank and metric not in ignored))
