"""What to deploy, how it was measured and what the words mean, as plain text."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from harness.model import ClosedLoad, Scenario, ScenarioFinding, Variant
from harness.reporting.data import ReportData
from harness.reporting.wording import percent, plain, quantity

CONTAINER_PORT = "8000"

GLOSSARY = (
    (
        "better / worse",
        "Different from the baseline beyond chance (p < 0.05, Holm) and beyond the margin.",
    ),
    ("equivalent", "The whole 95 % interval lies within the margin: choose by other criteria."),
    ("undecided", "Neither could be shown: this run cannot tell. More blocks may."),
    (
        "best set",
        "Variants that cannot be told from the best one of a scenario; the simplest is recommended.",
    ),
    ("A/A twin", "The baseline measured again under another name. What it shows is noise, not difference."),
    (
        "margin",
        "The smallest difference that counts: the matrix's margin, or the A/A floor when that is larger.",
    ),
    ("VALID", "Every check of the trial passed. Only such trials are ranked."),
    ("GENERATOR-BOUND", "The load generator reached its limit first: the server can do at least this much."),
    ("NOISY", "The machine was disturbed during the trial; the numbers are shown but not ranked."),
    ("INVALID", "A check failed; the trial is kept with its reason and never ranked."),
    ("throughput", "Right answers per second inside the measured window."),
    ("p95", "95 % of right answers came within this time, counted from the intended send time."),
    ("memory", "Peak working set of the whole container: its memory use less inactive file cache."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The recommended variant and how to start it."""

    variant_id: str
    argv: str
    flags: str
    """`docker run` options that were part of the measurement; empty on the process engine."""


def deployment(data: ReportData) -> Deployment | None:
    """None when no variant is recommended for every scenario."""
    chosen = data.analysis.recommended
    variant = next((v for v in data.variants if v.id == chosen), None)
    if variant is None:
        return None
    argv = [part.replace("{port}", CONTAINER_PORT) for part in data.commands.get(variant.id, ())]
    flags = _docker_flags(variant, data.matrix.server_cpus) if data.engine == "docker" else ()
    return Deployment(variant_id=variant.id, argv=plain(shlex.join(argv)), flags=shlex.join(flags))


def _docker_flags(variant: Variant, cpus: Sequence[int]) -> tuple[str, ...]:
    flags = ["--cpuset-cpus", ",".join(map(str, cpus))]
    if variant.cpu_quota is not None:
        flags += ["--cpus", f"{variant.cpu_quota:g}"]
    if variant.memory_mib is not None:
        flags += ["--memory", f"{variant.memory_mib}m"]
    return tuple(flags)


def engine_notice(data: ReportData) -> str | None:
    """Said loudly wherever the figures appear: local processes are not what a team deploys."""
    if data.engine == "docker":
        return None
    where = "local processes" if data.engine == "process" else f"the {data.engine} engine"
    return f"Measured on {where}, not containers: not comparable with runs on the Docker engine."


def trials_line(data: ReportData) -> str:
    words = Counter(str(record.validity) for record in data.outcomes)
    counted = ", ".join(f"{count} {word}" for word, count in sorted(words.items(), key=lambda item: -item[1]))
    again = len(data.records) - len(data.outcomes)
    repeated = f"; {again} attempts were run again" if again else ""
    return f"{len(data.outcomes)} trials: {counted}{repeated}" if data.records else "no trials"


def scenario_line(scenario: Scenario, finding: ScenarioFinding) -> str:
    load = scenario.load
    offered = (
        f"Closed loop, {load.clients} clients"
        if isinstance(load, ClosedLoad)
        else f"Open loop, {load.arrivals} arrivals at {load.rate_per_s:g} requests/s"
    )
    return (
        f"{offered}; {scenario.measure_s:g} s measured after {scenario.warmup_s:g} s of warm-up; "
        f"objective {percent(1 - scenario.slo_share)} of requests within {scenario.slo_ms:g} ms; "
        f"ranked by {quantity(finding.metric).label}."
    )


def rules_note(data: ReportData) -> str | None:
    """Workers beyond the pinned cores cannot show scaling, and a reader would think they do."""
    cores = len(data.matrix.server_cpus)
    if all(variant.workers <= cores for variant in data.matrix.variants):
        return None
    pinned = "one core" if cores == 1 else f"{cores} cores"
    return (
        f"The server was pinned to {pinned}: counts above {cores} show what overcommitting those costs, "
        "not how the app scales."
    )


def method_rows(data: ReportData) -> tuple[tuple[str, str], ...]:
    """How it was measured, as label and value."""
    matrix = data.matrix
    networks = sorted({variant.network for variant in matrix.variants})
    design = (
        ("run", data.run_id),
        ("matrix", f"{matrix.name}: {matrix.description}" if matrix.description else matrix.name),
        ("engine", data.engine),
        ("baseline", matrix.baseline_id),
        (
            "design",
            f"{matrix.blocks} blocks of {len(data.variants)} variants x {len(matrix.scenarios)} scenarios, "
            f"order shuffled within each block, seed {matrix.seed}",
        ),
        ("trials", trials_line(data)),
        ("margin", percent(matrix.margin)),
        ("network path", ", ".join(networks)),
        ("server CPUs", _cpus(matrix.server_cpus)),
        ("generator CPUs", _cpus(matrix.generator_cpus)),
    )
    machine = tuple(
        (key.replace("_", " ").replace(".", ": "), value)
        for key, value in data.provenance.items()
        if key not in ("engine", "command")
    )
    return tuple((plain(label), plain(value)) for label, value in (*design, *machine))


def _cpus(cpus: Sequence[int]) -> str:
    return ", ".join(map(str, cpus)) or "not pinned"
