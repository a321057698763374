"""Thresholds: what they say, and what a measured ratio makes of them."""

from __future__ import annotations

import re

import pytest

from harness.decision.thresholds import (
    Outcome,
    Threshold,
    of_all,
    outcome_of,
    parse_threshold,
)
from harness.findings import Summary


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p95>+5%", Threshold(metric="latency_p95_s", change=0.05)),
        ("p95 > 5 %", Threshold(metric="latency_p95_s", change=0.05)),
        ("throughput<-3%", Threshold(metric="throughput_per_s", change=-0.03)),
        ("memory>10%", Threshold(metric="working_set_peak_bytes", change=0.1)),
        ("cpu>2.5%", Threshold(metric="cpu_ms_per_request", change=0.025)),
        ("checkout:p99>+20%", Threshold(metric="latency_p99_s", change=0.2, scenario="checkout")),
        ("pss_after_bytes>+5%", Threshold(metric="pss_after_bytes", change=0.05)),
    ],
)
def test_what_a_threshold_says(text: str, expected: Threshold) -> None:
    assert parse_threshold(text) == expected
    assert parse_threshold(str(expected)) == expected


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("p95", "no threshold. Fix: write METRIC>"),
        ("p95>5", "no threshold"),
        ("p95>200ms", "no threshold"),
        ("p97>5%", "unknown metric 'p97'. Fix: take one of capacity, throughput"),
        ("errors>5%", "unknown metric"),
        ("p95<-5%", "forbids an improvement of p95. Fix: write 'p95>+5%'"),
        ("throughput>5%", "Fix: write 'throughput<-5%'"),
        ("p95>-5%", "always true"),
        ("p95>0%", "above 0 %"),
        ("throughput<-100%", "below 100 %"),
    ],
)
def test_what_is_no_threshold_says_how_to_write_one(text: str, remedy: str) -> None:
    with pytest.raises(ValueError, match=re.escape(remedy)):
        parse_threshold(text)


def a_ratio(center: float, lo: float | None, hi: float | None) -> Summary:
    return Summary(center=center, lo=lo, hi=hi, n=6)


@pytest.mark.parametrize(
    ("ratio", "limit", "p_holm", "floor", "expected"),
    [
        (a_ratio(1.12, 1.08, 1.16), 1.05, 0.001, 0.02, Outcome.REGRESSION),
        (a_ratio(0.88, 0.84, 0.92), 0.95, 0.001, 0.02, Outcome.REGRESSION),
        # Equal deployments differed as much here.
        (a_ratio(1.12, 1.08, 1.16), 1.05, 0.001, 0.15, Outcome.INCONCLUSIVE),
        (a_ratio(1.06, 1.02, 1.10), 1.05, 0.2, 0.02, Outcome.INCONCLUSIVE),
        (a_ratio(1.00, 0.96, 1.04), 1.05, 0.9, 0.02, Outcome.PASS),
        (a_ratio(0.80, 0.75, 0.85), 1.05, 1.0, 0.02, Outcome.PASS),
        (a_ratio(1.00, 0.97, 1.03), 0.95, 0.9, 0.02, Outcome.PASS),
        (a_ratio(1.00, 0.90, 1.10), 1.05, 0.9, 0.02, Outcome.INCONCLUSIVE),
        (a_ratio(1.00, 0.97, 1.03), 1.05, 0.9, None, Outcome.INCONCLUSIVE),
        (a_ratio(1.50, None, None), 1.05, None, 0.02, Outcome.INCONCLUSIVE),
    ],
)
def test_a_ratio_passes_regresses_or_stays_open(
    ratio: Summary, limit: float, p_holm: float | None, floor: float | None, expected: Outcome
) -> None:
    assert outcome_of(ratio, limit, p_holm=p_holm, floor=floor) is expected


def test_one_regression_is_one_and_nothing_judged_is_no_pass() -> None:
    ok, bad, open_ = Outcome.PASS, Outcome.REGRESSION, Outcome.INCONCLUSIVE
    assert of_all((ok, open_, bad)) is bad
    assert of_all((ok, open_)) is open_
    assert of_all((ok, ok)) is ok
    assert of_all(()) is open_
