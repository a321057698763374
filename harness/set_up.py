"""What trials are measured with, put up one after the other: images, a load generator, services."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.adapters.docker_engine import DockerEngine
from harness.adapters.engines import open_engine
from harness.adapters.host import CpuSplit, cpu_split, own_addresses, pinned_to
from harness.adapters.load_host import ByPath, LoadHost, LoadPlace, RemoteLoadGenerator
from harness.adapters.load_process import ProcessLoadGenerator
from harness.adapters.proc import busy_s
from harness.adapters.run_lock import run_lock
from harness.adapters.system_clock import SystemClock
from harness.adapters.workload_files import read_files, read_secrets
from harness.errors import AppImageFailed, ConfigurationError, EnvironmentProblem, VariantError
from harness.execution.calibration import Calibration, calibrate
from harness.execution.equipment import Equipment
from harness.execution.target_services import target_services
from harness.model import Matrix, Variant
from harness.planning.example import EXAMPLE
from harness.planning.schema import MatrixFile
from harness.ports import Clock, Engine, LoadGenerator
from harness.recipes import image_of
from harness.target import ServiceLife, Target, Version, at_version

GENERATOR = "generator"
"""The recipe of the load generator's own image."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where a run takes place."""

    cpu_split: Callable[[], CpuSplit] = cpu_split
    lock: Callable[..., AbstractContextManager[None]] = run_lock
    open_engine: Callable[[str, Path, str, Say], AbstractContextManager[Engine]] = open_engine
    pinned_to: Callable[[Sequence[int]], AbstractContextManager[None]] = pinned_to
    clock: Callable[[], Clock] = SystemClock


THIS_MACHINE = Machine()


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What the matrix only names: the bytes of its files by path, and the values of its secrets."""

    files: Mapping[str, bytes]
    secrets: Mapping[str, str]


def read_inputs(path: Path, matrix: Matrix) -> Inputs:
    """Of the matrix file at `path`. Raises ConfigurationError."""
    return Inputs(files=read_files(path, matrix), secrets=read_secrets(path, matrix, os.environ))


def build_images(
    engine: Engine, matrix: Matrix, *, fail_fast: bool, say: Say
) -> tuple[dict[str, str], dict[str, str]]:
    """Images by `Variant.build`, and the builds that failed with the reason; those are left out.

    Raises VariantError or AppImageFailed of what the run cannot do without, or with `fail_fast` of any.
    """
    images: dict[str, str] = {}
    failed: dict[str, str] = {}
    base = matrix.baseline
    needed = {
        GENERATOR: "without it there is no load",
        base.build: "all are compared with it (design.baseline)",
    }
    builds = {variant.build: variant for variant in matrix.variants}
    for name in (GENERATOR, *builds):
        say(f"building {name}")
        version = builds[name].version if name in builds else None
        try:
            images[name] = _image(engine, matrix, builds.get(name))
        except (VariantError, AppImageFailed) as error:
            if name in needed:
                say(f"the run cannot continue without {name}: {needed[name]}")
            # No image of the app in the baseline's version is an end as well: every comparison needs it.
            ends = name in needed or (isinstance(error, AppImageFailed) and version == base.version)
            if ends or fail_fast:
                raise
            say(f"left out: {error}")
            failed[name] = str(error)
    return images, failed


def _image(engine: Engine, matrix: Matrix, variant: Variant | None) -> str:
    """Of a variant, or of the load generator."""
    if variant is None:
        return engine.build(GENERATOR)
    return engine.build(image_of(variant.recipe), _at_version(matrix, variant.version))


def _at_version(matrix: Matrix, version: Version | None) -> Target | None:
    return None if matrix.target is None else at_version(matrix.target, version)


def load_places(matrix: Matrix, contexts: Sequence[str], address: str) -> tuple[LoadPlace, ...]:
    """The machines that the load is to come from. Raises ConfigurationError."""
    remote = [variant.id for variant in matrix.variants if variant.network == "remote"]
    if not contexts:
        if remote:
            fix = "name a machine for the load: --load-context NAME --address ADDRESS-OF-THIS-MACHINE"
            raise ConfigurationError(
                f"{remote[0]}: network is remote", [f"no load host is named.\nFix: {fix}"]
            )
        return ()
    if not remote:
        raise ConfigurationError(
            "--load-context", ['no variant is reached that way.\nFix: network = ["remote"]']
        )
    known = own_addresses()
    if address not in known:
        raise ConfigurationError(
            "--address", [f"{address!r} is none of this machine's addresses: {', '.join(known)}"]
        )
    return tuple(map(LoadPlace.parse, contexts))


def through_load_hosts(file: MatrixFile) -> MatrixFile:
    """A matrix file whose load comes from other machines, where it does not say by which path."""
    factors, include = file.factors, file.include
    if factors.network == ["shared"]:
        factors = factors.model_copy(update={"network": ["remote"]})
        include = [
            point if point.network else point.model_copy(update={"network": "remote"}) for point in include
        ]
    return file.model_copy(update={"factors": factors, "include": include})


@contextmanager
def load_hosts(
    places: Sequence[LoadPlace], engine: Engine, images: Mapping[str, str], say: Say
) -> Iterator[tuple[LoadHost, ...]]:
    """Other machines that load comes from, with the generator's image. Raises EnvironmentProblem."""
    with ExitStack() as stack:
        hosts = []
        for place in places:
            if not isinstance(engine, DockerEngine):
                raise EnvironmentProblem("--load-context: load hosts need containers, and this run has none")
            host = stack.enter_context(closing(LoadHost(place, engine.labels)))
            host.take(images[GENERATOR], engine.saved)
            say(f"load host {host.name}: {len(host.cpus)} load agents")
            hosts.append(host)
        yield tuple(hosts)


def load_generator(
    engine: Engine,
    images: Mapping[str, str],
    matrix: Matrix,
    inputs: Inputs,
    hosts: Sequence[LoadHost] = (),
) -> LoadGenerator:
    """On this machine's cores, and on the load hosts for what is reached by network = "remote"."""
    here = ProcessLoadGenerator(
        engine,
        image=images[GENERATOR],
        cpus=matrix.generator_cpus,
        files=inputs.files,
        secrets=inputs.secrets,
    )
    if not hosts:
        return here
    return ByPath(here, RemoteLoadGenerator(hosts, files=inputs.files, secrets=inputs.secrets))


def calibrated(
    engine: Engine,
    generators: LoadGenerator,
    images: Mapping[str, str],
    matrix: Matrix,
    say: Say,
    *,
    address: str | None = None,
) -> Calibration:
    """What the generator can do here. Raises EnvironmentProblem."""
    say("calibrating the load generator on a static server")
    calibration = calibrate(
        matrix.scenarios,
        engine=engine,
        generators=generators,
        image=images[GENERATOR],
        server_cpus=matrix.server_cpus,
        address=address,
    )
    say(f"the generator reaches {calibration.ceiling_per_s:,.0f} requests/s")
    for name, ceiling_per_s in calibration.ceilings.items():
        say(f"with the users of {name} it reaches {ceiling_per_s:,.0f} requests/s")
    for warning in calibration.warnings:
        say(f"warning: {warning}")
    return calibration


def equipment_of(
    engine: Engine,
    generators: LoadGenerator,
    images: Mapping[str, str],
    matrix: Matrix,
    inputs: Inputs,
    *,
    clock: Clock,
    calibration: Calibration | None = None,
    address: str | None = None,
) -> Equipment:
    """What every trial of a matrix is measured with; without a calibration no ceiling is known."""
    target = _at_version(matrix, matrix.baseline.version) or EXAMPLE
    # One static server cannot keep several generators busy: what it gives is not their limit then.
    one_generator = len(matrix.generator_cpus) == 1 and address is None
    return Equipment(
        engine=engine,
        generators=generators,
        clock=clock,
        images=images,
        server_cpus=matrix.server_cpus,
        ready_timeout_s=matrix.ready_timeout_s,
        seed=matrix.seed,
        target=target,
        secrets={name: inputs.secrets[name] for name in target.secret_env},
        hidden=inputs.secrets,
        address=address,
        ceiling_per_s=calibration.ceiling_per_s if calibration is not None and one_generator else None,
        ceilings=calibration.ceilings if calibration is not None else {},
        busy_s=None if matrix.shared_cpus else busy_s,
    )


def services(
    equipment: Equipment, matrix: Matrix, life: ServiceLife, say: Say
) -> AbstractContextManager[None]:
    """Those of one life, on the load generator's cores, where they disturb least."""
    return target_services(equipment, life, cpus=matrix.generator_cpus, say=say)
