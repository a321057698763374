"""The set of variants not distinguishable from the best, and which of them is the simplest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.analysis.comparisons import Cells, compare, rankable
from harness.analysis.intervals import paired_ratio
from harness.analysis.metrics import DIRECTIONS
from harness.analysis.samples import Samples
from harness.analysis.verdicts import settled
from harness.findings import Comparison, Direction, Verdict
from harness.model import Variant

Simplicity = Callable[[Variant], tuple[Any, ...]]
"""A sort key: the simplest variant first."""


def simplest_first(recipes: Sequence[str] = ()) -> Simplicity:
    """Fewer workers, then the earlier recipe of `recipes` (strangers last), then the id."""

    def key(variant: Variant) -> tuple[Any, ...]:
        rank = recipes.index(variant.recipe) if variant.recipe in recipes else len(recipes)
        return (variant.workers, rank, variant.id)

    return key


@dataclass(frozen=True, slots=True, kw_only=True)
class BestSet:
    best: str | None
    members: tuple[str, ...]
    against_best: tuple[Comparison, ...]


def best_set(
    samples: Samples,
    cells: Cells,
    variants: Sequence[Variant],
    *,
    scenario: str,
    metric: str,
    registered: float,
    margin: float | None,
    simplicity: Simplicity,
) -> BestSet:
    """Everything not shown to be worse than the variant with the best centre.

    A variant is left out only when its paired comparison with the best says WORSE: by the matrix's margin
    or more, after Holm within the scenario, and by more than the floor in its centre. So the set is wide
    where the run is noisy, and holds every ranked variant where it has no margin. (Save one that shares no
    VALID block with the best: nothing can be said of it.) A left-out variant is worse than one that was
    measured, whether or not that one is the true best; and the true best is left out only if a rival beats
    it by chance, the event J. C. Hsu (1984, "Constrained simultaneous confidence intervals
    for multiple comparisons with the best") bounds with k - 1 comparisons, as Holm does here.
    """
    ranked = [variant for variant in variants if rankable(cells[variant.id, scenario], metric)]
    if not ranked:
        return BestSet(best=None, members=(), against_best=())
    sign = -1 if DIRECTIONS[metric] is Direction.HIGHER else 1

    def simple(variant: Variant) -> tuple[Any, ...]:
        return (simplicity(variant), variant.id)

    standing = _standings(samples, cells, [variant.id for variant in ranked], scenario, metric)
    best = min(ranked, key=lambda v: (sign * standing[v.id], simple(v)))
    pairs = [
        compare(samples, cells, (scenario, metric), variant.id, best.id, margin=margin)
        for variant in ranked
        if variant is not best
    ]
    against = settled([pair for pair in pairs if pair is not None], registered)
    worse = {pair.variant_id for pair in against if pair.verdict is Verdict.WORSE}
    told = {best.id, *(pair.variant_id for pair in against)} - worse
    members = sorted((variant for variant in ranked if variant.id in told), key=simple)
    return BestSet(best=best.id, members=tuple(v.id for v in members), against_best=against)


def _standings(
    samples: Samples, cells: Cells, ids: Sequence[str], scenario: str, metric: str
) -> dict[str, float]:
    """Each variant's ratio to the one with the most VALID blocks, over the blocks both have.

    Plain centres would compare different stretches of a drifting machine where a variant was stopped
    early or lacks trials. They stand in only where some variant has no block in common with that one.
    """
    values = {variant_id: samples.values(variant_id, scenario, metric) for variant_id in ids}
    reference = max(ids, key=lambda variant_id: len(values[variant_id]))
    pairs = {variant_id: paired_ratio(values[variant_id], values[reference]) for variant_id in ids}
    ratios = {variant_id: pair.ratio.center for variant_id, pair in pairs.items() if pair}
    if len(ratios) < len(pairs):
        return {variant_id: cells[variant_id, scenario].metrics[metric].center for variant_id in ids}
    return ratios
