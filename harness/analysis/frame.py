"""Trial records as a table, for notebooks and reports."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from harness.analysis.metrics import METRICS
from harness.analysis.samples import last_attempts
from harness.model import TrialRecord

TRIAL_COLUMNS = ("trial_id", "variant_id", "recipe", "scenario", "block", "validity", "reasons")


def trials_frame(records: Sequence[TrialRecord]) -> pd.DataFrame:
    """One row per trial (its last attempt), sorted by variant, scenario and block.

    Columns: trial_id, variant_id, recipe, scenario, block, validity, reasons (joined with "; "), then
    every field of TrialMetrics in its own unit, NaN where the trial has no such figure.
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
    frame = pd.DataFrame(rows, columns=[*TRIAL_COLUMNS, *METRICS])
    return frame.astype(dict.fromkeys(METRICS, "float64"))
