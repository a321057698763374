"""Wires the adapters and runs the stages: matrix, plan, build, trials, store, analysis, report."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from harness.adapters.assets import assets, preset
from harness.adapters.config_file import Change, as_it_is, load_matrix, remarks
from harness.adapters.provenance import provenance
from harness.adapters.result_store import QUESTION, TORN_TAIL, RunStore, find_run, new_run_id
from harness.analysis.common_rate import common_rate_matrix, records_of
from harness.analysis.stopping import last_blocks
from harness.errors import ConfigurationError, EngineUnavailable, RunAborted
from harness.execution.blocks import Measure, RunEnd, Watcher, run_blocks
from harness.execution.equipment import Equipment, TrialOutcome
from harness.execution.resume import machine_changes, matrix_changes
from harness.execution.server import Row
from harness.execution.side_by_side import run_side_by_side
from harness.execution.wrapper_cost import measure_wrapper_cost, why_not
from harness.findings import WrapperCost
from harness.model import Matrix, TrialRecord
from harness.planning.remaining import Block, remaining_blocks
from harness.planning.slices import groups
from harness.ports import Engine
from harness.records import matrix_to_json, wrapper_cost_to_json
from harness.redaction import without_secrets
from harness.reporting.evidence_lines import wrapper_cost_line
from harness.set_up import (
    THIS_MACHINE,
    Machine,
    build_images,
    calibrated,
    equipment_of,
    load_generator,
    load_hosts,
    load_places,
    read_inputs,
    services,
)


class Remaining(Protocol):
    """What a run has yet to measure, the next block first; nothing where it is complete."""

    def __call__(
        self, records: Sequence[TrialRecord], matrix: Matrix, left_out: Collection[str], /
    ) -> tuple[Block, ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the command line can say about a run."""

    results: Path
    engine: str = "auto"
    resume: str | None = None
    """A run's id or path; an empty text means the newest run."""
    run_id: str | None = None
    """The run's directory below `results`, resumed where it is there; a new one by time when None."""
    fail_fast: bool = False
    wait: bool = False
    load_contexts: tuple[str, ...] = ()
    """Docker contexts or engines' addresses of other machines that the load comes from."""
    address: str = ""
    """Of this machine, as those reach it."""
    command: str = ""
    """What repeats the run, for its manifest; empty: `harness run` on the matrix file."""
    asked: Mapping[str, object] | None = None
    """The question that the run is to answer, for its manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """How a call of `run` ended, and where its results are."""

    store: RunStore
    end: RunEnd
    failed_builds: Mapping[str, str]
    before: int
    """How many records were there already, from before a --resume."""

    @property
    def new_records(self) -> tuple[TrialRecord, ...]:
        return self.store.records()[self.before :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """All that is known before anything is started."""

    assets: Path
    path: Path
    """Of the matrix; the files that it names lie relative to it."""
    matrix: Matrix
    remarks: tuple[str, ...] = ()
    """What the file leaves to be assumed, and what in it is odd."""


def resolved(matrix_path: Path, change: Change = as_it_is, *, machine: Machine = THIS_MACHINE) -> Resolved:
    """A matrix file, or a preset by its name, on this machine, with a change. Raises ConfigurationError."""
    project = assets()
    path = preset(matrix_path, project)
    server_cpus, generator_cpus = machine.cpu_split()
    matrix = load_matrix(
        path, project=project, server_cpus=server_cpus, generator_cpus=generator_cpus, change=change
    )
    return Resolved(
        assets=project, path=path, matrix=matrix, remarks=remarks(path, project=project, change=change)
    )


def run(
    known: Resolved,
    options: RunOptions,
    watcher: Watcher,
    *,
    remaining: Remaining | None = None,
    machine: Machine = THIS_MACHINE,
) -> RunOutcome:
    """Measure a matrix. Whatever ends the run, what was measured is kept and nothing is left behind.

    `remaining` says what is left to measure; by default all that `planning.remaining` does.
    """
    try:
        return _run(known, options, watcher, remaining or left_of, machine)
    except KeyboardInterrupt:
        # Once there are trials to keep, an interrupt ends them and not the run.
        watcher.said("interrupted before a trial was measured: what is stored stays, and nothing still runs")
        raise


def _run(
    known: Resolved, options: RunOptions, watcher: Watcher, left: Remaining, machine: Machine
) -> RunOutcome:
    matrix, say = known.matrix, watcher.said
    for remark in known.remarks:
        say(f"note: {remark}")
    inputs = read_inputs(known.path, matrix)
    places = load_places(matrix, options.load_contexts, options.address)
    address = options.address or None
    earlier = _earlier(options, matrix, watcher)
    if earlier and not left(earlier.records(), matrix, ()):
        say(f"run {earlier.path.name} is complete: nothing to do")
        return RunOutcome(store=earlier, end=RunEnd.COMPLETE, failed_builds={}, before=len(earlier.records()))
    now = datetime.now(UTC)
    run_id = earlier.path.name if earlier else options.run_id or new_run_id(options.results, matrix.name, now)
    with ExitStack() as stack:
        stack.enter_context(machine.lock(run_id, wait=options.wait, say=say))
        engine = stack.enter_context(machine.open_engine(options.engine, known.assets, run_id, say))
        images, failed = build_images(engine, matrix, fail_fast=options.fail_fast, say=say)
        hosts = stack.enter_context(load_hosts(places, engine, images, say))
        facts = _facts(known, options, engine, images, failed)
        # From here on the harness stays off the server's cores.
        stack.enter_context(machine.pinned_to(matrix.generator_cpus))
        if earlier:
            _refuse(earlier, machine_changes(earlier.manifest(), facts))
            earlier.update_manifest(images={**earlier.manifest()["images"], **images}, failed_builds=failed)
        generators = load_generator(engine, images, matrix, inputs, hosts)
        calibration = calibrated(engine, generators, images, matrix, say, address=address)
        equipment = equipment_of(
            engine,
            generators,
            images,
            matrix,
            inputs,
            clock=machine.clock(),
            calibration=calibration,
            address=address,
        )
        stack.enter_context(services(equipment, matrix, "run", say))
        store = earlier
        if store is None:
            facts["started_at"] = now.isoformat(timespec="seconds")
            facts["generator_ceiling_per_s"] = equipment.ceiling_per_s
            if hosts:
                facts["load_hosts"] = [host.facts for host in hosts]
            facts["wrapper_cost"] = _wrapper_cost(matrix, equipment, watcher)
            store = RunStore.create(options.results, run_id, facts, matrix)
        before = len(store.records())
        end = _walk(lambda records: left(records, matrix, failed), matrix, equipment, store, watcher)
        store.update_manifest(end=end)
    return RunOutcome(store=store, end=end, failed_builds=failed, before=before)


def _facts(
    known: Resolved,
    options: RunOptions,
    engine: Engine,
    images: Mapping[str, str],
    failed: Mapping[str, str],
) -> dict[str, Any]:
    """What the manifest of a new run says, and a resumed one is held against."""
    facts = provenance(known.path, options.results, engine, images=images, failed_builds=failed)
    if options.command:
        facts["command"] = options.command
    if options.asked:
        facts[QUESTION] = dict(options.asked)
    return facts


def _earlier(options: RunOptions, matrix: Matrix, watcher: Watcher) -> RunStore | None:
    """The run to resume, if any was asked for. Raises ConfigurationError where its matrix was another."""
    begun = options.run_id is not None and (options.results / options.run_id).exists()
    wanted = options.run_id if begun else options.resume
    if wanted is None:
        return None
    earlier = find_run(options.results, wanted or None, of_matrix=matrix.name)
    refuse_another_matrix(earlier, matrix)
    if earlier.torn_tail():
        watcher.said(TORN_TAIL)
    return earlier


def refuse_another_matrix(earlier: RunStore, matrix: Matrix) -> None:
    """Raises ConfigurationError, with what differs, where a stored run was not of this matrix."""
    # As read, not as written: what a matrix of today can say besides, an older one left at its default.
    _refuse(earlier, matrix_changes(matrix_to_json(earlier.matrix()), matrix_to_json(matrix)))


def _refuse(earlier: RunStore, changes: list[str]) -> None:
    if changes:
        advice = (
            f"start a new run without --resume, or move {earlier.path} away: "
            "figures from before and after would not be comparable"
        )
        raise ConfigurationError(f"run {earlier.path.name} cannot be resumed", [*changes, advice])


def _wrapper_cost(matrix: Matrix, equipment: Equipment, watcher: Watcher) -> dict[str, object]:
    """As the manifest holds it; a resumed run keeps what it has."""
    cost: WrapperCost | str
    if problem := why_not(matrix):
        cost = problem
    else:
        watcher.said("measuring what the wrapper around the app costs")
        with services(equipment, matrix, "block", watcher.said):
            cost = measure_wrapper_cost(matrix, equipment)
        if isinstance(cost, str):
            cost = without_secrets(cost, equipment.hidden)
    if any(variant.wrapped for variant in matrix.variants):
        watcher.said(wrapper_cost_line(cost))
    return wrapper_cost_to_json(cost)


def left_of(records: Sequence[TrialRecord], matrix: Matrix, left_out: Collection[str]) -> tuple[Block, ...]:
    """What a run has yet to measure: the plan, less what the records say is known well enough.

    Latency at common rates comes after all of it: its rates follow from all the capacities.
    """
    for part in (matrix, common_rate_matrix(matrix, records)):
        known = records_of(part, records)
        ends = last_blocks(known, part)
        if blocks := remaining_blocks(known, part, last_blocks=ends, left_out=frozenset(left_out)):
            return blocks
    return ()


@contextmanager
def _block(equipment: Equipment, matrix: Matrix, watcher: Watcher) -> Iterator[Measure]:
    """With its own services, and servers that stand until its end."""
    with services(equipment, matrix, "block", watcher.said), Row(equipment) as row:
        yield lambda group, progress: run_side_by_side(group, equipment, row, progress=progress)


def _walk(
    remaining: Callable[[Sequence[TrialRecord]], tuple[Block, ...]],
    matrix: Matrix,
    equipment: Equipment,
    store: RunStore,
    watcher: Watcher,
) -> RunEnd:
    def keep(outcome: TrialOutcome) -> None:
        store.save_trial(
            outcome.record.trial_id, outcome.load, outcome.readings, outcome.log, outcome.evidence
        )
        store.append(outcome.record)

    try:
        return run_blocks(
            remaining,
            records=store.records(),
            block=lambda: _block(equipment, matrix, watcher),
            groups=lambda block: groups(block, matrix),
            keep=keep,
            clock=equipment.clock,
            budget_s=matrix.budget_s,
            watcher=watcher,
        )
    except KeyboardInterrupt:
        watcher.said("interrupted: the trial under way is dropped, all earlier ones are kept")
        return RunEnd.INTERRUPTED
    except EngineUnavailable as error:
        raise RunAborted(
            f"{error} The trials stored so far are kept in {store.path}; resume with --resume."
        ) from error
