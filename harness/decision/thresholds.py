"""What counts as a regression: a threshold in a few characters, and its outcome for a measured ratio."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from harness.analysis.intervals import CONFIDENCE
from harness.analysis.metrics import (
    CAPACITY,
    CPU_PER_REQUEST,
    LATENCY_P95,
    LATENCY_P99,
    METRICS,
    THROUGHPUT,
    WORKING_SET,
    Metric,
)
from harness.analysis.verdicts import relative_difference
from harness.findings import Direction, Summary

LEVEL = (1 - CONFIDENCE) / 2
"""Of a one-sided test that agrees with one end of the 95 % interval."""

NAMES: Mapping[str, str] = MappingProxyType(
    {
        "capacity": CAPACITY,
        "throughput": THROUGHPUT,
        "p50": "latency_p50_s",
        "p90": "latency_p90_s",
        "p95": LATENCY_P95,
        "p99": LATENCY_P99,
        "memory": WORKING_SET,
        "cpu": CPU_PER_REQUEST,
    }
)
"""How a threshold calls a metric; its name in METRICS is understood too."""

_FORM = re.compile(
    r"\s*(?:(?P<scenario>[a-z0-9][a-z0-9_-]*)\s*:)?\s*(?P<metric>[a-z0-9_]+)\s*"
    r"(?P<side>[<>])\s*(?P<sign>[+-]?)(?P<number>\d+(?:\.\d+)?)\s*%\s*"
)


class Outcome(StrEnum):
    """Of one threshold, and of a whole comparison."""

    PASS = "pass"
    REGRESSION = "regression"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A change of a metric that is not accepted."""

    metric: str
    """A name in METRICS."""
    change: float
    """A fraction: 0.05 where more than 5 % up is a regression, -0.05 where more than 5 % down is."""
    scenario: str | None = None
    """None holds for every scenario."""

    @property
    def limit(self) -> float:
        """As a ratio of the new version to the old one."""
        return 1 + self.change

    def __str__(self) -> str:
        name = next((name for name, metric in NAMES.items() if metric == self.metric), self.metric)
        where = "" if self.scenario is None else f"{self.scenario}:"
        return f"{where}{name}{'>' if self.change > 0 else '<'}{self.change * 100:+g}%"


def parse_threshold(text: str) -> Threshold:
    """Such as "p95>+5%", "throughput<-3%" or "checkout:memory>+10%". Raises ValueError."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(
            f"{text!r} is no threshold. Fix: write METRIC>+PERCENT% or METRIC<-PERCENT%, "
            'such as "p95>+5%" or "throughput<-3%"'
        )
    name, side = found["metric"], found["side"]
    try:
        metric = metric_named(name)
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from error
    if found["sign"] and (found["sign"] == "+") != (side == ">"):
        raise ValueError(f'{text!r} is always true of no change. Fix: write "{name}>+5%" or "{name}<-5%"')
    share = float(found["number"]) / 100
    if share == 0 or (side == "<" and share >= 1):
        raise ValueError(
            f"{text!r}: the change must lie above 0 %{' and below 100 %' if side == '<' else ''}"
        )
    change = share if side == ">" else -share
    better = METRICS[metric].better
    if better is not None and (better is Direction.HIGHER) == (change > 0):
        other = f"{name}{'<-' if change > 0 else '>+'}{share * 100:g}%"
        raise ValueError(f"{text!r} forbids an improvement of {name}. Fix: write {other!r}")
    return Threshold(metric=metric, change=change, scenario=found["scenario"])


def metric_named(name: str) -> str:
    """The name in METRICS of what a command line calls "memory" or "p95". Raises ValueError."""
    metric = NAMES.get(name, name)
    if metric not in METRICS or METRICS[metric].arithmetic:
        raise ValueError(f"unknown metric {name!r}. Fix: take one of {', '.join(NAMES)}")
    return metric


def usual_threshold(metric: Metric, margin: float, scenario: str) -> Threshold:
    """Worse by more than the margin, a fraction."""
    worse = -1 if metric.higher_is_better else 1
    return Threshold(metric=metric.name, change=worse * margin, scenario=scenario)


def outcome_of(ratio: Summary, limit: float, *, p_holm: float | None, floor: float | None) -> Outcome:
    """The outcome of one threshold.

    REGRESSION: the ratio lies beyond the limit with p < 2.5 % after Holm over all thresholds, so with the
    whole 95 % interval at least, and its centre lies beyond what two equal deployments showed (`floor`).
    PASS: the whole 95 % interval lies within the limit. INCONCLUSIVE: all else, and everything where the run
    has no A/A floor.
    """
    if ratio.lo is None or ratio.hi is None or p_holm is None or floor is None:
        return Outcome.INCONCLUSIVE
    if p_holm < LEVEL and relative_difference(ratio.center) > floor:
        return Outcome.REGRESSION
    worst = ratio.hi if limit > 1 else ratio.lo
    within = worst <= limit if limit > 1 else worst >= limit
    return Outcome.PASS if within else Outcome.INCONCLUSIVE


def of_all(outcomes: tuple[Outcome, ...]) -> Outcome:
    """Of a comparison: one regression is one; without any, what is open stays open."""
    for outcome in (Outcome.REGRESSION, Outcome.INCONCLUSIVE):
        if outcome in outcomes:
            return outcome
    return Outcome.PASS if outcomes else Outcome.INCONCLUSIVE
