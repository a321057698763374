"""Stored runs for notebooks and scripts, as `import harness` offers them: DataFrames and figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from harness import stored_report
from harness.adapters.result_store import RunStore, find_run
from harness.analysis.frame import columns_frame, trials_frame, verdicts_frame
from harness.analysis.heuristics import worker_rules_table
from harness.decision.changes import VersionComparison
from harness.decision.comparable import differences
from harness.decision.compare import ComparedRun, compare_runs
from harness.decision.thresholds import parse_threshold
from harness.errors import ConfigurationError
from harness.findings import ScenarioFinding
from harness.model import Validity
from harness.reporting import figures
from harness.reporting.data import ReportData
from harness.reporting.frames import changes_frame, requests_frame
from harness.reporting.markdown import inert

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def load(run: str | Path | None = None, *, results: str | Path = "results") -> Run:
    """A stored run by its directory or id, or the newest one in `results`.

    Raises harness.errors.ConfigurationError where there is none, or it is damaged.
    """
    return Run(find_run(Path(results), None if run is None else str(run)))


def compare(base: Run, new: Run, *thresholds: str) -> Comparison:
    """Two stored runs, cell by cell; a threshold is such as "p95>+5%", without any the matrix's margin holds.

    Raises harness.errors.ConfigurationError where machine, engine or workload differ, and ValueError of a
    threshold that cannot be read.
    """
    if differ := differences(base.manifest, new.manifest):
        raise ConfigurationError(f"{base.id} and {new.id} cannot be compared, these differ", differ)
    sides = [
        ComparedRun(name=run.id, matrix=run.data.matrix, records=run.data.records) for run in (base, new)
    ]
    return Comparison(compare_runs(sides[0], sides[1], [parse_threshold(text) for text in thresholds]))


def tables(run: Run) -> Iterator[tuple[str, bytes]]:
    """The trials, and the requests of each cell, as CSV by file name."""
    yield "trials.csv", run.trials.to_csv(index=False).encode()
    for cell in run.cells:
        yield f"requests.{cell}.csv", run.requests(cell).to_csv(index=False).encode()


class Run:
    """One stored run, judged by the rules of this version."""

    def __init__(self, store: RunStore) -> None:
        self._store = store

    def __repr__(self) -> str:
        return f"<Run {self.id}: {self.headline}>"

    def _repr_markdown_(self) -> str:
        """As a notebook shows it."""
        return f"**{inert(self.headline)}** ({inert(self.id)})"

    @property
    def id(self) -> str:
        return self._store.path.name

    @property
    def manifest(self) -> Mapping[str, object]:
        """Machine, engine, images and matrix, as the run stored them."""
        return self._store.manifest()

    @cached_property
    def data(self) -> ReportData:
        """Everything the report is made of, as values."""
        return stored_report.report_data(self._store)

    @property
    def headline(self) -> str:
        """The verdict in a sentence."""
        return self.data.analysis.headline

    @property
    def recommended(self) -> str | None:
        """Id of the variant to deploy, or None where no one variant is among the best everywhere."""
        return self.data.analysis.recommended

    @property
    def cells(self) -> tuple[str, ...]:
        """Ids of all that was measured: variant and scenario."""
        return tuple(dict.fromkeys(record.cell_id for record in self.data.outcomes))

    @property
    def trials(self) -> pd.DataFrame:
        """One row per trial, its last attempt; see `units`."""
        return trials_frame(self.data.records)

    @property
    def verdicts(self) -> pd.DataFrame:
        """One row per comparison with the baseline: scenario, metric, variant_id, baseline_id, ratio, lo, hi
        (variant / baseline with its 95 % interval), p_holm, margin (a fraction), verdict."""
        return verdicts_frame(self.data.analysis)

    @property
    def rules(self) -> pd.DataFrame:
        """One row per worker rule and scenario, with what following it loses; empty without such rules."""
        return worker_rules_table(self.data.analysis, self.data.matrix)

    @property
    def units(self) -> pd.DataFrame:
        """What each column of figures in `trials` is, and its unit."""
        return columns_frame()

    def requests(self, cell: str) -> pd.DataFrame:
        """Every request of a cell's VALID trials, in all blocks.

        Columns: block; intended_s, sent_s, finished_s (CLOCK_MONOTONIC; finished_s is NaN where nothing came
        back); latency_s (from the intended time); status (of HTTP; negative where there is none). Raises
        ConfigurationError for a cell that is not in the run.
        """
        if cell not in self.cells:
            raise ConfigurationError(cell, [f"is no cell of {self.id}; there are {', '.join(self.cells)}"])
        loads = {}
        for record in self.data.outcomes:
            if record.cell_id == cell and record.validity is Validity.VALID:
                stored = self._store.trial(record.trial_id)
                if stored is not None:
                    loads[record.block] = stored.load
        return requests_frame(loads)

    @property
    def plot(self) -> Plots:
        """The figures of the report."""
        return Plots(self.data)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs side by side."""

    found: VersionComparison

    def __repr__(self) -> str:
        return f"<Comparison: {self.found.sentence}>"

    def _repr_markdown_(self) -> str:
        """As a notebook shows it."""
        return f"**{inert(self.sentence)}**"

    @property
    def sentence(self) -> str:
        return self.found.sentence

    @property
    def outcome(self) -> str:
        """ "pass", "regression" or "inconclusive"."""
        return str(self.found.outcome)

    @property
    def changes(self) -> pd.DataFrame:
        """One row per metric and scenario: before, after and change (new / base) with its 95 % interval."""
        return changes_frame(self.found.changes)


class Picture:
    """A figure that a notebook shows and `save` writes."""

    def __init__(self, figure: Figure) -> None:
        self.figure = figure

    def _repr_png_(self) -> bytes:
        return figures.png(self.figure)

    def save(self, path: str | Path) -> None:
        """As PNG, or as SVG where the name ends so. Raises OSError."""
        where = Path(path)
        if where.suffix == ".svg":
            where.write_text(figures.svg(self.figure), encoding="utf-8")
        else:
            where.write_bytes(figures.png(self.figure))


Draw = Callable[[ReportData, ScenarioFinding], "Figure"]


class Plots:
    """Figures of a run; of one scenario where one is named, else of the first."""

    def __init__(self, data: ReportData) -> None:
        self._data = data

    @property
    def scenarios(self) -> tuple[str, ...]:
        return tuple(finding.scenario for finding in self._data.analysis.findings)

    def ratios(self, scenario: str | None = None) -> Picture:
        """Every variant's ratio to the baseline, with the noise behind it."""
        return self._drawn(figures.ratios, scenario)

    def ranking(self, scenario: str | None = None) -> Picture:
        """The metric that ranks, with intervals and every trial."""
        return self._drawn(figures.ranking, scenario)

    def latency(self, scenario: str | None = None) -> Picture:
        """The tail of the latencies."""
        return self._drawn(figures.latency_tail, scenario)

    def memory(self, scenario: str | None = None) -> Picture:
        """What a variant serves for the memory it takes."""
        return self._drawn(figures.tradeoff, scenario)

    def resources(self, scenario: str | None = None) -> Picture:
        """CPU and memory while it ran."""
        return self._drawn(figures.resources, scenario)

    def drift(self, scenario: str | None = None) -> Picture:
        """The metric that ranks, block by block."""
        return self._drawn(figures.drift, scenario)

    def rules(self) -> Picture:
        """What following each worker rule loses."""
        return Picture(figures.regret(self._data))

    def _drawn(self, draw: Draw, scenario: str | None) -> Picture:
        known = {finding.scenario: finding for finding in self._data.analysis.findings}
        name = scenario or next(iter(known))
        if name not in known:
            raise ConfigurationError(name, [f"is no scenario of this run; there are {', '.join(known)}"])
        return Picture(draw(self._data, known[name]))
