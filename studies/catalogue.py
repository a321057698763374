"""Every study behind the claims as one task, each in a directory of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import pipeline
from harness.adapters.result_store import RunStore
from harness.execution.blocks import RunEnd, Watcher
from harness.planning.plan import cells_of, estimate, plan_blocks
from harness.set_up import THIS_MACHINE, Machine
from studies.claims.all_claims import CLAIMS
from studies.experiment import Experiment, measure
from studies.images.image_experiment import IMAGES
from studies.lifecycle.fault_experiment import lifecycle
from studies.observation_store import ExperimentStore

SETTING_UP_S = 20.0
"""Images looked up and the generator calibrated, for each preset; the first builds take longer."""
REPEATS = 20
"""How often losses are counted: fewer could not rule out one in five."""
FINISHED = (RunEnd.COMPLETE, RunEnd.BUDGET)


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixStudy:
    """A preset of matrices/, run in the directory `into`/<name>."""

    name: str
    path: Path
    into: Path
    engine: str = "auto"
    wait: bool = False
    machine: Machine = THIS_MACHINE

    @property
    def words(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def expected_s(self) -> float:
        """Raises ConfigurationError when the matrix or what is stored of it is damaged or of another one."""
        matrix = pipeline.resolved(self.path, machine=self.machine).matrix
        plan = plan_blocks(cells_of(matrix), blocks=matrix.blocks, seed=matrix.seed)
        left = 1.0
        if (self.into / self.name).exists():
            store = RunStore(self.into / self.name)
            pipeline.refuse_another_matrix(store, matrix)
            if store.manifest()["end"] in FINISHED:
                return 0.0
            left = max(0.0, 1 - len(store.records()) / len(plan.trials))
        return min(estimate(plan, matrix).seconds, matrix.budget_s) * left + SETTING_UP_S

    def measure(self, watcher: Watcher) -> None:
        options = pipeline.RunOptions(results=self.into, engine=self.engine, run_id=self.name, wait=self.wait)
        known = pipeline.resolved(self.path, machine=self.machine)
        outcome = pipeline.run(known, options, watcher, machine=self.machine)
        if outcome.end is RunEnd.INTERRUPTED:
            raise KeyboardInterrupt


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentStudy:
    """An experiment that is no matrix run, in the directory `into`/<name>."""

    experiment: Experiment[Any]
    into: Path
    wait: bool = False
    machine: Machine = THIS_MACHINE

    @property
    def name(self) -> str:
        return self.experiment.name

    @property
    def words(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def expected_s(self) -> float:
        seen = ExperimentStore(self.into / self.name).observations()
        return sum(task.expected_s for task in self.experiment.remaining(seen))

    def measure(self, watcher: Watcher) -> None:
        done = measure(
            self.experiment,
            into=self.into / self.name,
            wait=self.wait,
            say=watcher.said,
            machine=self.machine,
        )
        if done.walked.interrupted:
            raise KeyboardInterrupt


Study = MatrixStudy | ExperimentStudy


def presets() -> tuple[str, ...]:
    """Every preset and experiment that some claim is judged by, in the order of the claims."""
    return tuple(dict.fromkeys(source for claim in CLAIMS for source in claim.sources))


def studies(project: Path, into: Path, *, engine: str = "auto", wait: bool = False) -> Iterator[Study]:
    """Presets whose matrix is in the project, then the experiments. The claims of others stay undecided."""
    for name in presets():
        path = project / "matrices" / f"{name}.toml"
        if path.is_file():
            yield MatrixStudy(name=name, path=path, into=into, engine=engine, wait=wait)
    for experiment in (IMAGES, lifecycle(repeats=REPEATS)):
        yield ExperimentStudy(experiment=experiment, into=into, wait=wait)
