"""The whole experiment: every probe in turn, on real containers, into a directory that it can go on with."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.adapters.assets import assets
from harness.adapters.docker_engine import DockerEngine
from harness.adapters.provenance import made_with
from harness.adapters.run_lock import run_lock
from harness.errors import ConfigurationError, TrialError, VariantError
from studies.lifecycle import (
    command_form,
    graceful_stop,
    memory,
    missing_setting,
    process_killed,
    proxy,
    readiness,
    reload,
    start_up,
    stuck_worker,
    worker_killed,
)
from studies.lifecycle.containers import Rig
from studies.lifecycle.probe import EXPERIMENT, Probe, observation
from studies.observation_store import ExperimentStore
from studies.observations import FAILED_ATTEMPTS, Observation

PROBES: tuple[Probe, ...] = (
    *command_form.PROBES,
    *graceful_stop.PROBES,
    *worker_killed.PROBES,
    *stuck_worker.PROBES,
    *process_killed.PROBES,
    *readiness.PROBES,
    *reload.PROBES,
    *start_up.PROBES,
    *memory.PROBES,
    *missing_setting.PROBES,
    *proxy.PROBES,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One probe on one subject."""

    probe: Probe
    subject: str

    @property
    def name(self) -> str:
        return f"{self.probe.claim} {self.probe.name} {self.subject}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """How a call ended."""

    store: ExperimentStore
    unmeasured: tuple[str, ...]
    """What could not be put to the test, each with the reason."""


def lifecycle(
    *,
    into: Path,
    only: Sequence[str],
    repeats: int,
    wait: bool,
    say: Callable[[str], None],
    show: Callable[[Observation], None],
) -> Lifecycle:
    """Put servers through every probe, or those in `only` (names or claims), and store what is seen.

    What the directory `into` holds already is not done again. Raises ConfigurationError, EngineUnavailable.
    """
    probes = chosen(PROBES, only)
    store = ExperimentStore(into)
    tasks = remaining(probes, store.observations())
    say(told_beforehand(tasks))
    if not tasks:
        return Lifecycle(store=store, unmeasured=())
    run_id = f"lifecycle-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    with run_lock(run_id, wait=wait, say=say), _open_rig(run_id, repeats=repeats, say=say) as rig:
        store = ExperimentStore.open(into, _manifest(rig))
        unmeasured = tuple(_walk(tasks, rig, store, say=say, show=show))
    return Lifecycle(store=store, unmeasured=unmeasured)


def default_directory(results: Path) -> Path:
    """A directory of its own for an experiment that begins now."""
    return results / f"{EXPERIMENT}-{datetime.now(UTC):%Y%m%d-%H%M%S}"


def chosen(probes: Sequence[Probe], only: Sequence[str]) -> list[Probe]:
    """Those probes whose name or claim is in `only`; all when it is empty. Raises ConfigurationError."""
    known = {word for probe in probes for word in (probe.name, probe.claim)}
    if unknown := [word for word in only if word not in known]:
        names = ", ".join(f"{probe.name} ({probe.claim})" for probe in probes)
        raise ConfigurationError("--only", [f"no probe {word!r}; there are {names}" for word in unknown])
    return [probe for probe in probes if not only or probe.name in only or probe.claim in only]


def remaining(probes: Iterable[Probe], seen: Iterable[Observation]) -> list[Task]:
    """What has yet to be observed; a subject of which anything is missing is probed again."""
    known = {(o.probe, o.subject, o.quantity) for o in seen}
    return [
        Task(probe=probe, subject=subject)
        for probe in probes
        for subject in probe.subjects
        if not all((probe.name, subject, quantity) in known for quantity in probe.quantities)
    ]


def told_beforehand(tasks: Sequence[Task]) -> str:
    minutes = sum(task.probe.expected_s for task in tasks) / 60
    return f"{len(tasks)} to probe, about {minutes:.1f} minutes" if tasks else "nothing left to probe"


def _walk(
    tasks: Sequence[Task],
    rig: Rig,
    store: ExperimentStore,
    *,
    say: Callable[[str], None],
    show: Callable[[Observation], None],
) -> Iterator[str]:
    """Do all the tasks; yields the failures. The others go on."""
    for task in tasks:
        say(f"{task.name} ...")
        try:
            seen = (*task.probe.observe(rig, task.subject), _failed_attempts(task, rig.failed_attempts()))
        except (TrialError, VariantError) as error:
            rig.failed_attempts()  # They are of this task, and not of the next.
            say(f"{task.name} could not be probed: {error}")
            yield f"{task.name}: {error}"
            continue
        for one in seen:
            store.append(one)
            show(one)


def _failed_attempts(task: Task, reasons: Sequence[str]) -> Observation:
    """How many repeats were made again, since a figure is to show what it took."""
    note = "; ".join(f"{times} x {reason}" for reason, times in Counter(reasons).items())
    return observation(
        task.probe.name, task.subject, FAILED_ATTEMPTS, "count", [float(len(reasons))], note=note
    )


@contextmanager
def _open_rig(run_id: str, *, repeats: int, say: Callable[[str], None]) -> Iterator[Rig]:
    with closing(DockerEngine(assets(), run_id)) as engine:
        for leftover in engine.remove_leftovers():
            say(f"removed {leftover}, which a run that was killed had left behind")
        yield Rig(engine, repeats=repeats, cpus=tuple(sorted(os.sched_getaffinity(0))), say=say)


def _manifest(rig: Rig) -> dict[str, Any]:
    return {
        "experiment": EXPERIMENT,
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "repeats": rig.repeats,
        **made_with(rig.engine, Path.cwd()),
    }
