"""What is compared, and which way is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from harness.findings import Direction
from harness.model import CapacityLoad, OpenLoad, Scenario

CAPACITY = "capacity_per_s"
CAPACITY_PER_GIB = "capacity_per_gib"
THROUGHPUT = "throughput_per_s"
LATENCY_P95 = "latency_p95_s"
LATENCY_P99 = "latency_p99_s"
WORKING_SET = "working_set_peak_bytes"
CPU_PER_REQUEST = "cpu_ms_per_request"
MEMORY_GROWTH = "memory_growth_mib_per_1000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A value of a trial, by its name in TrialMetrics: how it is compared, averaged and shown."""

    name: str
    label: str
    unit: str
    scale: float = 1.0
    """From the stored unit to the one that is shown."""
    better: Direction | None = None
    """Of those that are compared. They are positive, so that their ratios and logarithms mean something."""
    arithmetic: bool = False
    """Zero or less is an ordinary value: averaged as it is, not on the log scale."""
    rate: bool = False
    """Requests per second: what the load generator held back is at least as high as its figure."""

    @property
    def axis(self) -> str:
        return f"{self.label} ({self.unit})"

    @property
    def higher_is_better(self) -> bool:
        return self.better is Direction.HIGHER


_MIB = 1 / 2**20
METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric(name=CAPACITY, label="capacity", unit="requests/s", better=Direction.HIGHER, rate=True),
            Metric(
                name=THROUGHPUT, label="throughput", unit="requests/s", better=Direction.HIGHER, rate=True
            ),
            Metric(name="latency_p50_s", label="p50 latency", unit="ms", scale=1e3),
            Metric(name="latency_p90_s", label="p90 latency", unit="ms", scale=1e3),
            Metric(name=LATENCY_P95, label="p95 latency", unit="ms", scale=1e3, better=Direction.LOWER),
            Metric(name=LATENCY_P99, label="p99 latency", unit="ms", scale=1e3, better=Direction.LOWER),
            Metric(name="latency_max_s", label="longest latency", unit="ms", scale=1e3),
            Metric(
                name=WORKING_SET, label="peak working set", unit="MiB", scale=_MIB, better=Direction.LOWER
            ),
            Metric(name="working_set_mean_bytes", label="mean working set", unit="MiB", scale=_MIB),
            Metric(name="pss_before_bytes", label="PSS before", unit="MiB", scale=_MIB),
            Metric(name="pss_after_bytes", label="PSS after", unit="MiB", scale=_MIB),
            Metric(name="uss_after_bytes", label="USS after", unit="MiB", scale=_MIB),
            Metric(name=MEMORY_GROWTH, label="memory growth", unit="MiB per 1,000 requests", arithmetic=True),
            Metric(name=CPU_PER_REQUEST, label="CPU per request", unit="ms", better=Direction.LOWER),
            Metric(name="cpu_cores", label="CPU used", unit="cores", arithmetic=True),
            Metric(name="idle_cpu_cores", label="CPU used while idle", unit="cores", arithmetic=True),
            Metric(name=CAPACITY_PER_GIB, label="capacity per GiB", unit="requests/s"),
            Metric(name="duration_s", label="time measured", unit="s"),
            Metric(name="requests", label="right answers", unit="requests", arithmetic=True),
            Metric(name="errors", label="errors", unit="requests", arithmetic=True),
            Metric(name="refused", label="refused", unit="requests", arithmetic=True),
            Metric(name="slow_share", label="slower than the objective", unit="share", arithmetic=True),
            Metric(name="throttled_share", label="throttled", unit="s per s", arithmetic=True),
            Metric(name="throttled_periods_share", label="periods throttled", unit="share", arithmetic=True),
            Metric(name="listen_overflows", label="full listen queue", unit="connections", arithmetic=True),
            Metric(name="generator_cpu_share", label="generator's CPU", unit="share", arithmetic=True),
            Metric(name="send_lateness_p99_s", label="p99 lateness", unit="ms", scale=1e3, arithmetic=True),
            Metric(name="in_flight_growth", label="growth in flight", unit="requests", arithmetic=True),
            Metric(name="steal_share", label="steal", unit="share", arithmetic=True),
        )
    }
)
"""In the order in which they are compared and listed. A metric that is new is a field of TrialMetrics, what
computes it (harness/measurement/metrics.py), and an entry here."""

DIRECTIONS: Mapping[str, Direction] = MappingProxyType(
    {name: metric.better for name, metric in METRICS.items() if metric.better is not None}
)
"""The compared metrics."""

P99_MIN_REQUESTS = 10_000
"""Below this many requests in a cell fewer than 100 lie above p99: too few to compare."""


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
