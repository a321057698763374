"""What all formats are made of: a variant of a run, its processes, limits and figures."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from harness import __version__
from harness.analysis.metrics import CAPACITY, LATENCY_P95, METRICS, THROUGHPUT, WORKING_SET
from harness.analysis.warnings import usable_cpus
from harness.deployment import ProcessSpec
from harness.findings import CellSummary
from harness.model import OWN_COMMAND, Variant
from harness.planning.commands import CONTAINER_PORT, CONTAINER_TLS, in_containers
from harness.planning.first_draft import slug
from harness.planning.lock_readers import Requirements
from harness.recipes import RECIPES, lock_of
from harness.recipes.nginx import CONFIG
from harness.reporting.data import ReportData
from harness.reporting.wording import estimate, plain
from harness.target import Target

MEMORY_HEADROOM = 1.25
"""Over the highest working set that was measured, where the variant had no limit of its own."""
MEMORY_STEP_MIB = 16
USER = "10001:10001"
DRAIN_S = 5
"""Between the end of new requests and the signal to stop, where a load balancer has to hear of it."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[^\]]*\])?")
_PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """The files of one format."""

    files: Mapping[str, str]
    """Text by file name."""
    warnings: tuple[str, ...] = ()
    """What the format cannot say, and what is left to do; each stands as a comment in a file too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployable:
    """A variant with all that its deployment needs."""

    name: str
    """Of the service: letters, digits and hyphens."""
    variant: Variant
    target: Target
    processes: tuple[ProcessSpec, ...]
    """The first one has the port; all share a network."""
    packages: tuple[str, ...]
    """What the server is installed from, pinned to what was seen inside."""
    compiled: bool
    """Whether one of them is published as source only."""
    requirements: Requirements | None
    """Of the app, where its image is made from them."""
    cpus: float
    cpus_measured: bool
    """Whether the CPUs were a limit of the variant, not only the cores that it had."""
    memory_mib: int | None
    memory_measured: bool
    replicas: int
    start_s: float | None
    """Median time from start to ready."""
    ready_path: str | None
    """Answers 2xx to GET once the app can serve."""
    provenance: tuple[str, ...]
    """Comment lines: from which run, with which figures."""
    warnings: tuple[str, ...] = ()
    """What no format can say."""
    context: str = "."
    """The app's directory, as seen from the exported files."""
    here: str = "."
    """The exported files, as seen from there."""
    ignored: tuple[str, ...] = ()
    """Patterns of what stays out of the image, as in .dockerignore."""

    @property
    def port(self) -> int:
        return self.target.port if self.variant.recipe == OWN_COMMAND else CONTAINER_PORT

    @property
    def user(self) -> str:
        return self.target.user or USER

    @property
    def stop_s(self) -> int:
        """From the signal to the end."""
        return self.variant.graceful_timeout_s + 2

    @property
    def writable(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(("/tmp", *self.target.writable)))

    @property
    def has_python(self) -> bool:
        return self.variant.recipe != OWN_COMMAND or self.target.app is not None

    @property
    def builds(self) -> bool:
        """Whether its image is made here, at least in part."""
        return self.target.image is None or bool(self.packages)

    @property
    def brings_app(self) -> bool:
        """Whether that image is made from the app's files and requirements, not on an image of the team's."""
        return self.target.image is None and self.target.dockerfile is None

    @property
    def nginx_config(self) -> str | None:
        """Of the proxy in front of the servers; None without one."""
        return next((process.env[CONFIG] for process in self.processes if CONFIG in process.env), None)

    @property
    def needs_certificate(self) -> bool:
        return any(map(uses_tls, self.processes))

    def limit_notes(self, cpus: str, memory: str) -> Iterator[str]:
        """What is to be said of limits that were not measured, each as it stands in the format."""
        if not self.cpus_measured:
            yield f"{cpus} what it ran on; no CPU limit was measured"
        if self.memory_mib is not None and not self.memory_measured:
            yield f"{memory} is the highest working set seen and a quarter; no limit was measured"

    def comment(self, *more: str, sign: str = "#") -> str:
        """The provenance and the warnings as a block of comments."""
        lines = (*self.provenance, *(f"Note: {warning}" for warning in (*self.warnings, *more)))
        return "".join(f"{sign} {line}\n" for line in lines)


def deployable(
    data: ReportData,
    variant: Variant,
    target: Target,
    *,
    requirements: Requirements | None,
    lock: str,
    wanted: str,
    context: str = ".",
    here: str = ".",
    ignored: Sequence[str] = (),
    replicas: int = 1,
) -> Deployable:
    """A variant of a run. `lock` and `wanted` are its recipe's requirements, locked and as asked for."""
    recipe, cells = RECIPES[variant.recipe], _cells(data, variant)
    bare = replace(variant, threads=None)
    memory = variant.memory_mib or _memory_mib(cells)
    return Deployable(
        name=slug(target.name or data.matrix.name),
        variant=variant,
        target=target,
        processes=in_containers(bare, target),
        packages=() if variant.recipe == OWN_COMMAND else tuple(_packages(data, variant, lock, wanted)),
        compiled=bool(recipe.from_source),
        requirements=requirements,
        cpus=usable_cpus(variant, data.matrix),
        cpus_measured=variant.cpu_quota is not None,
        memory_mib=memory,
        memory_measured=variant.memory_mib is not None,
        replicas=replicas,
        start_s=_start_s(data, variant),
        ready_path=_ready_path(data, target),
        provenance=tuple(map(plain, _provenance(data, variant, cells))),
        warnings=tuple(_warnings(variant, target)),
        context=context,
        here=here,
        ignored=tuple(ignored),
    )


def uses_tls(process: ProcessSpec) -> bool:
    """Whether it reads the certificate."""
    return CONTAINER_TLS in " ".join(process.argv) + process.env.get(CONFIG, "")


def _cells(data: ReportData, variant: Variant) -> list[CellSummary]:
    return [c for f in data.analysis.findings for c in f.cells if c.variant_id == variant.id and c.metrics]


def _memory_mib(cells: Sequence[CellSummary]) -> int | None:
    peaks = [cell.metrics[WORKING_SET] for cell in cells if WORKING_SET in cell.metrics]
    if not peaks:
        return None
    highest = max(peak.hi or peak.center for peak in peaks) / 2**20
    return math.ceil(highest * MEMORY_HEADROOM / MEMORY_STEP_MIB) * MEMORY_STEP_MIB


def _start_s(data: ReportData, variant: Variant) -> float | None:
    seen = [
        record.phases_s["start"] + record.phases_s["ready"]
        for record in data.outcomes
        if record.variant_id == variant.id and {"start", "ready"} <= record.phases_s.keys()
    ]
    return median(seen) if seen else None


def _ready_path(data: ReportData, target: Target) -> str | None:
    """The target's own, else the first plain GET of the workload."""
    if target.ready is not None:
        return target.ready
    requests = (request for scenario in data.matrix.scenarios for request in scenario.requests)
    return next(
        (
            r.path
            for r in requests
            if r.method == "GET" and "{" not in r.path and not r.headers and r.expect.status // 100 == 2
        ),
        None,
    )


def _packages(data: ReportData, variant: Variant, lock: str, wanted: str) -> Iterator[str]:
    """The recipe's own packages, and what else of its lock the container told the version of."""
    seen = next(
        (r.facts.versions for r in data.outcomes if r.variant_id == variant.id and r.facts is not None), {}
    )
    locked = {found[1].lower(): found[2] for found in _PINNED.finditer(lock)}
    named = set()
    for line in wanted.splitlines():
        found = _NAME.match(line.partition("#")[0].strip())
        if found:
            bare = found[0].partition("[")[0].lower()
            named.add(bare)
            version = seen.get(bare) or locked.get(bare)
            yield f"{found[0]}=={version}" if version else found[0]
    for name, version in seen.items():
        if name in locked and name not in named and name not in ("fastapi", "starlette", "pydantic"):
            yield f"{name}=={version}"


def _provenance(data: ReportData, variant: Variant, cells: Sequence[CellSummary]) -> Iterator[str]:
    when = data.provenance.get("started_at", "an unknown time")
    yield f"Written by harness {__version__} from run {data.run_id} of {when}: {variant.id}."
    machine = data.provenance.get("host.cpu_model", "an unknown CPU")
    engine = " ".join((data.engine, data.provenance.get("engine_facts.engine_version", ""))).strip()
    yield f"Measured on {machine} with {engine}; another machine has other figures."
    for cell in cells:
        told = []
        for name in (CAPACITY, THROUGHPUT, LATENCY_P95, WORKING_SET):
            if name in cell.metrics and not (name == THROUGHPUT and CAPACITY in cell.metrics):
                metric = METRICS[name]
                told.append(f"{metric.label} {estimate(cell.metrics[name], metric.scale)} {metric.unit}")
        yield f"{cell.scenario} ({cell.word}): {', '.join(told)}."


def _warnings(variant: Variant, target: Target) -> Iterator[str]:
    if variant.threads is not None:
        yield (
            f"the thread pool of {variant.threads} is no option of any server; set it in the app's lifespan: "
            f"anyio.to_thread.current_default_thread_limiter().total_tokens = {variant.threads}"
        )
    if target.secret_env:
        yield (
            f"{', '.join(target.secret_env)} came from {target.env_file}, whose values are stored nowhere: "
            "provide them where this is deployed"
        )
    caution = RECIPES[variant.recipe].caution
    if caution:
        yield caution


def lock_files(recipe: str) -> tuple[str, str]:
    """Names of a recipe's files in requirements/: the lock, and what was asked for."""
    return f"{lock_of(recipe)}.txt", f"{lock_of(recipe)}.in"
