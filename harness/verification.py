"""Asks a running app for every request of a scenario once, each by itself: which are answered as expected."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import get_args

from harness.errors import NotReady, WrongResponse
from harness.execution.blocks import Watcher
from harness.execution.equipment import Equipment, deployment_spec
from harness.model import Cell, Scenario, Trial, Variant
from harness.pipeline import resolved
from harness.ports import Generator
from harness.set_up import THIS_MACHINE, build_images, equipment_of, load_generator, read_inputs, services
from harness.target import ServiceLife

NEXT_TIMEOUT_S = 5.0
"""For the requests after the first, where that one does not show that the app is ready."""


def problems_of(matrix_path: Path, *, engine_name: str, watcher: Watcher) -> tuple[str | None, ...]:
    """For each request of the matrix's first scenario what was wrong with its answer, or None.

    The baseline is started once, with its services. Raises HarnessError where it does not come up.
    """
    known = resolved(matrix_path)
    matrix, (scenario, *_) = known.matrix, known.matrix.scenarios
    inputs, baseline = read_inputs(known.path, matrix), matrix.baseline
    alone = replace(
        matrix, variants=(baseline,), scenarios=(scenario,), generator_cpus=matrix.generator_cpus[:1]
    )
    run_id = f"verify-{matrix.name}-{os.getpid()}"
    with ExitStack() as stack:
        stack.enter_context(THIS_MACHINE.lock(run_id, wait=True, say=watcher.said))
        engine = stack.enter_context(
            THIS_MACHINE.open_engine(engine_name, known.assets, run_id, watcher.said)
        )
        images, _ = build_images(engine, alone, fail_fast=True, say=watcher.said)
        generators = load_generator(engine, images, alone, inputs)
        equipment = equipment_of(engine, generators, images, alone, inputs, clock=THIS_MACHINE.clock())
        for life in get_args(ServiceLife):
            stack.enter_context(services(equipment, matrix, life, watcher.said))
        trial = Trial(cell=Cell(variant=baseline, scenario=scenario), block=0)
        deployment = stack.enter_context(engine.running(deployment_spec(trial, equipment)))
        generator = stack.enter_context(generators.attached(deployment))
        singles = _singles(scenario)
        _wait_ready(generator, singles, equipment, baseline)
        watcher.said(f"verifying {len(singles)} requests")
        return tuple(_problem(generator, single, deployment.name) for single in singles)


def _wait_ready(
    generator: Generator, singles: Sequence[Scenario], equipment: Equipment, baseline: Variant
) -> None:
    """Where no path says ready, the first request that is answered as expected does.

    Raises NotReady, or WrongResponse of a path that was to say ready.
    """
    timeout_s = equipment.ready_timeout_s
    for last, single in ((single is singles[-1], single) for single in singles):
        try:
            generator.wait_ready(
                workers=baseline.workers,
                timeout_s=timeout_s,
                scenario=single,
                ready=equipment.target.ready,
                inside=baseline.wrapped,
            )
            return
        except WrongResponse:
            if equipment.target.ready is not None:
                raise
            # It serves: what is wrong with an answer is said of each request.
            return
        except NotReady:
            if last or equipment.target.ready is not None:
                raise
            timeout_s = NEXT_TIMEOUT_S


def _problem(generator: Generator, single: Scenario, name: str) -> str | None:
    try:
        generator.verify(single)
    except WrongResponse as wrong:
        return str(wrong).removeprefix(f"{name}: ")
    return None


def _singles(scenario: Scenario) -> Sequence[Scenario]:
    """A scenario of each request."""
    return [
        replace(scenario, name=f"{scenario.name}-{number}", requests=(request,))
        for number, request in enumerate(scenario.requests, start=1)
    ]
