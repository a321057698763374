"""Precision stopping and early dropping, on records of a known truth."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.analyse import analyse
from harness.analysis.intervals import paired_ratio
from harness.analysis.samples import samples_of
from harness.analysis.stopping import last_blocks
from harness.findings import Verdict
from harness.model import Matrix, TrialRecord, Validity, Variant
from harness.planning.remaining import remaining_blocks
from tests.analysis.simulated import CPU, STANDARD_TWO, TWIN, drawn, failed, steady, throughput_records
from tests.samples import ITEMS, PLAIN, STANDARD, a_matrix

THROUGHPUT = "throughput_per_s"
SLOW = replace(PLAIN, workers=3)
FOUR = (PLAIN, STANDARD, STANDARD_TWO, SLOW)


def adaptive(blocks: int = 12, precision: float = 0.05, **changes: object) -> Matrix:
    return a_matrix(blocks=blocks, precision=precision, **changes)


def from_one(records: list[TrialRecord]) -> list[TrialRecord]:
    """Simulated blocks count from 0, those of a run from 1."""
    return [
        replace(r, block=r.block + 1, trial_id=f"{r.variant_id}.{r.scenario}.{r.block + 1:02d}")
        for r in records
    ]


def cut(records: list[TrialRecord], matrix: Matrix) -> list[TrialRecord]:
    """The records that the adaptive run would have made."""
    ends = last_blocks(records, matrix)
    return [r for r in records if r.block <= ends.get(f"{r.variant_id}.{r.scenario}", matrix.blocks)]


def quiet(blocks: int = 12, **centers: float) -> list[TrialRecord]:
    """Hardly any noise; the twin's scatter is shifted, so that no interval has the width 0."""
    figures = {
        PLAIN: steady(1000.0, blocks),
        TWIN: steady(1000.0, blocks + 1)[1:],
        STANDARD: steady(centers.get("standard", 1000.0), blocks + 2)[2:],
        SLOW: steady(centers.get("slow", 1000.0), blocks + 3)[3:],
    }
    return from_one(throughput_records(figures))


QUIET = adaptive(variants=(PLAIN, STANDARD, SLOW))


def test_without_a_precision_nothing_stops() -> None:
    assert last_blocks(quiet(), replace(QUIET, precision=None)) == {}


def test_a_scenario_stops_two_blocks_after_all_its_ratios_were_precise() -> None:
    ends = last_blocks(quiet(), QUIET)
    assert set(ends.values()) == {6}
    assert len(ends) == 4


def test_one_noisy_variant_keeps_its_whole_scenario_going() -> None:
    noisy = [500.0, 2000.0] * 6
    records = [r for r in quiet() if r.variant_id != SLOW.id]
    records += from_one(throughput_records({SLOW: noisy}))
    assert last_blocks(records, QUIET) == {}


def test_scenarios_stop_each_for_itself() -> None:
    matrix = replace(QUIET, scenarios=(ITEMS, CPU))
    wild = [replace(r, scenario=CPU.name) for r in drawn_from_one(matrix, noise=0.3)]
    ends = last_blocks([*quiet(), *wild], matrix)
    assert {cell.rpartition(".")[2] for cell in ends} == {"items"}


def drawn_from_one(matrix: Matrix, *, noise: float, seed: int = 1, **truth: float) -> list[TrialRecord]:
    rng = np.random.default_rng(seed)
    return from_one(drawn(matrix, dict.fromkeys(matrix.variants, 1000.0), rng, noise=noise))


def test_a_variant_that_cannot_be_ranked_holds_nothing_up() -> None:
    records = [r for r in quiet() if r.variant_id != SLOW.id]
    records += [failed(SLOW, block) for block in range(1, 13)]
    assert last_blocks(records, QUIET)[f"{PLAIN.id}.items"] == 6


def test_noise_is_waited_out() -> None:
    """A cell without a VALID trial yet may get one in the next block."""
    records = [r for r in quiet() if r.variant_id != SLOW.id]
    records += [failed(SLOW, block, Validity.NOISY) for block in range(1, 13)]
    assert last_blocks(records, QUIET) == {}


def test_without_a_twin_nothing_stops() -> None:
    assert last_blocks([r for r in quiet() if r.variant_id != TWIN.id], QUIET) == {}


def test_a_clearly_worse_variant_is_dropped_and_said_to_be() -> None:
    records = quiet(slow=700.0)
    ends = last_blocks(records, QUIET)
    assert (ends[f"{SLOW.id}.items"], ends[f"{STANDARD.id}.items"]) == (4, 6)
    finding = analyse(cut(records, QUIET), QUIET).findings[0]
    early = {cell.variant_id: (cell.stopped_early, cell.trials) for cell in finding.cells}
    assert early == {
        PLAIN.id: (False, 6),
        TWIN.id: (False, 6),
        STANDARD.id: (False, 6),
        SLOW.id: (True, 4),
    }
    assert any(f"{SLOW.id}: stopped early on items, after 4 trials" in text for text in finding.warnings)
    assert any("stopped after 6 of at most 12 blocks" in text for text in finding.warnings)
    worse = next(c for c in finding.comparisons if (c.variant_id, c.metric) == (SLOW.id, THROUGHPUT))
    assert (worse.verdict, worse.ratio.n) == (Verdict.WORSE, 4)


def test_a_run_that_was_cut_short_does_not_say_that_it_stopped() -> None:
    finding = analyse([r for r in quiet() if r.block <= 4], QUIET).findings[0]
    assert not any("stopped" in text for text in finding.warnings)


def test_the_baseline_its_twin_and_the_best_are_never_dropped() -> None:
    ends = last_blocks(quiet(standard=2000.0, slow=1900.0), QUIET)
    assert ends == {
        f"{PLAIN.id}.items": 6,
        f"{TWIN.id}.items": 6,
        f"{STANDARD.id}.items": 6,
        f"{SLOW.id}.items": 4,
    }


def test_a_dropped_variant_does_not_become_the_best_because_the_machine_slows_down() -> None:
    """It was measured in the fast blocks only; its mean is the highest, its ratios are not."""
    fall = [1.0] * 4 + [0.5] * 8
    records = [
        replace(
            r, metrics=replace(r.metrics, throughput_per_s=r.metrics.throughput_per_s * fall[r.block - 1])
        )
        for r in drawn_fixed_ratio()
    ]
    finding = analyse(cut(records, WIDE), WIDE).findings[0]
    centers = {cell.variant_id: cell.metrics[THROUGHPUT].center for cell in finding.cells}
    assert centers[SLOW.id] > centers[STANDARD.id]
    assert finding.best == STANDARD.id
    assert finding.best_set == (STANDARD.id,)


WIDE = replace(QUIET, precision=0.001)
"""So narrow a target that only dropping ends a variant."""


def drawn_fixed_ratio() -> list[TrialRecord]:
    return quiet(standard=1100.0, slow=800.0)


def test_a_target_that_was_missed_is_said() -> None:
    warnings = analyse(quiet(), WIDE).findings[0].warnings
    assert any("not every ratio is known to within 0.1 % after all of 12 blocks" in text for text in warnings)


@cache
def a_noisy_run(seed: int) -> tuple[TrialRecord, ...]:
    """Four variants, two of them clearly worse, with some trials spoilt."""
    matrix = adaptive(blocks=10, variants=FOUR)
    rng = np.random.default_rng(seed)
    truth = {PLAIN: 1000.0, STANDARD: 1010.0, STANDARD_TWO: 700.0, SLOW: 500.0}
    padded = replace(matrix, blocks=15)
    records = from_one(drawn(padded, truth, rng, noise=0.02, drift=0.01))
    spoilt = rng.random(len(records)) < 0.1
    return tuple(
        replace(r, validity=Validity.NOISY) if bad else r for r, bad in zip(records, spoilt, strict=True)
    )


def simulate(seed: int, earlier: tuple[TrialRecord, ...] = ()) -> list[TrialRecord]:
    """A run that measures what `remaining_blocks` asks for, from the records of before."""
    matrix = adaptive(blocks=10, variants=FOUR)
    figures = {record.trial_id: record for record in a_noisy_run(seed)}
    records = list(earlier)
    while blocks := remaining_blocks(records, matrix, last_blocks=last_blocks(records, matrix)):
        records += [figures[trial.id] for trial in blocks[0]]
    return records


def test_an_adaptive_run_resumed_anywhere_makes_the_same_trials() -> None:
    seed = 1
    whole = simulate(seed)
    assert len({record.trial_id for record in whole}) == len(whole) < 10 * 5
    for k in range(len(whole) + 1):
        assert simulate(seed, tuple(whole[:k])) == whole


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(min_value=0, max_value=50))
def test_leaving_trials_out_afterwards_is_the_same_as_never_making_them(seed: int) -> None:
    matrix = adaptive(blocks=10, variants=FOUR)
    planned = [r for r in a_noisy_run(seed) if r.block <= matrix.blocks]
    run = [r for r in simulate(seed) if r.block <= matrix.blocks]
    assert {r.trial_id for r in cut(planned, matrix)} == {r.trial_id for r in run}


@pytest.mark.slow
@pytest.mark.parametrize(("blocks", "precision"), [(8, None), (6, 0.05), (8, 0.03), (12, 0.05)])
def test_intervals_cover_the_truth_on_a_drifting_machine_however_the_run_is_stopped(
    blocks: int, precision: float | None
) -> None:
    """Noise near the target is the worst case: the run may stop at any look."""
    matrix = a_matrix(blocks=blocks, precision=precision)
    rng, runs, hits, lengths = np.random.default_rng(blocks), 500, 0, []
    for _ in range(runs):
        truth = {PLAIN: 1000.0, STANDARD: 1300.0}
        records = from_one(drawn(matrix, truth, rng, noise=0.02, drift=0.015))
        samples = samples_of(cut(records, matrix), matrix)
        pair = paired_ratio(*(samples.values(v.id, "items", THROUGHPUT) for v in (STANDARD, PLAIN)))
        hits += pair.ratio.lo <= 1.3 <= pair.ratio.hi
        lengths.append(pair.ratio.n)
    assert 0.93 <= hits / runs <= 0.97
    # The first look is after four blocks, and a scenario goes on for two more.
    assert (np.mean(lengths) < blocks) == (precision is not None and blocks > 6)


@pytest.mark.slow
def test_dropping_finds_no_difference_between_equal_variants() -> None:
    """Over five looks, on a quiet registered margin: only the A/A floor stands against chance."""
    variants = tuple(Variant(recipe="uvicorn-plain", workers=n) for n in range(1, 5))
    matrix = a_matrix(
        variants=variants, baseline_id=variants[0].id, blocks=12, precision=0.001, margin=0.0001
    )
    rng, runs, dropped, claimed = np.random.default_rng(3), 200, 0, 0
    for _ in range(runs):
        records = from_one(drawn(matrix, dict.fromkeys(variants, 1000.0), rng, noise=0.02, drift=0.01))
        kept = cut(records, matrix)
        dropped += len(kept) < len(records)
        verdicts = {c.verdict for c in analyse(kept, matrix).findings[0].against_best}
        claimed += Verdict.WORSE in verdicts
    assert dropped / runs <= 0.05
    assert claimed / runs <= 0.05


@pytest.mark.slow
def test_dropping_does_not_bias_the_variants_that_remain() -> None:
    """Nor does a precision stop: it looks at widths, which tell nothing of where the centre lies."""
    matrix = adaptive(blocks=8, precision=0.04, variants=(PLAIN, STANDARD, SLOW))
    truth = {PLAIN: 1000.0, STANDARD: 1100.0, SLOW: 900.0}
    rng, logs = np.random.default_rng(4), []
    for _ in range(300):
        kept = cut(from_one(drawn(matrix, truth, rng, noise=0.02)), matrix)
        samples = samples_of(kept, matrix)
        pair = paired_ratio(*(samples.values(v.id, "items", THROUGHPUT) for v in (STANDARD, PLAIN)))
        logs.append(np.log(pair.ratio.center / 1.1))
    assert abs(np.mean(logs)) < 4 * np.std(logs) / np.sqrt(len(logs))
