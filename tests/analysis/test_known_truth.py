"""Runs drawn from a known truth: does the analysis say what is so, as often as it promises?"""

import numpy as np
import pytest

from harness.analysis.analyse import analyse
from harness.analysis.best_set import best_set, simplest_first
from harness.analysis.comparisons import summarise_cells
from harness.analysis.intervals import paired_ratio
from harness.analysis.samples import samples_of
from harness.findings import Verdict
from harness.model import Validity, Variant
from tests.analysis.simulated import TWIN, back_to_back, drawn, failed, randomised_blocks
from tests.samples import ITEMS, PLAIN, STANDARD, a_matrix

FIVE_BLOCKS = a_matrix(blocks=5)
EQUAL = {PLAIN: 1000.0, STANDARD: 1000.0}


def share_of(event, runs, seed):
    """The share of `runs` seeded runs in which event(rng) is true."""
    rng = np.random.default_rng(seed)
    return sum(bool(event(rng)) for _ in range(runs)) / runs


def standard_against_plain(records, matrix=FIVE_BLOCKS):
    finding = analyse(records, matrix).findings[0]
    return next(c for c in finding.comparisons if (c.variant_id, c.metric) == (STANDARD.id, finding.metric))


def twin_looks_different(order):
    """Whether the paired test tells the baseline from its own twin at p < 0.05, on a drifting machine."""

    def event(rng):
        samples = samples_of(drawn(FIVE_BLOCKS, EQUAL, rng, noise=0.01, drift=0.03, order=order), FIVE_BLOCKS)
        values = [samples.values(variant.id, "items", "throughput_per_s") for variant in (TWIN, PLAIN)]
        return paired_ratio(*values).p_value < 0.05

    return event


def test_drift_does_not_fool_randomised_blocks():
    """0.065 is 5 % plus three standard errors of 2,000 runs."""
    assert share_of(twin_looks_different(randomised_blocks), 2000, seed=1) <= 0.065


def test_drift_fools_back_to_back_repeats():
    assert share_of(twin_looks_different(back_to_back), 500, seed=2) >= 0.30


@pytest.mark.parametrize("noise", [0.005, 0.03, 0.10])
def test_equal_variants_are_told_apart_in_no_more_than_5_percent_of_runs(noise):
    def claims(rng):
        verdict = standard_against_plain(drawn(FIVE_BLOCKS, EQUAL, rng, noise=noise, drift=0.02)).verdict
        return verdict in (Verdict.BETTER, Verdict.WORSE)

    assert share_of(claims, 150, seed=3) <= 0.05


def test_equal_variants_on_a_quiet_machine_are_called_equivalent():
    def equivalent(rng):
        records = drawn(FIVE_BLOCKS, EQUAL, rng, noise=0.005)
        return standard_against_plain(records).verdict is Verdict.EQUIVALENT

    assert share_of(equivalent, 100, seed=4) >= 0.90


def test_a_loss_of_5_percent_is_detected_in_80_percent_of_runs():
    def detected(rng):
        records = drawn(FIVE_BLOCKS, {PLAIN: 1000.0, STANDARD: 1000 / 1.05}, rng, noise=0.008)
        return standard_against_plain(records).verdict is Verdict.WORSE

    assert share_of(detected, 100, seed=5) >= 0.80


def test_a_real_difference_beyond_the_margin_is_hardly_ever_called_equivalent():
    def wrong(rng):
        records = drawn(FIVE_BLOCKS, {PLAIN: 1000.0, STANDARD: 1040.0}, rng, noise=0.01)
        return standard_against_plain(records).verdict is Verdict.EQUIVALENT

    assert share_of(wrong, 200, seed=6) <= 0.025


def test_five_equal_variants_all_stay_in_the_best_set():
    """Without any margin to help: each of them is a true best, and may be lost in 5 % of runs at most."""
    variants = tuple(Variant(recipe="uvicorn-plain", workers=n) for n in range(1, 6))
    matrix = a_matrix(variants=variants, baseline_id=PLAIN.id, blocks=5)
    simple = simplest_first()

    def loses_the_first(rng):
        samples = samples_of(drawn(matrix, dict.fromkeys(variants, 1000.0), rng, noise=0.02), matrix)
        cells = summarise_cells(samples, matrix)
        found = best_set(
            samples,
            cells,
            variants,
            scenario=ITEMS.name,
            metric="throughput_per_s",
            registered=0.0,
            margin=0.0,
            simplicity=simple,
        )
        return PLAIN.id not in found.members

    assert share_of(loses_the_first, 400, seed=7) <= 0.05


def test_a_clearly_slower_variant_leaves_the_best_set():
    def gone(rng):
        records = drawn(FIVE_BLOCKS, {PLAIN: 1000.0, STANDARD: 1400.0}, rng, noise=0.02)
        return analyse(records, FIVE_BLOCKS).findings[0].best_set == (STANDARD.id,)

    assert share_of(gone, 100, seed=8) >= 0.95


@pytest.mark.parametrize("blocks", [6, 8, 12])
@pytest.mark.parametrize("drift", [0.0, 0.03])
def test_the_interval_holds_the_true_ratio_in_95_percent_of_drifting_runs(blocks, drift):
    """Two cells of four in randomised blocks; `drift` is the machine's random walk per trial."""
    rng, runs, cells, true_ratio = np.random.default_rng(blocks), 2000, 4, 1.3
    shape = (runs, blocks, cells)
    wander = np.cumsum(rng.normal(0.0, drift, (runs, blocks * cells)), axis=1).reshape(shape)
    place = rng.permuted(np.broadcast_to(np.arange(cells), shape), axis=-1)
    logs = np.take_along_axis(wander, place, axis=-1) + rng.normal(0.0, 0.01, shape)
    upper, lower = true_ratio * np.exp(logs[..., 0]), np.exp(logs[..., 1])
    ratios = [
        paired_ratio(dict(enumerate(a)), dict(enumerate(b))).ratio for a, b in zip(upper, lower, strict=True)
    ]
    covered = np.mean([ratio.lo <= true_ratio <= ratio.hi for ratio in ratios])
    assert 0.93 <= covered <= 0.97


def test_missing_trials_do_not_bias_the_ratio():
    """The machine halves its speed in mid-run; the baseline loses its fast blocks, and pairing copes."""
    rng = np.random.default_rng(9)
    truth = {PLAIN: 1000.0, STANDARD: 1200.0}
    fast = drawn(FIVE_BLOCKS, truth, rng, noise=0.002)
    slow = drawn(FIVE_BLOCKS, {v: x / 2 for v, x in truth.items()}, rng, noise=0.002)
    records = [r for r in fast if r.block < 2] + [r for r in slow if r.block >= 2]
    records += [failed(PLAIN, 0, Validity.NOISY)]
    comparison = standard_against_plain(records)
    assert comparison.ratio.n == 4
    assert comparison.ratio.center == pytest.approx(1.2, rel=0.01)
