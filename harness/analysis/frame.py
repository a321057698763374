"""Trial records and verdicts as tables, for notebooks."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from harness.analysis.metrics import METRICS
from harness.analysis.samples import last_attempts
from harness.findings import RunAnalysis
from harness.model import TrialRecord

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
    stored = {"ms": "s", "MiB": "bytes"}
    rows = {
        name: {"label": metric.label, "unit": metric.unit if metric.scale == 1 else stored[metric.unit]}
        for name, metric in METRICS.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("column")


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
