"""Trial records, requests and verdicts as tables, for notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.analysis.heuristics import worker_rules_table
from harness.analysis.metrics import METRICS
from harness.analysis.samples import last_attempts
from harness.findings import RunAnalysis, Summary
from harness.model import Matrix, TrialRecord

TRIAL_COLUMNS = ("trial_id", "variant_id", "recipe", "scenario", "block", "validity", "reasons")


def trials_frame(records: Sequence[TrialRecord]) -> pd.DataFrame:
    """One row per trial (its last attempt), sorted by variant, scenario and block.

    Columns: trial_id, variant_id, recipe, scenario, block, validity, reasons (joined with "; "), then
    every metric in the unit that it is stored in, NaN where the trial has no such figure. `attrs["columns"]`
    says what each metric is: a table by column with label and unit.
    """
    rows = [
        {
            "trial_id": record.trial_id,
            "variant_id": record.variant_id,
            "recipe": record.variant_id.partition(".")[0],
            "scenario": record.scenario,
            "block": record.block,
            "validity": record.validity.value,
            "reasons": "; ".join(record.reasons),
            **{name: getattr(record.metrics, name, None) for name in METRICS},
        }
        for record in last_attempts(records)
    ]
    frame = pd.DataFrame(rows, columns=[*TRIAL_COLUMNS, *METRICS]).astype(dict.fromkeys(METRICS, "float64"))
    frame.attrs["columns"] = columns_frame()
    return frame


def columns_frame() -> pd.DataFrame:
    """What each metric is and its stored unit, by the name of its column."""
    units = {"ms": "s", "MiB": "bytes"}
    rows = [
        {"column": name, "label": metric.label, "unit": units.get(metric.unit, metric.unit)}
        if metric.scale != 1
        else {"column": name, "label": metric.label, "unit": metric.unit}
        for name, metric in METRICS.items()
    ]
    return pd.DataFrame(rows).set_index("column")


VERDICT_COLUMNS = (
    *("scenario", "metric", "variant_id", "baseline_id", "ratio", "lo", "hi"),
    *("p_holm", "margin", "verdict"),
)


def verdicts_frame(analysis: RunAnalysis) -> pd.DataFrame:
    """One row per comparison with the baseline, the A/A twin's included.

    `ratio` is variant / baseline with its 95 % interval `lo` to `hi`; `margin` is the fraction that the
    verdict was given against.
    """
    rows = [
        {
            "scenario": pair.scenario,
            "metric": pair.metric,
            "variant_id": pair.variant_id,
            "baseline_id": pair.baseline_id,
            "ratio": pair.ratio.center,
            "lo": pair.ratio.lo,
            "hi": pair.ratio.hi,
            "p_holm": pair.p_holm,
            "margin": pair.margin,
            "verdict": str(pair.verdict),
        }
        for finding in analysis.findings
        for pair in finding.comparisons
    ]
    figures = dict.fromkeys(("ratio", "lo", "hi", "p_holm", "margin"), "float64")
    return pd.DataFrame(rows, columns=list(VERDICT_COLUMNS)).astype(figures)


def rules_frame(analysis: RunAnalysis, matrix: Matrix) -> pd.DataFrame:
    """As `worker_rules_table`."""
    return worker_rules_table(analysis, matrix)


class Requests(Protocol):
    """The arrays of a load record, shape (n,)."""

    @property
    def intended_s(self) -> NDArray[np.float64]: ...
    @property
    def sent_s(self) -> NDArray[np.float64]: ...
    @property
    def finished_s(self) -> NDArray[np.float64]: ...
    @property
    def status(self) -> NDArray[np.int16]: ...


def requests_frame(loads: Mapping[int, Requests]) -> pd.DataFrame:
    """Every request of the loads, which are given by block. Times in seconds of CLOCK_MONOTONIC."""
    parts = [
        pd.DataFrame(
            {
                "block": block,
                "intended_s": load.intended_s,
                "sent_s": load.sent_s,
                "finished_s": load.finished_s,
                "latency_s": load.finished_s - load.intended_s,
                "status": load.status,
            }
        )
        for block, load in sorted(loads.items())
    ]
    columns = ["block", "intended_s", "sent_s", "finished_s", "latency_s", "status"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


class Change(Protocol):
    """A metric in two versions."""

    @property
    def scenario(self) -> str: ...
    @property
    def metric(self) -> str: ...
    @property
    def variant_id(self) -> str: ...
    @property
    def before(self) -> Summary: ...
    @property
    def after(self) -> Summary: ...
    @property
    def ratio(self) -> Summary: ...
    @property
    def outcome(self) -> Any: ...


def changes_frame(changes: Sequence[Change]) -> pd.DataFrame:
    """One row per metric and scenario. `change` is after / before with its 95 % interval `lo` to `hi`."""
    rows = [
        {
            "scenario": one.scenario,
            "metric": one.metric,
            "variant_id": one.variant_id,
            "before": one.before.center,
            "after": one.after.center,
            "change": one.ratio.center,
            "lo": one.ratio.lo,
            "hi": one.ratio.hi,
            "outcome": "no limit" if one.outcome is None else str(one.outcome),
        }
        for one in changes
    ]
    columns = ["scenario", "metric", "variant_id", "before", "after", "change", "lo", "hi", "outcome"]
    return pd.DataFrame(rows, columns=columns)
