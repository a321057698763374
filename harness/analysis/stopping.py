"""When enough is known: a scenario stops on precision, a clearly worse variant before it.

Both rules read only records of earlier blocks, so a run that is resumed, or analysed again, decides as
it did before. Neither looks at whether a difference is significant in order to end a comparison early
in its favour: the width of an interval says nothing about where its centre lies.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.analysis.best_set import best_set, simplest_first
from harness.analysis.comparisons import Cells, compare, margin_over, summarise_cells
from harness.analysis.metrics import ranking_metric
from harness.analysis.samples import Samples, samples_of, twin_of_baseline
from harness.analysis.verdicts import ALPHA
from harness.analysis.wording import percent
from harness.findings import Comparison, ScenarioFinding, Verdict
from harness.model import Matrix, Scenario, TrialRecord, Validity

FIRST_LOOK, LOOK_EVERY = 4, 2
"""The block after which the records are first looked at, and the blocks between two looks."""
BLOCKS_AFTER = 2
"""A scenario goes on for this long after it was first precise enough.

An interval that has just become narrow is narrow partly by luck: stopping there and then covers the
truth in 91 to 93 % of runs instead of 95. A fixed number of further observations makes up for that (G. Simons
1968, "On the cost of not knowing the variance when making a fixed-width confidence interval for the mean").
"""


def last_blocks(records: Sequence[TrialRecord], matrix: Matrix) -> dict[str, int]:
    """The last block of every cell that needs no more trials, by cell id; empty without a `precision`.

    Each decision takes effect after the block it was made at, so that those made at a block which is not
    complete change nothing in it, and are made again when it is. Records of a cell from beyond its last
    block are not looked at: records of a longer run give the same answer.
    """
    ends: dict[str, int] = {}
    if matrix.precision is None:
        return ends
    reached = max((record.block for record in records), default=0)
    for block in _looks(matrix):
        if block > reached:
            break
        so_far = [r for r in records if r.block <= min(block, ends.get(r.cell_id, block))]
        samples = samples_of(so_far, matrix)
        look = _InterimAnalysis(block, samples, summarise_cells(samples, matrix), matrix, matrix.precision)
        for scenario in matrix.scenarios:
            for cell_id, end in look.ended(scenario, ends):
                ends.setdefault(cell_id, end)
    return ends


def stopped_early(samples: Samples, ends: Mapping[str, int]) -> frozenset[tuple[str, str]]:
    """The cells, as (variant id, scenario name), that stopped while others of their scenario went on."""
    reached: dict[str, int] = defaultdict(int)
    for (_, scenario), records in samples.cells.items():
        reached[scenario] = max(reached[scenario], *(record.block for record in records))
    return frozenset(
        (variant_id, scenario)
        for variant_id, scenario in samples.cells
        if ends.get(f"{variant_id}.{scenario}", reached[scenario]) < reached[scenario]
    )


def stopping_notes(finding: ScenarioFinding, ends: Mapping[str, int], matrix: Matrix) -> Iterator[str]:
    """How a scenario with a `precision` ended, in words."""
    if matrix.precision is None:
        return
    name, target = finding.scenario, percent(matrix.precision)
    for cell in finding.cells:
        if cell.stopped_early:
            yield (
                f"{cell.variant_id}: stopped early on {name}, after {cell.trials} trials, as clearly worse "
                f"than the best by then"
            )
    end = ends.get(f"{matrix.baseline_id}.{name}")
    reached = max(cell.trials for cell in finding.cells)
    if end is not None and end <= reached and end < matrix.blocks:
        yield (
            f"{name}: stopped after {end} of at most {matrix.blocks} blocks, {BLOCKS_AFTER} after every "
            f"ratio to {matrix.baseline_id} was first known to within {target}"
        )
    elif end is None and reached >= matrix.blocks:
        yield f"{name}: not every ratio is known to within {target} after all of {matrix.blocks} blocks"


def _looks(matrix: Matrix) -> range:
    """The blocks after which the records are looked at; after the last there is nothing left to stop."""
    return range(FIRST_LOOK, matrix.blocks, LOOK_EVERY)


@dataclass(frozen=True, slots=True)
class _InterimAnalysis:
    """All that is known after a block."""

    block: int
    samples: Samples
    cells: Cells
    matrix: Matrix
    precision: float

    def ended(self, scenario: Scenario, ends: Mapping[str, int]) -> Iterator[tuple[str, int]]:
        """The cells of a scenario that end, and with which block: dropped variants with this one.

        A variant that broke, or that the generator held back, has no ratio to wait for. The twin is
        always waited for: without the A/A floor nothing can be judged.
        """
        pairs = self._against_baseline(scenario)
        twin_id = twin_of_baseline(self.matrix).id
        worse = self._clearly_worse(scenario, twin=pairs[twin_id])
        yield from ((f"{variant_id}.{scenario.name}", self.block) for variant_id in worse)
        for variant_id, pair in pairs.items():
            word = self.cells[variant_id, scenario.name].word
            hopeless = word in (Validity.INVALID, Validity.GENERATOR_BOUND) and variant_id != twin_id
            waived = hopeless or variant_id in worse or f"{variant_id}.{scenario.name}" in ends
            if not waived and not self._precise(pair):
                return
        for variant_id in (self.matrix.baseline_id, *pairs):
            yield f"{variant_id}.{scenario.name}", self.block + BLOCKS_AFTER

    def _against_baseline(self, scenario: Scenario) -> dict[str, Comparison | None]:
        """Every variant and the twin against the baseline on the ranking metric, by variant id."""
        key, base = (scenario.name, ranking_metric(scenario)), self.matrix.baseline_id
        variants = (*self.matrix.variants, twin_of_baseline(self.matrix))
        return {v.id: compare(self.samples, self.cells, key, v.id, base) for v in variants if v.id != base}

    def _precise(self, pair: Comparison | None) -> bool:
        """Half of the 95 % interval, which is symmetrical on the log scale, as a fraction of the centre."""
        if pair is None or pair.ratio.hi is None:
            return False
        return pair.ratio.hi / pair.ratio.center - 1 <= self.precision

    def _clearly_worse(self, scenario: Scenario, *, twin: Comparison | None) -> frozenset[str]:
        """Variants that are WORSE than the present best at a level that allows for every look of the run.

        Holm within the look, at 5 % divided by the number of looks: by Bonferroni the chance of losing the
        scenario's true best at any look stays below 5 %, whatever the dependence (repeated tests: C.
        Jennison and B. W. Turnbull 2000, "Group Sequential Methods"; equal shares as S. J. Pocock's 1977,
        since with O'Brien and Fleming's a t test of few blocks could never reject). Baseline, twin and
        best stay.
        """
        found = best_set(
            self.samples,
            self.cells,
            self.matrix.variants,
            scenario=scenario.name,
            metric=ranking_metric(scenario),
            registered=self.matrix.margin,
            margin=margin_over(twin, self.matrix),
            simplicity=simplest_first(),
        )
        level = ALPHA / len(_looks(self.matrix))
        return frozenset(
            pair.variant_id
            for pair in found.against_best
            if pair.verdict is Verdict.WORSE
            and pair.p_holm is not None
            and pair.p_holm < level
            and pair.variant_id != self.matrix.baseline_id
        )
