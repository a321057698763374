"""The whole experiment: every fault scenario in turn, on real containers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.adapters.assets import assets
from harness.adapters.docker_engine import DockerEngine
from harness.adapters.engines import open_engine
from harness.adapters.provenance import made_with
from studies.experiment import Experiment, ObservationTask, Say
from studies.lifecycle import (
    command_form,
    graceful_stop,
    memory_growth,
    missing_setting,
    process_killed,
    proxy,
    readiness,
    reload,
    start_up,
    stuck_worker,
    worker_killed,
)
from studies.lifecycle.containers import FaultEquipment
from studies.lifecycle.probe import EXPERIMENT, Probe
from studies.observations import Observation

PROBES: tuple[Probe, ...] = (
    *command_form.PROBES,
    *graceful_stop.PROBES,
    *worker_killed.PROBES,
    *stuck_worker.PROBES,
    *process_killed.PROBES,
    *readiness.PROBES,
    *reload.PROBES,
    *start_up.PROBES,
    *memory_growth.PROBES,
    *missing_setting.PROBES,
    *proxy.PROBES,
)


def lifecycle(*, repeats: int) -> Experiment[FaultEquipment]:
    """Put servers through every fault scenario; `repeats` is how often losses are counted."""

    @contextmanager
    def equipment(run_id: str, say: Say) -> Iterator[FaultEquipment]:
        with open_engine("docker", assets(), run_id, say) as engine:
            assert isinstance(engine, DockerEngine)
            yield FaultEquipment(
                engine, repeats=repeats, cpus=tuple(sorted(os.sched_getaffinity(0))), say=say
            )

    def facts(equipment: FaultEquipment, _: Path) -> Mapping[str, Any]:
        return {"repeats": equipment.repeats, **made_with(equipment.engine, Path.cwd())}

    tasks = tuple(task_of(probe, target) for probe in PROBES for target in probe.targets)
    return Experiment(name=EXPERIMENT, tasks=tasks, equipment=equipment, facts=facts)


def task_of(probe: Probe, target: str) -> ObservationTask[FaultEquipment]:
    """One probe on one target."""

    def observe(equipment: FaultEquipment) -> Iterator[Observation]:
        seen = probe.observe(equipment, target)
        return equipment.repeats_made.with_attempts(probe.name, target, seen)

    return ObservationTask(
        probe=probe.name,
        claim=probe.claim,
        title=target,
        quantities=frozenset((target, quantity) for quantity in probe.quantities),
        expected_s=probe.expected_s,
        observe=observe,
    )
