"""What every trial of a run is measured with, and what a trial comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from harness.deployment import DeploymentSpec, ResourceReading
from harness.evidence import TrialEvidence
from harness.measurement.load import LoadRecord
from harness.model import OWN_COMMAND, Scenario, Trial, TrialRecord
from harness.planning.commands import processes, speaks_tls
from harness.planning.example import EXAMPLE
from harness.planning.locust_files import is_locust_file
from harness.ports import Clock, Engine, LoadGenerator
from harness.target import Target

Progress = Callable[[Mapping[str, float]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipment:
    """What every trial of a run is measured with."""

    engine: Engine
    generators: LoadGenerator
    clock: Clock
    images: Mapping[str, str]
    """Image per recipe."""
    server_cpus: tuple[int, ...]
    ready_timeout_s: float
    seed: int
    address: str | None = None
    """Of this machine, as load hosts reach it; None where the load comes from here."""
    ceiling_per_s: float | None = None
    """Highest closed-loop rate the generator reached on the static server."""
    ceilings: Mapping[str, float] = field(default_factory=dict)
    """The same with the users of a Locust file, by scenario."""
    target: Target = EXAMPLE
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Values of the target's `secret_env`, by name."""
    hidden: Mapping[str, str] = field(default_factory=dict)
    """Every value that is to be told nowhere, by name: those, and the workload's."""
    busy_s: Callable[[tuple[int, ...]], float] | None = None
    """Busy time of cores since boot, in seconds; None where others may use the server's cores."""

    def ceiling_of(self, scenario: Scenario) -> float | None:
        """With the users of this scenario; None where it is not known."""
        return self.ceilings.get(scenario.name) if is_locust_file(scenario) else self.ceiling_per_s


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialOutcome:
    """The record for the journal and the raw material next to it."""

    record: TrialRecord
    evidence: TrialEvidence | None = None
    """None of a trial that did not go through all of its load."""
    load: LoadRecord | None
    readings: tuple[ResourceReading, ...]
    log: str
    steps: tuple[LoadRecord, ...] = ()
    """Every load of a capacity search after its pilot, in order. They are not stored."""


def deployment_spec(trial: Trial, equipment: Equipment) -> DeploymentSpec:
    """How the engine is to start this trial's server."""
    variant = trial.cell.variant
    first, *beside = processes(variant, equipment.target, {**equipment.target.env, **equipment.secrets})
    image = equipment.images[variant.build]
    return DeploymentSpec(
        name=trial.id,
        image=first.image or image,
        argv=first.argv,
        env=first.env,
        cpus=equipment.server_cpus,
        cpu_quota=variant.cpu_quota,
        memory_mib=variant.memory_mib,
        network=variant.network,
        address=equipment.address,
        stop_timeout_s=variant.graceful_timeout_s + 2.0,
        beside=tuple(replace(process, image=process.image or image) for process in beside),
        tls=speaks_tls(variant),
        cwd=equipment.target.context or None,
        user=equipment.target.user,
        capabilities=equipment.target.capabilities,
        writable=equipment.target.writable,
        port=equipment.target.port if variant.recipe == OWN_COMMAND else None,
    )
