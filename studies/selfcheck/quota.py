"""A CPU quota, the one fault that takes a container: local processes have none."""

from __future__ import annotations

import os
from dataclasses import replace

from harness.adapters.assets import assets
from harness.adapters.engines import open_engine
from harness.adapters.load_process import ProcessLoadGenerator
from harness.errors import BuildFailed, EnvironmentProblem, TrialError
from harness.execution.equipment import TrialOutcome
from harness.execution.trial import run_trial
from harness.model import Cell, ClosedLoad, Trial, Variant
from harness.set_up import GENERATOR
from studies.selfcheck.oracle_trials import OracleEquipment, scenario

VARIANT = Variant(recipe="uvicorn-plain", workers=1, cpu_quota=0.5)
LOAD = scenario("closed", ClosedLoad(clients=16), warmup_s=0.3, measure_s=2.0, slo_ms=1000)


def trial(equipment: OracleEquipment) -> TrialOutcome:
    """A trial as `OracleEquipment.attempted` makes it. Raises TrialError where there are no containers."""
    run_id = f"selfcheck-quota-{os.getpid()}"
    try:
        with open_engine("docker", assets(), run_id, lambda _: None) as engine:
            contained = replace(
                equipment.equipment,
                engine=engine,
                generators=ProcessLoadGenerator(
                    engine, image=engine.build(GENERATOR), cpus=equipment.generator_cpus
                ),
                images={VARIANT.recipe: engine.build(VARIANT.recipe)},
            )
            throttled = Trial(cell=Cell(variant=VARIANT, scenario=LOAD), block=1)
            return equipment.attempted(lambda: run_trial(throttled, contained, progress=lambda _: None))
    except (EnvironmentProblem, BuildFailed) as problem:
        raise TrialError(f"no engine: {problem}") from problem
