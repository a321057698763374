"""An experiment that is no matrix run: tasks that observe something, in a directory that it can resume."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from harness.set_up import THIS_MACHINE, Machine
from studies.observation_store import ExperimentStore
from studies.observations import Observation
from studies.tasks import Walked, announced, chosen, walk

B = TypeVar("B")
"""What an experiment measures with."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationTask(Generic[B]):
    """One probe on one target, or on two that are compared."""

    probe: str
    claim: str
    """Its line among the claims, for example "L2"."""
    title: str
    """What it is done to."""
    quantities: frozenset[tuple[str, str]]
    """Target and quantity of every observation. Where one of them is missing, all are made again."""
    expected_s: float
    """How long it takes on two cores."""
    observe: Callable[[B], Iterable[Observation]]
    """Raises TrialError or VariantError when the target could not be put to the test."""

    @property
    def name(self) -> str:
        return f"{self.claim} {self.probe} {self.title}"

    @property
    def words(self) -> tuple[str, ...]:
        return self.probe, self.claim


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment(Generic[B]):
    """All its tasks, and what they are measured with."""

    name: str
    tasks: tuple[ObservationTask[B], ...]
    equipment: Callable[[str, Say], AbstractContextManager[B]]
    """Given the id of the run."""
    facts: Callable[[B, Path], Mapping[str, Any]]
    """What its manifest says of equipment and machine; the path is the experiment's directory."""

    def remaining(self, observations: Iterable[Observation]) -> list[ObservationTask[B]]:
        """What has yet to be observed."""
        known = {(o.probe, (o.target, o.quantity)) for o in observations if o.experiment == self.name}
        return [task for task in self.tasks if any((task.probe, q) not in known for q in task.quantities)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """How a call ended."""

    store: ExperimentStore
    walked: Walked


def measure(
    experiment: Experiment[B],
    *,
    into: Path,
    only: Sequence[str] = (),
    wait: bool = False,
    say: Say,
    show: Callable[[Observation], None] = lambda _: None,
    machine: Machine = THIS_MACHINE,
) -> Observed:
    """Observe what the directory `into` does not hold yet of all tasks, or of those in `only`.

    A task is stored as soon as it is done. Raises ConfigurationError, EngineUnavailable.
    """
    store = ExperimentStore(into)
    wanted = chosen(experiment.tasks, only)
    left = [task for task in experiment.remaining(store.observations()) if task in wanted]
    for line in announced(left):
        say(line)
    if not left:
        return Observed(store=store, walked=Walked())
    began = datetime.now(UTC)
    run_id = f"{experiment.name}-{began:%Y%m%d-%H%M%S}"
    with machine.lock(run_id, wait=wait, say=say), experiment.equipment(run_id, say) as equipment:
        facts = {
            "experiment": experiment.name,
            "started_at": began.isoformat(timespec="seconds"),
            **experiment.facts(equipment, into),
        }
        store = ExperimentStore.open(into, facts)

        def observe(task: ObservationTask[B]) -> None:
            for seen in tuple(task.observe(equipment)):
                store.append(seen)
                show(seen)

        return Observed(store=store, walked=walk(left, observe, say=say))
