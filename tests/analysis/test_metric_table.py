"""One entry for each metric, and none for what is none."""

from dataclasses import fields

from harness.analysis.metrics import CAPACITY_PER_GIB, METRICS
from harness.model import TrialMetrics


def test_every_value_of_a_trial_is_said_to_be_something() -> None:
    assert set(METRICS) == {field.name for field in fields(TrialMetrics)} | {CAPACITY_PER_GIB}


def test_what_is_compared_has_a_logarithm() -> None:
    assert [metric.name for metric in METRICS.values() if metric.better and metric.arithmetic] == []
