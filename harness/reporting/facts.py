"""What to deploy, how it was measured and what the words mean, as plain text."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.analysis.bottleneck import RULES as BOTTLENECK_RULES
from harness.analysis.compromise import most_behind
from harness.analysis.metrics import METRICS, P99_MIN_REQUESTS
from harness.analysis.wording import percent
from harness.deployment import ProcessSpec
from harness.findings import ScenarioFinding
from harness.model import OWN_COMMAND, CapacityLoad, ClosedLoad, OpenLoad, Variant
from harness.planning.commands import CONTAINER_PORT, in_containers
from harness.planning.example import EXAMPLE
from harness.recipes import image_of
from harness.reporting.data import ReportData
from harness.reporting.evidence_lines import BLACK_BOX, MEANING, WRAPPED, levels
from harness.reporting.measured import measured_rows
from harness.reporting.wording import at_most, number, plain

DOCKERFILE = "Dockerfile.variants"

GLOSSARY = (
    (
        "better / worse",
        "Differs from the baseline by at least the matrix's margin (p < 0.05, Holm), with its centre beyond "
        "the A/A floor.",
    ),
    ("equivalent", "The whole 95 % interval lies within the matrix's margin: choose by other criteria."),
    ("undecided", "Neither could be shown. More blocks may show it."),
    (
        "best set",
        "Variants not shown to be worse than the best one of a scenario; the simplest is recommended.",
    ),
    ("A/A twin", "The baseline measured again under another name. What it shows is noise, not difference."),
    (
        "margin",
        "The smallest difference that counts: the matrix's margin, or the A/A floor when that is larger.",
    ),
    (f"evidence: {WRAPPED}", MEANING[WRAPPED]),
    (f"evidence: {BLACK_BOX}", MEANING[BLACK_BOX]),
    ("VALID", "Every check of the trial passed. Only such trials are ranked."),
    ("GENERATOR-BOUND", "The load generator reached its limit first: the server can do at least this much."),
    ("NOISY", "The machine was disturbed during the trial; the numbers are shown but not ranked."),
    ("INVALID", "A check failed; the trial is kept with its reason and never ranked."),
    ("capacity", "The highest Poisson rate at which a trial was confirmed to meet the scenario's objective."),
    ("throughput", "Right answers per second inside the measured window."),
    ("p95", "95 % of right answers came within this time, counted from the intended send time."),
    (
        "memory",
        "Peak working set of the whole container: its memory use less inactive file cache; of processes PSS.",
    ),
    *((f"limited by: {rule.limit}", rule.meaning) for rule in BOTTLENECK_RULES),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentFacts:
    """The recommended variant and how to start it."""

    variant_id: str
    steps: tuple[tuple[str, str], ...]
    """What each command does, and the command; containers only where containers were measured."""


def deployment(data: ReportData) -> DeploymentFacts | None:
    """None when no variant is recommended for every scenario."""
    chosen = data.analysis.recommended
    variant = next((v for v in data.variants if v.id == chosen), None)
    if variant is None:
        return None
    if variant.recipe == OWN_COMMAND:
        return DeploymentFacts(variant_id=variant.id, steps=_own_steps(data, variant))
    servers = in_containers(variant, data.matrix.target or EXAMPLE)
    stage = image_of(variant.recipe)
    image = f"harness/{stage}"
    build = ("docker", "build", "--file", DOCKERFILE, "--target", stage, "--tag", image, ".")
    run = [
        ("run", ("docker", "run", *_run_options(variant, process, servers), image, *process.argv))
        for process in servers
    ]
    steps = [*(("server", process.argv) for process in servers), ("build", build), *run]
    # A team's image is the team's: it needs the recipe's packages and this command.
    containers = data.engine == "docker" and data.matrix.target is None
    shown = steps if containers else steps[: len(servers)]
    return DeploymentFacts(
        variant_id=variant.id, steps=tuple((what, plain(shlex.join(argv))) for what, argv in shown)
    )


def _own_steps(data: ReportData, variant: Variant) -> tuple[tuple[str, str], ...]:
    """Of a black box: its image with its own command."""
    target = data.matrix.target
    command = target.command if target else ()
    image = (target.image if target else None) or data.provenance.get(f"images.{variant.recipe}", "IMAGE")
    process = ProcessSpec(name="server", argv=command, env=dict(target.env) if target else {})
    port = target.port if target else CONTAINER_PORT
    run = ("docker", "run", *_run_options(variant, process, [process], port=port), image, *command)
    shown = (("run", run),) if data.engine == "docker" else (("server", command),)
    return tuple((what, plain(shlex.join(argv))) for what, argv in shown)


def _run_options(
    variant: Variant, process: ProcessSpec, servers: Sequence[ProcessSpec], *, port: int = CONTAINER_PORT
) -> Iterator[str]:
    """The limits under test and what the app needs. Pinning belongs to the measurement, not here."""
    front = servers[0]
    if process is not front:
        yield from ("--network", f"container:{front.name}")
    else:
        yield from ("--publish", f"{port}:{port}")
        if len(servers) > 1:
            yield from ("--name", front.name)
    if variant.cpu_quota is not None:
        yield from ("--cpus", f"{variant.cpu_quota:g}")
    if variant.memory_mib is not None:
        yield from ("--memory", f"{variant.memory_mib}m")
    for name, value in process.env.items():
        yield from ("--env", f"{name}={value}")


def one_for_all(data: ReportData) -> str | None:
    """The one variant that costs least where scenarios disagree, or None where they do not."""
    one = data.analysis.compromise
    if one is None:
        return None
    most = percent(one.most)
    return f"One for all is {one.variant_id}: at most {most} behind the best anywhere ({one.scenario})"


def choice(data: ReportData, finding: ScenarioFinding) -> str:
    """What to deploy where only one scenario counts, and what the one for all costs there."""
    chosen = finding.recommended or "undecided: no variant was shown to be among the best"
    one = data.analysis.compromise
    if one is None or one.variant_id in (finding.recommended, None):
        return chosen
    most = most_behind(finding, one.variant_id)
    return chosen if most is None else f"{chosen} ({one.variant_id}: at most {percent(most)} behind)"


def p99_line(data: ReportData, finding: ScenarioFinding) -> str:
    """Bounds for the cells with too few requests for a p99, or nothing."""
    bounds = {
        cell.variant_id: data.p99_at_most_s[cell_id]
        for cell in finding.cells
        if (cell_id := f"{cell.variant_id}.{finding.scenario}") in data.p99_at_most_s
    }
    if not bounds:
        return ""
    told = ", ".join(f"{variant_id} {number(1000 * bound)} ms" for variant_id, bound in bounds.items())
    return f"p99 at most (95 % confidence, of fewer than {P99_MIN_REQUESTS:,} requests): {told}."


def again(data: ReportData) -> str | None:
    """The command that repeats the first cell that is not ranked; None where all are, or none is known."""
    command = data.provenance.get("command")
    if command is None or not data.analysis.invalid:
        return None
    first = data.analysis.invalid[0]
    variant_id = first.variant_id.removesuffix(".twin")
    return f"{command} --only {shlex.quote(f'{variant_id}.{first.scenario}')}"


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


def scenario_line(data: ReportData, finding: ScenarioFinding) -> str:
    scenario = data.scenario(finding.scenario)
    times = f"{scenario.measure_s:g} s measured after {scenario.warmup_s:g} s of warm-up"
    return (
        f"{_offered(scenario.load)}; {times}{_in_slices(data, finding)}; "
        f"objective {percent(1 - scenario.slo_share)} of requests within {scenario.slo_ms:g} ms; "
        f"ranked by {METRICS[finding.metric].label}."
    )


def _in_slices(data: ReportData, finding: ScenarioFinding) -> str:
    """For example ", in 40 slices that took turns (3 of 120 rounds left out: 2 for steal, ...)"."""
    sliced = [
        record
        for record in data.outcomes
        if record.scenario == finding.scenario and record.rounds and record.metrics
    ]
    if not sliced:
        return ""
    # The trial with the most slices in a block had one in every round.
    blocks = {
        record.block: record for record in sorted(sliced, key=lambda record: record.rounds or 0)
    }.values()
    left_out: Counter[str] = Counter()
    for record in blocks:
        left_out.update(record.rounds_left_out)
    rounds = sum(record.rounds or 0 for record in blocks)
    causes = ", ".join(f"{count} for {cause}" for cause, count in left_out.most_common())
    without = f"{left_out.total()} of {rounds} rounds left out: {causes}; " if left_out else ""
    turns = sorted({record.rounds or 0 for record in blocks})
    count = f"{turns[0]}" if len(turns) == 1 else f"{turns[0]} to {turns[-1]}"
    idle = f"idle servers used {percent(finding.idle_cores)} of a core"
    return f", in {count} slices that took turns ({without}{idle})"


def _offered(load: ClosedLoad | OpenLoad | CapacityLoad) -> str:
    if isinstance(load, ClosedLoad):
        return f"Closed loop, {load.clients} clients"
    if isinstance(load, OpenLoad):
        return f"Open loop, {load.arrivals} arrivals at {load.rate_per_s:g} requests/s"
    return (
        f"The highest Poisson rate that meets the objective: {load.clients} clients in a closed loop find "
        f"the peak, {load.steps} rates of {load.step_s:g} s narrow it down, fresh arrivals confirm it"
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
    scenarios = "1 scenario" if len(matrix.scenarios) == 1 else f"{len(matrix.scenarios)} scenarios"
    design = (
        ("run", data.run_id),
        ("matrix", f"{matrix.name}: {matrix.description}" if matrix.description else matrix.name),
        ("engine", data.engine),
        ("evidence", ", ".join(levels(data))),
        ("baseline", matrix.baseline_id),
        (
            "design",
            f"{at_most(matrix)}{matrix.blocks} blocks of {len(data.variants)} variants x "
            f"{scenarios}, order shuffled within each block, seed {matrix.seed}",
        ),
        ("trials", trials_line(data)),
        ("margin", percent(matrix.margin)),
        ("network path", ", ".join(networks)),
        ("server CPUs", _cpus(matrix.server_cpus)),
        *_cpus_inside(data),
        *measured_rows(data),
        ("generator CPUs", _cpus(sorted(set(matrix.generator_cpus)))),
    )
    machine = tuple(
        (key.replace("_", " ").replace(".", ": "), value)
        for key, value in data.provenance.items()
        if key not in ("engine", "command")
    )
    return tuple((plain(label), plain(value)) for label, value in (*design, *machine))


def _cpus_inside(data: ReportData) -> Iterator[tuple[str, str]]:
    """The three meanings of "number of CPUs": what a worker rule comes to depends on which is taken."""
    for cpus in dict.fromkeys(record.facts.cpus for record in data.records if record.facts):
        yield (
            "CPUs as the server sees them",
            f"host {cpus.host}, allowed {cpus.affinity}, quota {cpus.quota:g}",
        )


def _cpus(cpus: Sequence[int]) -> str:
    return ", ".join(map(str, cpus)) or "not pinned"
