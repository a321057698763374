"""Runs every study behind the claims, one preset after the other, each in a directory of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness import pipeline
from harness.adapters.result_store import RunStore
from harness.errors import ConfigurationError, TrialError, VariantError
from harness.execution.blocks import RunEnd, Watcher
from harness.planning.plan import cells_of, estimate, plan_blocks
from harness.progress import duration
from studies.claims.catalogue import CLAIMS
from studies.images.comparison import compare_images, unmeasured
from studies.images.pairs import PAIRS
from studies.lifecycle.experiment import PROBES, lifecycle, remaining
from studies.observation_store import ExperimentStore
from studies.observations import Observation

SETTING_UP_S = 20.0
"""Images looked up and the generator calibrated, for each preset; the first builds take longer."""
REPEATS = 20
"""How often losses are counted: fewer could not rule out one in five."""
FINISHED = (RunEnd.COMPLETE, RunEnd.BUDGET)


class Step(Protocol):
    """One preset or experiment."""

    @property
    def name(self) -> str: ...
    @property
    def expected_s(self) -> float:
        """What is left of it, in seconds; 0 when it is finished."""
        ...

    def measure(self, watcher: Watcher) -> bool:
        """Measure what is left; False when the user interrupted it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixStep:
    """A preset of matrices/, run in the directory `into`/<name>."""

    name: str
    path: Path
    into: Path
    engine: str = "auto"
    wait: bool = False

    @property
    def expected_s(self) -> float:
        """Raises ConfigurationError when the matrix or what is stored of it is damaged or of another one."""
        matrix = pipeline.resolved(self.path).matrix
        plan = plan_blocks(cells_of(matrix), blocks=matrix.blocks, seed=matrix.seed)
        left = 1.0
        if (self.into / self.name).exists():
            store = RunStore(self.into / self.name)
            pipeline.refuse_another_matrix(store, matrix)
            if store.manifest()["end"] in FINISHED:
                return 0.0
            left = max(0.0, 1 - len(store.records()) / len(plan.trials))
        return min(estimate(plan, matrix).seconds, matrix.budget_s) * left + SETTING_UP_S

    def measure(self, watcher: Watcher) -> bool:
        options = pipeline.RunOptions(results=self.into, engine=self.engine, run_id=self.name, wait=self.wait)
        return pipeline.run(pipeline.resolved(self.path), options, watcher).end is not RunEnd.INTERRUPTED


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentStep:
    """An experiment that is no matrix run, in the directory `into`/<name>."""

    name: str
    into: Path
    left_s: Callable[[Sequence[Observation]], float]
    """What it still takes, given what has been observed."""
    start: Callable[[Path, Callable[[str], None]], object]
    """Measures what its directory lacks, and says what it does."""

    @property
    def expected_s(self) -> float:
        return self.left_s(ExperimentStore(self.into / self.name).observations())

    def measure(self, watcher: Watcher) -> bool:
        try:
            self.start(self.into / self.name, watcher.said)
        except KeyboardInterrupt:
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """How a call went."""

    interrupted: bool
    left: tuple[str, ...]
    """Not begun, for want of time; the next call measures them."""
    failed: tuple[str, ...]
    """Each with the reason. The others went on."""


def presets() -> tuple[str, ...]:
    """Every preset and experiment that some claim is judged by, in the order of the claims."""
    return tuple(dict.fromkeys(source for claim in CLAIMS for source in claim.sources))


def matrix_steps(
    project: Path, into: Path, *, engine: str = "auto", wait: bool = False
) -> Iterator[MatrixStep]:
    """Those presets whose matrix is in the project. The claims of others stay undecided."""
    for name in presets():
        path = project / "matrices" / f"{name}.toml"
        if path.is_file():
            yield MatrixStep(name=name, path=path, into=into, engine=engine, wait=wait)


def experiment_steps(into: Path, *, wait: bool = False) -> tuple[ExperimentStep, ...]:
    """Experiments know by themselves what their directory lacks."""
    return (
        ExperimentStep(
            name="images",
            into=into,
            left_s=lambda seen: sum(pair.about_s for pair in unmeasured(PAIRS, seen)),
            start=lambda directory, say: compare_images(directory, only=(), wait=wait, say=say),
        ),
        ExperimentStep(
            name="lifecycle",
            into=into,
            left_s=lambda seen: sum(task.probe.expected_s for task in remaining(PROBES, seen)),
            start=lambda directory, say: lifecycle(
                into=directory, only=(), repeats=REPEATS, wait=wait, say=say, show=lambda _: None
            ),
        ),
    )


def chosen(steps: Sequence[Step], only: Sequence[str]) -> list[Step]:
    """Those named in `only`, all when it is empty. Raises ConfigurationError."""
    known = [step.name for step in steps]
    unknown = [name for name in only if name not in known]
    if unknown:
        problems = [f"no preset {name!r}; there are {', '.join(known)}" for name in unknown]
        raise ConfigurationError("--only", problems)
    return [step for step in steps if not only or step.name in only]


def told_beforehand(steps: Sequence[Step], *, budget_s: float) -> Iterator[str]:
    """How long each step still takes, and all of them."""
    total = 0.0
    for step in steps:
        # Asked once: it reads the matrix and all that is stored of it.
        seconds = step.expected_s
        total += seconds
        yield f"{step.name:<22} {f'about {duration(seconds)}' if seconds else 'finished'}"
    if not total:
        yield "nothing is left to measure"
        return
    yield f"about {duration(total)} in all, and the first builds; the budget is {duration(budget_s)}"


def walk(
    steps: Sequence[Step], *, budget_s: float, monotonic: Callable[[], float], watcher: Watcher
) -> Walked:
    """Measure step after step. None starts that is not expected to end within the budget."""
    started_s = monotonic()
    left: list[str] = []
    failed: list[str] = []
    for step in steps:
        expected_s = step.expected_s
        if not expected_s:
            continue
        if monotonic() - started_s + expected_s > budget_s:
            left.append(step.name)
            continue
        watcher.said(f"{step.name}: about {duration(expected_s)}")
        try:
            if not step.measure(watcher):
                return Walked(interrupted=True, left=tuple(left), failed=tuple(failed))
        except (VariantError, TrialError) as error:
            watcher.said(f"{step.name} could not be measured: {error}")
            failed.append(f"{step.name}: {error}")
    return Walked(interrupted=False, left=tuple(left), failed=tuple(failed))
