"""How often a true difference is called better or worse, by simulation: `python benchmarks/verdicts.py`.

Two variants, log-normal noise per trial, 1,000 runs a figure, margin 3 %, a floor no larger than the margin.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.analysis.intervals import p_value_beyond, paired_ratio
from harness.analysis.verdicts import ALPHA, decide
from harness.findings import Direction, Verdict

RUNS, MARGIN = 1000, 0.03
BLOCKS, NOISES = (3, 5, 8, 12), (0.005, 0.008, 0.015, 0.03, 0.05)
LOSSES = (0.04, 0.05, 0.06, 0.08, 0.10, 0.15, 0.20, 0.30)


def called(true_ratio: float, *, blocks: int, noise: float) -> tuple[float, float]:
    """The share of runs called better or worse, and the share in which any difference is told (p < 0.05)."""
    rng = np.random.default_rng(blocks)
    verdicts = told = 0
    for _ in range(RUNS):
        lower, upper = np.exp(rng.normal(0.0, noise, (2, blocks)))
        pair = paired_ratio(dict(enumerate(true_ratio * upper)), dict(enumerate(lower)))
        assert pair is not None
        assert pair.p_value is not None
        beyond = p_value_beyond(pair.ratio, MARGIN)
        verdict = decide(pair.ratio, beyond, direction=Direction.HIGHER, registered=MARGIN, margin=MARGIN)
        verdicts += verdict in (Verdict.BETTER, Verdict.WORSE)
        told += pair.p_value < ALPHA
    return verdicts / RUNS, told / RUNS


def smallest(*, blocks: int, noise: float) -> str:
    """The smallest of LOSSES that is called in four runs of five."""
    found = (loss for loss in LOSSES if called(1 / (1 + loss), blocks=blocks, noise=noise)[0] >= 0.8)
    return next((f"{loss:.0%}" for loss in found), f"over {LOSSES[-1]:.0%}")


def row(cells: Sequence[object]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    heads = ["blocks", *(f"noise {noise:.1%}" for noise in NOISES)]
    rule = row(["---"] * len(heads))
    print("A true difference of exactly the margin: called better or worse (told from none at p < 0.05)\n")
    print(row(heads), rule, sep="\n")
    for blocks in BLOCKS:
        shares = [called(1 + MARGIN, blocks=blocks, noise=noise) for noise in NOISES]
        print(row([blocks, *(f"{verdict:.1%} ({told:.0%})" for verdict, told in shares)]))
    print("\nThe smallest loss that is called worse in four runs of five\n")
    print(row(heads), rule, sep="\n")
    for blocks in BLOCKS:
        print(row([blocks, *(smallest(blocks=blocks, noise=noise) for noise in NOISES)]))


if __name__ == "__main__":
    main()
