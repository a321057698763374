"""The warnings that travel with a finding, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from harness.analysis.bottleneck import SATURATED
from harness.analysis.comparisons import floor_of, rankable
from harness.analysis.intervals import MIN_VALUES, paired_ratio
from harness.analysis.metrics import (
    CAPACITY,
    DIRECTIONS,
    LATENCY_P95,
    MEMORY_GROWTH,
    METRICS,
    THROUGHPUT,
)
from harness.analysis.samples import Samples
from harness.analysis.verdicts import most_lost, reach, relative_difference
from harness.analysis.wording import interval, percent, times
from harness.findings import (
    Bottleneck,
    CellSummary,
    Comparison,
    ScenarioFinding,
    Verdict,
)
from harness.model import OWN_COMMAND, Matrix, Validity, Variant

IDLE_SHARE = 0.03
"""Of the server's CPU: what idle neighbours take from everybody."""
LEAK_SHARE = 0.01
"""Of the working set: less growth in a window is not worth a warning."""
NOISY_FLOOR = 0.20
"""Above this A/A floor a run only shows differences that nobody needs a benchmark for."""


def limited_by_generator(finding: ScenarioFinding, twin_id: str) -> tuple[CellSummary, ...]:
    """The GENERATOR-BOUND cells, the twin left out: each of them may be better than any that was ranked."""
    return tuple(
        cell for cell in finding.cells if cell.word is Validity.GENERATOR_BOUND and cell.variant_id != twin_id
    )


def limit_sentence(cell: CellSummary, metric: str) -> str:
    """What can be said of a cell that the load generator could not saturate."""
    if METRICS[metric].rate and metric in cell.metrics:
        reached = cell.metrics[metric].center
        verb = "carries" if metric == CAPACITY else "reached"
        return (
            f"{cell.variant_id} {verb} at least {reached:,.0f} requests/s on {cell.scenario}, "
            f"limited by the load generator; not ranked"
        )
    return f"{cell.variant_id} on {cell.scenario} outran the load generator's schedule; not ranked"


def finding_warnings(
    finding: ScenarioFinding, samples: Samples, twin_id: str, matrix: Matrix
) -> tuple[str, ...]:
    twin = next(
        (
            pair
            for pair in finding.comparisons
            if pair.variant_id == twin_id and pair.metric == finding.metric
        ),
        None,
    )
    return (
        *_of_the_twin(finding, twin),
        *_of_the_cells(finding, samples, twin_id),
        *_of_the_load(finding, matrix),
        *_of_the_neighbours(finding, matrix),
        *_of_the_memory(finding, twin_id),
        *_of_the_connections(finding, twin_id),
        *_of_the_recommendation(finding),
        *_of_the_tails(finding, samples),
    )


def _of_the_tails(finding: ScenarioFinding, samples: Samples) -> Iterator[str]:
    """Equal medians hide what the slowest requests of one of the two wait."""
    for pair in finding.comparisons:
        if pair.metric != LATENCY_P95 or pair.verdict not in (Verdict.BETTER, Verdict.WORSE):
            continue
        middle = paired_ratio(
            *(
                samples.values(one, finding.scenario, "latency_p50_s")
                for one in (pair.variant_id, pair.baseline_id)
            )
        )
        extent = None if middle is None else reach(middle.ratio)
        if extent is not None and pair.margin is not None and extent <= pair.margin:
            yield (
                f"{pair.variant_id} has the median latency of {pair.baseline_id} on {finding.scenario}, and "
                f"{times(pair.ratio.center)} its p95 ({interval(pair.ratio)}): the same middle, another tail"
            )


def overcommit_warnings(matrix: Matrix) -> tuple[str, ...]:
    """Variants with more workers than the CPUs they may use show the price of overcommit, not scaling."""
    # No deployment has less than one worker, however small its quota.
    over = [v for v in matrix.variants if v.workers > max(1.0, usable_cpus(v, matrix))]
    if not over:
        return ()
    return (
        f"{', '.join(variant.id for variant in over)}: more workers than the CPUs they are given "
        f"({len(matrix.server_cpus)} pinned for the server). This shows what overcommitting costs here, "
        f"nothing about scaling on more CPUs.",
    )


def sharing_warnings(matrix: Matrix) -> tuple[str, ...]:
    """A load generator on the server's cores takes time from it, and more from the faster variant."""
    if not matrix.shared_cpus:
        return ()
    return (
        f"The server shares {len(matrix.shared_cpus)} of its {len(matrix.server_cpus)} cores with the load "
        f"generator: figures are what both reach together, and other programs on these cores go unseen.",
    )


def usable_cpus(variant: Variant, matrix: Matrix) -> float:
    """The pinned CPUs of the server, or the variant's quota where that is less."""
    pinned = float(len(matrix.server_cpus))
    return pinned if variant.cpu_quota is None else min(pinned, variant.cpu_quota)


def _of_the_twin(finding: ScenarioFinding, twin: Comparison | None) -> Iterator[str]:
    floor = floor_of(twin)
    if not finding.measured:
        return
    if twin is None or floor is None:
        yield (
            f"no A/A floor on {finding.scenario}: the baseline and its twin were both VALID in fewer than "
            f"{MIN_VALUES} blocks, so every verdict is undecided"
        )
        return
    if floor > NOISY_FLOOR:
        yield (
            f"smallest detectable difference on {finding.scenario}: {percent(floor)}, because the machine "
            f"was noisy. Quieten it, or run more blocks"
        )
    if twin.verdict in (Verdict.BETTER, Verdict.WORSE):
        yield (
            f"A/A check failed on {finding.scenario}: the baseline and its twin are the same deployment, "
            f"yet differ by {percent(relative_difference(twin.ratio.center))} (p = {twin.p_value:.2g}); "
            f"chance does this in at most one check of twenty, so look for what favours one of them"
        )


def _of_the_cells(finding: ScenarioFinding, samples: Samples, twin_id: str) -> Iterator[str]:
    for cell in limited_by_generator(finding, twin_id):
        yield f"{limit_sentence(cell, finding.metric)}, and may be better than every ranked variant"
    for cell in finding.cells:
        records = samples.of(cell.variant_id, finding.scenario)
        if cell.trials == 0:
            yield f"{cell.variant_id}: no trial on {finding.scenario}"
        elif cell.cannot_serve:
            yield (
                f"{cell.variant_id} cannot serve this app: it broke on every request. That is what was found "
                f"out about it, not a fault of the run"
            )
        elif cell.wrong_bodies:
            yield (
                f"{cell.variant_id} answered wrongly on {finding.scenario} ({cell.wrong_bodies} times): it "
                f"is not ranked there, whatever its other trials say"
            )
        elif records and all(record.before_load for record in records):
            again = "" if len(records) == 1 else f", {len(records)} times"
            yield (
                f"{cell.variant_id} failed before any load was sent{again}, and was given up. The reasons "
                "are listed with its trials"
            )
        elif cell.valid < cell.trials and cell.word is not Validity.GENERATOR_BOUND:
            words = _counted([record.validity for record in records])
            share = f"{cell.valid} of {cell.trials} trials VALID"
            yield f"{cell.variant_id}: {share} on {finding.scenario} ({words})"


def _of_the_neighbours(finding: ScenarioFinding, matrix: Matrix) -> Iterator[str]:
    """What stands side by side is not quite idle: every worker wakes up now and then."""
    share = finding.idle_cores / len(matrix.server_cpus)
    if share > IDLE_SHARE:
        yield (
            f"while one was at work on {finding.scenario}, the others used {percent(share)} of the server's "
            f"CPU without any load, and emptied caches: all rates are lower by at least that much, alike. "
            f"`slices = false` measures each variant alone"
        )


def _of_the_load(finding: ScenarioFinding, matrix: Matrix) -> Iterator[str]:
    """A closed loop finds a server's peak only where the CPU, and not the wait, is used up."""
    if finding.metric != THROUGHPUT:
        return
    ranked = [cell for cell in finding.cells if rankable(cell, finding.metric) and not _shares_all(cell)]
    cores = {cell.variant_id: cell.metrics["cpu_cores"].center for cell in ranked}
    usable = {
        v.id: usable_cpus(v, matrix) if v.recipe == OWN_COMMAND else min(usable_cpus(v, matrix), v.workers)
        for v in matrix.variants
        if v.id in cores
    }
    used = {variant_id: cores[variant_id] / cpus for variant_id, cpus in usable.items()}
    idle = [f"{variant_id} {percent(share)}" for variant_id, share in used.items() if share < SATURATED]
    if idle:
        yield (
            f"not saturated on {finding.scenario}, by share of CPU used: {', '.join(idle)}. Their throughput "
            f"is bounded by waiting (or by too few clients), not by CPU"
        )


def _of_the_memory(finding: ScenarioFinding, twin_id: str) -> Iterator[str]:
    """A working set that grows with the requests, beyond chance and by more than a trifle."""
    for cell in finding.cells:
        growth = cell.metrics.get(MEMORY_GROWTH)
        if growth is None or growth.lo is None or growth.lo <= 0 or cell.variant_id == twin_id:
            continue
        requests, held = cell.metrics["requests"].center, cell.metrics["working_set_mean_bytes"].center
        if growth.center * requests / 1000 * 2**20 <= LEAK_SHARE * held:
            continue
        yield (
            f"{cell.variant_id} on {finding.scenario}: memory grows by {growth.center:.2g} MiB per 1,000 "
            f"requests (95 %: {growth.lo:.2g} to {growth.hi:.2g}): a leak, or caches that still fill. "
            f"A longer measure_s shows which, max_requests bounds it"
        )


def _of_the_connections(finding: ScenarioFinding, twin_id: str) -> Iterator[str]:
    """Who finds no place in the listen queue comes again after a second, and then after two."""
    for cell in finding.cells:
        overflows = cell.metrics.get("listen_overflows")
        if overflows is None or not overflows.center or cell.variant_id == twin_id:
            continue
        yield (
            f"{cell.variant_id} on {finding.scenario}: {overflows.center:,.0f} connections a trial found its "
            f"listen queue full, and tried again after a second. Raise backlog, or ask with fewer clients"
        )


def _shares_all(cell: CellSummary) -> bool:
    """The CPU that the server left unused is what the load generator used."""
    return cell.limited_by is not None and cell.limited_by.bottleneck is Bottleneck.SHARED_CORES


def _of_the_recommendation(finding: ScenarioFinding) -> Iterator[str]:
    """What is not distinguishable from the best may still be worse: by how much at most."""
    for pair in finding.against_best:
        if pair.variant_id != finding.recommended or pair.verdict is not Verdict.UNDECIDED:
            continue
        most = most_lost(pair.ratio, DIRECTIONS[finding.metric])
        if most is not None:
            yield (
                f"{pair.variant_id} is the simplest not distinguishable from {pair.baseline_id} on "
                f"{finding.scenario}; it may be up to {percent(most)} behind"
            )


def _counted(words: Sequence[Validity]) -> str:
    counts = Counter(word for word in words if word is not Validity.VALID)
    return ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
