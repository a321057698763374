"""The four verdicts: better, worse, equivalent, undecided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.analysis.holm import holm
from harness.analysis.intervals import p_value_beyond
from harness.analysis.metrics import DIRECTIONS
from harness.findings import (
    Comparison,
    Direction,
    Summary,
    Verdict,
)

ALPHA = 0.05


def relative_difference(ratio: float) -> float:
    """How far a positive ratio is from 1, the same for a ratio and its inverse: 1.25 and 0.8 give 0.25."""
    return max(ratio, 1 / ratio) - 1


def reach(ratio: Summary) -> float | None:
    """The largest relative difference the interval does not rule out; None without an interval."""
    if ratio.lo is None or ratio.hi is None:
        return None
    return max(relative_difference(ratio.lo), relative_difference(ratio.hi))


def regret(ratio: float, direction: Direction) -> float:
    """What is lost against the best, a fraction: 0.1 is 10 % fewer requests, or 10 % more wait."""
    return 1 - ratio if direction is Direction.HIGHER else ratio - 1


def most_lost(ratio: Summary, direction: Direction) -> float | None:
    """What a ratio to the best may lose at most, by its interval's far end; None without an interval."""
    far = ratio.lo if direction is Direction.HIGHER else ratio.hi
    return None if far is None else regret(far, direction)


def decide(
    ratio: Summary, p_beyond: float | None, *, direction: Direction, registered: float, margin: float | None
) -> Verdict:
    """The verdict on a paired ratio (variant / other side). Margins are fractions.

    `registered` is the matrix's margin, `margin` that or the A/A floor, whichever is larger. `p_beyond` tests
    "the difference is at most the registered margin", see `p_value_beyond`.

    EQUIVALENT: the 95 % interval lies within [1 / (1 + m), 1 + m] of the registered margin m; this is
    two one-sided tests (Schuirmann 1987) at 2.5 % each, stricter than the customary 5 %. Never where
    the floor is larger than m: then a noisier machine would make more things equal.
    BETTER, WORSE: the difference is at least the registered margin, with p < 0.05 after Holm, and the centre
    lies beyond the floor too. (Not just "there is a difference", with the centre beyond the margin: 1.04
    with an interval of 1.001 to 1.08 may well be a difference that does not count.)
    UNDECIDED: all else, and everything where the run has no margin (no A/A floor) or no interval.
    """
    extent = reach(ratio)
    if margin is None or extent is None or p_beyond is None:
        return Verdict.UNDECIDED
    if extent <= registered == margin:
        return Verdict.EQUIVALENT
    if p_beyond >= ALPHA or relative_difference(ratio.center) <= margin:
        return Verdict.UNDECIDED
    gains = (ratio.center > 1) == (direction is Direction.HIGHER)
    return Verdict.BETTER if gains else Verdict.WORSE


def settled(family: Sequence[Comparison], registered: float) -> tuple[Comparison, ...]:
    """The comparisons of one family with their Holm-adjusted p-values and their verdicts, in order."""
    beyond = [p_value_beyond(comparison.ratio, registered) for comparison in family]
    adjusted = iter(holm([p_value for p_value in beyond if p_value is not None]))
    return tuple(
        _settle(pair, None if p_value is None else next(adjusted), registered)
        for pair, p_value in zip(family, beyond, strict=True)
    )


def _settle(comparison: Comparison, p_holm: float | None, registered: float) -> Comparison:
    verdict = decide(
        comparison.ratio,
        p_holm,
        direction=DIRECTIONS[comparison.metric],
        registered=registered,
        margin=comparison.margin,
    )
    return replace(comparison, p_holm=p_holm, verdict=verdict)
