"""Requests and changes as tables, for notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from harness.decision.changes import Change
from harness.measurement.load import LoadRecord
from harness.reporting.comparison_text import NO_LIMIT


def requests_frame(loads: Mapping[int, LoadRecord]) -> pd.DataFrame:
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
            "outcome": NO_LIMIT if one.outcome is None else str(one.outcome),
        }
        for one in changes
    ]
    columns = ["scenario", "metric", "variant_id", "before", "after", "change", "lo", "hi", "outcome"]
    return pd.DataFrame(rows, columns=columns)
