"""The one sentence of a comparison. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.analysis.metrics import METRICS
from harness.analysis.wording import change, percent, spelt
from harness.decision.changes import Change
from harness.decision.thresholds import Outcome

MOST_BLOCKS = 100
"""More than a team would wait for."""


def sentence_of(
    outcome: Outcome,
    base: str,
    new: str,
    changes: Sequence[Change],
    problems: Sequence[str],
    *,
    paired: bool,
) -> str:
    those = [one for one in changes if one.outcome is outcome]
    if outcome is Outcome.REGRESSION:
        return (
            f"Regression: {new} against {base}: {spelt([_clause(one) for one in those[:3]])}{_more(those)}."
        )
    if outcome is Outcome.PASS:
        worst = max(those, key=_nearness)
        return (
            f"Pass: {new} stays within all {len(those)} limits against {base}; "
            f"nearest to its limit: {_clause(worst)}."
        )
    if problems:
        return f"Inconclusive: {problems[0]}."
    if not those:
        return "Inconclusive: no threshold matches anything that was measured."
    if all(one.floor is None for one in those):
        return "Inconclusive: the baseline and its A/A twin give no floor to judge by. Raise design.blocks."
    widest = max(those, key=lambda one: _blocks_needed(one) or 0)
    return (
        f"Inconclusive: {spelt([_clause(one) for one in those[:3]])}{_more(those)} cannot be decided."
        f"{_advice(widest, paired=paired)}"
    )


def _more(those: Sequence[Change]) -> str:
    return f" and {len(those) - 3} more" if len(those) > 3 else ""


def _clause(one: Change) -> str:
    limit = "" if one.threshold is None else f"; limit {one.threshold.change * 100:+g} %"
    label = METRICS[one.metric].label
    return f"{label} on {one.scenario} {change(one.ratio)}{limit}"


def _nearness(one: Change) -> float:
    """How much of the way to its limit the interval reaches."""
    assert one.threshold is not None
    assert one.ratio.lo is not None
    assert one.ratio.hi is not None
    bound = one.ratio.hi if one.threshold.change > 0 else one.ratio.lo
    return math.log(bound) / math.log(one.threshold.limit)


def _blocks_needed(one: Change) -> int | None:
    """Blocks after which the interval would be half as wide as the limit is away from no change.

    The width falls with the root of the number of blocks.
    """
    if one.threshold is None or one.ratio.lo is None or one.ratio.hi is None:
        return None
    half = math.log(one.ratio.hi / one.ratio.lo) / 2
    return math.ceil(one.ratio.n * (half / (abs(math.log(one.threshold.limit)) / 2)) ** 2)


def _advice(one: Change, *, paired: bool) -> str:
    needed = _blocks_needed(one)
    if needed is None:
        return " Raise design.blocks: below 3 blocks there is no interval."
    if not paired:
        return " Measure both in one run: its blocks pair."
    if needed > MOST_BLOCKS:
        return f" The noise here is larger than the limit: {MOST_BLOCKS} blocks would not decide it."
    if needed <= one.ratio.n:
        floor = "" if one.floor is None else f" (A/A floor {percent(one.floor)})"
        return f" The change is about as large as the limit, or as the noise here{floor}."
    return (
        f" About {needed} blocks would decide it (now {one.ratio.n}), if nothing changed: --blocks {needed}."
    )
