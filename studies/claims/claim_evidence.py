"""What claims are judged by: analysed runs of presets, and observations of experiments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.analysis.analyse import analyse
from harness.analysis.common_rate import with_common_rates
from harness.analysis.comparisons import Cells, compare, margin_over, rankable, summarise_cells
from harness.analysis.intervals import PairedRatio, paired_ratio
from harness.analysis.metrics import ranking_metric
from harness.analysis.samples import Samples, samples_of, twin_of_baseline
from harness.analysis.verdicts import settled
from harness.findings import Comparison, RunAnalysis, Verdict
from harness.model import Matrix, Scenario, TrialRecord
from studies.observations import Observation

Place = tuple[str, str]
"""A cell: variant id and scenario name."""


class NotMeasured(Exception):
    """What a question needs is not there; the text says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRun:
    """One preset's run, ready to be asked about any two of its cells."""

    name: str
    matrix: Matrix
    samples: Samples
    cells: Cells
    analysis: RunAnalysis

    @classmethod
    def of(cls, name: str, matrix: Matrix, records: Sequence[TrialRecord]) -> MeasuredRun:
        """Raises ConfigurationError when the records are not of this matrix."""
        matrix = with_common_rates(matrix, records)
        samples = samples_of(records, matrix)
        return cls(
            name=name,
            matrix=matrix,
            samples=samples,
            cells=summarise_cells(samples, matrix),
            analysis=analyse(records, matrix),
        )

    def variant(self, recipe: str, workers: int = 1) -> str:
        """The id of the plainest variant of a recipe. Raises NotMeasured."""
        ids = [v.id for v in self.matrix.variants if (v.recipe, v.workers) == (recipe, workers)]
        if not ids:
            raise NotMeasured(f"{recipe} with {workers} workers in {self.name}")
        return min(ids, key=len)

    def scenario(self, name: str) -> Scenario:
        """Raises NotMeasured."""
        found = next((scenario for scenario in self.matrix.scenarios if scenario.name == name), None)
        if found is None:
            raise NotMeasured(f"{name} in {self.name}")
        return found

    def everywhere(self, upper: str, lower: str, metric: str | None = None) -> Iterator[Comparison]:
        """One variant against another under every scenario, as one family; ranked as the scenario is.

        Raises NotMeasured after the last comparison where a scenario's cells cannot be ranked.
        """
        known: list[Comparison] = []
        missing: list[str] = []
        for scenario in self.matrix.scenarios:
            ranking = metric or ranking_metric(scenario)
            try:
                known.append(self._pair((upper, scenario.name), (lower, scenario.name), ranking))
            except NotMeasured as error:
                missing.append(str(error))
        yield from settled(known, self.matrix.margin)
        if missing:
            raise NotMeasured(" and ".join(missing))

    def judged(self, questions: Iterable[tuple[Place, Place, str]]) -> tuple[Comparison, ...]:
        """Upper / lower on a metric, each by the margin of its own scenarios, with Holm over all of them."""
        return settled([self._pair(*question) for question in questions], self.matrix.margin)

    def ratio(self, upper: Place, lower: Place, metric: str) -> PairedRatio:
        """Upper / lower, paired by block; the two may be of different scenarios. Raises NotMeasured."""
        for place in (upper, lower):
            cell = self.cells.get(place)
            if cell is None or not rankable(cell, metric):
                word = "not in the run" if cell is None or not cell.trials else str(cell.word)
                raise NotMeasured(f"{'.'.join(place)} in {self.name}: {word}")
        pair = paired_ratio(self.samples.values(*upper, metric), self.samples.values(*lower, metric))
        if pair is None:
            raise NotMeasured(f"{'.'.join(upper)} and {'.'.join(lower)} share no block in {self.name}")
        return pair

    def _pair(self, upper: Place, lower: Place, metric: str) -> Comparison:
        pair = self.ratio(upper, lower, metric)
        margins = [self._margin(scenario, metric) for scenario in {upper[1], lower[1]}]
        known = [margin for margin in margins if margin is not None]
        return Comparison(
            scenario=upper[1],
            metric=metric,
            variant_id=upper[0],
            baseline_id=lower[0],
            ratio=pair.ratio,
            p_value=pair.p_value,
            p_holm=None,
            verdict=Verdict.UNDECIDED,
            margin=max(known) if len(known) == len(margins) else None,
        )

    def _margin(self, scenario: str, metric: str) -> float | None:
        twin_id = twin_of_baseline(self.matrix).id
        twin = compare(self.samples, self.cells, (scenario, metric), twin_id, self.matrix.baseline_id)
        return margin_over(twin, self.matrix)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimEvidence:
    """Everything that was measured, by preset and experiment."""

    runs: Mapping[str, MeasuredRun]
    observations: tuple[Observation, ...] = ()

    def run(self, preset: str) -> MeasuredRun:
        """Raises NotMeasured."""
        if preset not in self.runs:
            raise NotMeasured(f"preset {preset}")
        return self.runs[preset]

    def observed(self, experiment: str, probe: str, target: str, quantity: str) -> Observation:
        """Raises NotMeasured."""
        found = [o for o in self.about(experiment, probe, quantity) if o.target == target]
        if not found:
            raise NotMeasured(f"{quantity} of {target} under {probe} ({experiment})")
        return found[0]

    def about(self, experiment: str, probe: str, quantity: str) -> tuple[Observation, ...]:
        """One observation a target, the latest of each. Raises NotMeasured where there is none."""
        wanted = (experiment, probe, quantity)
        latest = {o.target: o for o in self.observations if (o.experiment, o.probe, o.quantity) == wanted}
        if not latest:
            raise NotMeasured(f"{quantity} under {probe} ({experiment})")
        return tuple(latest.values())
