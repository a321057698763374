"""Comparisons of two versions whose true difference is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.decision.changes import VersionComparison
from harness.decision.compare import ComparedRun, Versions, changes_among, compare_in_run, compare_runs
from harness.decision.thresholds import Outcome, parse_threshold
from harness.model import Matrix, TrialRecord, Validity
from harness.target import Version
from tests.analysis.simulated import failed, steady, throughput_records
from tests.samples import PLAIN, a_matrix

OLD = replace(PLAIN, version=Version(name="old", ref="main"))
NEW = replace(PLAIN, version=Version(name="new", ref="HEAD"))
TWIN = replace(OLD, twin=True)
VERSIONS = Versions(base="main", new="HEAD", base_id=OLD.id, new_id=NEW.id)
FIVE = [parse_threshold("throughput<-5%")]


def two_versions(**changes: object) -> Matrix:
    return a_matrix(variants=(OLD, NEW), baseline_id=OLD.id, blocks=6, **changes)


def compared(records: list[TrialRecord], thresholds: object = FIVE) -> VersionComparison:
    return compare_in_run(records, two_versions(), VERSIONS, thresholds)  # type: ignore[arg-type]


def records_of(old: float, new: float, **metrics: float) -> list[TrialRecord]:
    return throughput_records({OLD: steady(old), NEW: steady(new), TWIN: steady(old * 1.001)}, **metrics)


def test_a_version_that_is_a_tenth_slower_is_a_regression() -> None:
    found = compared(records_of(1000.0, 900.0))
    assert found.outcome is Outcome.REGRESSION
    assert found.sentence == (
        "Regression: HEAD against main: throughput on items -10 % (95 % interval -10 % to -10 %); limit -5 %."
    )
    (judged,) = found.judged
    assert (judged.before.center, judged.after.center) == pytest.approx((1000.0, 900.0), rel=1e-3)
    assert judged.ratio.center == pytest.approx(0.9)


def test_a_version_that_is_as_fast_passes_and_the_other_metrics_are_shown_without_a_limit() -> None:
    found = compared(records_of(1000.0, 1001.0))
    assert found.outcome is Outcome.PASS
    assert found.sentence.startswith("Pass: HEAD stays within all 1 limits against main")
    assert {change.metric for change in found.changes if change.outcome is None} == {
        "latency_p95_s",
        "latency_p99_s",
        "working_set_peak_bytes",
        "cpu_ms_per_request",
    }


def test_without_thresholds_the_margin_holds_for_what_ranks_and_for_memory() -> None:
    found = compared(records_of(1000.0, 1000.0), thresholds=[])
    assert [(change.metric, str(change.threshold)) for change in found.judged] == [
        ("throughput_per_s", "items:throughput<-3%"),
        ("working_set_peak_bytes", "items:memory>+3%"),
    ]


def test_a_version_that_could_not_be_measured_never_passes() -> None:
    broken = [failed(NEW, block, Validity.INVALID, reasons=("I6: answered 500",)) for block in range(5)]
    known = throughput_records({OLD: steady(1000.0), TWIN: steady(1000.0)})
    found = compared([*known, *broken])
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.sentence == "Inconclusive: HEAD on items is INVALID: I6: answered 500."


def test_what_is_too_wide_says_how_many_blocks_would_do() -> None:
    noisy = throughput_records(
        {
            OLD: [1000.0, 1040.0, 960.0, 1050.0, 950.0, 1000.0],
            NEW: [1040.0, 960.0, 1000.0, 950.0, 1050.0, 1010.0],
            TWIN: steady(1000.0, blocks=6, spread=0.05),
        }
    )
    found = compared(noisy)
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "blocks would decide it (now 6)" in found.sentence


def test_a_threshold_that_matches_nothing_is_no_pass() -> None:
    found = compared(records_of(1000.0, 1000.0), [parse_threshold("elsewhere:p95>+5%")])
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "no threshold matches" in found.sentence


@pytest.mark.parametrize(
    ("truth", "seed", "counted", "at_least", "at_most"),
    [
        (1.0, 1, Outcome.REGRESSION, 0, 2),
        (0.9, 2, Outcome.REGRESSION, 38, 40),
        (1.0, 3, Outcome.PASS, 30, 40),
    ],
)
def test_of_forty_comparisons_the_same_app_hardly_ever_regresses_and_a_tenth_is_found(
    truth: float, seed: int, counted: Outcome, at_least: int, at_most: int
) -> None:
    """Noise of 2 % a trial, as slices have it within a block; 8 blocks, a limit of 5 %."""
    rng, matrix = np.random.default_rng(seed), replace(two_versions(), blocks=8)
    rates = {OLD: 1000.0, NEW: 1000.0 * truth, TWIN: 1000.0}
    outcomes = []
    for _ in range(40):
        records = [
            record
            for variant, rate in rates.items()
            for record in throughput_records({variant: list(rate * np.exp(rng.normal(0.0, 0.02, 8)))})
        ]
        outcomes.append(compare_in_run(records, matrix, VERSIONS, FIVE).outcome)
    assert at_least <= outcomes.count(counted) <= at_most


def test_two_stored_runs_are_compared_cell_by_cell_and_unpaired() -> None:
    matrix = a_matrix(variants=(PLAIN,), blocks=5)
    twin = replace(PLAIN, twin=True)

    def run(name: str, rate: float) -> ComparedRun:
        records = throughput_records({PLAIN: steady(rate), twin: steady(rate)})
        return ComparedRun(name=name, matrix=matrix, records=records)

    found = compare_runs(run("monday", 1000.0), run("friday", 880.0), FIVE)
    assert found.outcome is Outcome.REGRESSION
    assert not found.paired
    assert "one after the other" in found.warnings[0]
    (judged,) = found.judged
    assert judged.ratio.center == pytest.approx(0.88)
    # Welch: both standard deviations are 0.0035 on the log scale, of 5 values each, 8 degrees of freedom.
    assert judged.ratio.n == 9


def test_runs_with_no_variant_in_common_are_no_pass() -> None:
    one = ComparedRun(name="a", matrix=a_matrix(variants=(OLD,), baseline_id=OLD.id), records=())
    other = ComparedRun(name="b", matrix=a_matrix(variants=(NEW,), baseline_id=NEW.id), records=())
    found = compare_runs(one, other, [])
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.sentence == "Inconclusive: a and b have no variant in common."


def test_every_version_of_a_run_is_held_against_each_before_it_as_two_are() -> None:
    records, matrix = records_of(1000.0, 900.0), two_versions()
    found, problems = changes_among(records, matrix, {"main": OLD.id, "HEAD": NEW.id}, "throughput_per_s")
    (one,) = compare_in_run(records, matrix, VERSIONS, FIVE).judged
    assert found == {("main", "HEAD"): replace(one, threshold=None, outcome=None)}
    assert problems == []


def test_a_version_that_was_not_measured_leaves_the_others_their_changes() -> None:
    records = [record for record in records_of(1000.0, 900.0) if record.variant_id != NEW.id]
    found, problems = changes_among(
        records, two_versions(), {"main": OLD.id, "HEAD": NEW.id}, "throughput_per_s"
    )
    assert found == {}
    assert problems == ["HEAD on items is INVALID: it was not measured"]
