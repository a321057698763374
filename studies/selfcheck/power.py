"""A server that is 5 % slower, one that is twice as slow, and what follows when labels change."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import stdev

from harness.analysis.analyse import analyse
from harness.analysis.metrics import LATENCY_P95
from harness.analysis.samples import last_attempts, samples_of, twin_of_baseline
from harness.findings import Comparison, Verdict
from harness.model import Matrix, TrialRecord
from studies.selfcheck.oracle_trials import OracleEquipment, OracleServer, matrix_of, open_load, scenario
from studies.selfcheck.result import Line, OracleOutcome, unmeasured
from studies.selfcheck.theory import smallest_detectable_ratio

SERVICE_S = 0.02
EFFECT = 0.05
DEFAULT_BLOCKS = 6
"""Of a matrix that does not say."""
ALLOWED = 0.02
LOAD = scenario("paced", open_load(20.0, "constant"), measure_s=2.0)

Verdicts = Mapping[str, Comparison]
"""By variant id: each against the baseline, on latency."""


def check(equipment: OracleEquipment) -> OracleOutcome:
    servers = tuple(
        OracleServer(name=name, module="queue_server", arguments=("--service-s", f"{service_s}"))
        for name, service_s in (
            ("base", SERVICE_S),
            ("slower", SERVICE_S * (1 + EFFECT)),
            ("doubled", SERVICE_S * 2),
        )
    )
    matrix = matrix_of("power", servers, LOAD, blocks=DEFAULT_BLOCKS if equipment.full else 3, seed=1)
    base, slower, doubled = matrix.variants
    records = last_attempts(equipment.run(matrix, servers))
    found = _verdicts(records, matrix)
    return OracleOutcome(
        lines=(
            _power(records, matrix),
            _doubling(found.get(doubled.id), _centre_s(records, matrix)),
            _swapping(records, matrix, (slower.id, doubled.id)),
            _swapping(records, matrix, (base.id, twin_of_baseline(matrix).id)),
            _reversing(records, matrix),
        )
    )


def _verdicts(records: Sequence[TrialRecord], matrix: Matrix) -> Verdicts:
    (finding,) = analyse(records, matrix).findings
    return {pair.variant_id: pair for pair in finding.comparisons if pair.metric == LATENCY_P95}


def _centre_s(records: Sequence[TrialRecord], matrix: Matrix) -> float | None:
    """The baseline's p95, as its cell would be reported."""
    summary = samples_of(records, matrix).summary(matrix.baseline_id, LOAD.name).metrics.get(LATENCY_P95)
    return summary.center if summary else None


def _smallest_effect(records: Sequence[TrialRecord], matrix: Matrix, *, blocks: int) -> float:
    """What a run of so many blocks finds four times in five: its floor, or what the scatter allows beyond the
    matrix's margin."""
    samples, pair = samples_of(records, matrix), _verdicts(records, matrix).get(matrix.variants[1].id)
    base, slower = (samples.values(variant.id, LOAD.name, LATENCY_P95) for variant in matrix.variants[:2])
    ratios = [math.log(slower[block] / base[block]) for block in base.keys() & slower.keys()]
    if len(ratios) < 2 or pair is None or pair.margin is None:
        return math.inf
    beyond = smallest_detectable_ratio(stdev(ratios), blocks=blocks)
    return max(pair.margin, (1 + matrix.margin) * beyond - 1)


def _power(records: Sequence[TrialRecord], matrix: Matrix) -> Line:
    """Not finding it is honest only where the floor or the scatter of this very run is too wide for it."""
    pair = _verdicts(records, matrix).get(matrix.variants[1].id)
    if pair is None or pair.ratio.n < 2:
        return unmeasured("power", "too few VALID pairs of trials")
    here, by_default = (
        _smallest_effect(records, matrix, blocks=blocks) for blocks in (pair.ratio.n, DEFAULT_BLOCKS)
    )
    return Line(
        oracle="power",
        quantity=f"service time {EFFECT:+.0%}",
        theory=f"{1 + EFFECT:.3f}x, worse",
        measured=f"{_told(pair)}; smallest detectable effect {here:.1%} ({by_default:.1%} at default length)",
        gate="worse, unless the smallest detectable effect is larger",
        met=pair.verdict is Verdict.WORSE or here > EFFECT,
    )


def _doubling(pair: Comparison | None, base_s: float | None) -> Line:
    """Twice the service adds it once more; what network and wake-ups add stays, so the ratio is below 2."""
    if pair is None or base_s is None or pair.ratio.n < 2:
        return unmeasured("relabelling", "too few VALID pairs of trials")
    added_s = (pair.ratio.center - 1) * base_s
    return Line(
        oracle="relabelling",
        quantity=f"service time of {SERVICE_S * 1000:g} ms doubled",
        theory=f"{SERVICE_S * 1000:+.1f} ms, worse",
        measured=f"{added_s * 1000:+.1f} ms over {base_s * 1000:.1f} ms: {_told(pair)}",
        gate=f"worse, within {ALLOWED:.0%}",
        met=pair.verdict is Verdict.WORSE and abs(added_s / SERVICE_S - 1) <= ALLOWED,
    )


def _swapping(records: Sequence[TrialRecord], matrix: Matrix, names: tuple[str, str]) -> Line:
    """Two variants trade names: their ratios to the baseline trade; where one is the baseline, it inverts."""
    one, other = names
    trade = {one: other, other: one}
    swapped = [replace(r, variant_id=trade.get(r.variant_id, r.variant_id)) for r in records]
    inverts = one == matrix.baseline_id
    before = _verdicts(records, matrix).get(other if inverts else one)
    after = _verdicts(swapped, matrix).get(other)
    if before is None or after is None:
        return unmeasured("relabelling", f"too few VALID trials of {one} and {other}")
    expected = 1 / before.ratio.center if inverts else before.ratio.center
    verdict = _turned(before.verdict) if inverts else before.verdict
    return Line(
        oracle="relabelling",
        quantity=f"{one} and {other} trade names",
        theory=f"{expected:.4f}x, {verdict}",
        measured=f"{after.ratio.center:.4f}x, {after.verdict}",
        gate="equal",
        met=after.verdict is verdict and math.isclose(expected, after.ratio.center, rel_tol=1e-9),
    )


def _turned(verdict: Verdict) -> Verdict:
    return {Verdict.BETTER: Verdict.WORSE, Verdict.WORSE: Verdict.BETTER}.get(verdict, verdict)


def _reversing(records: Sequence[TrialRecord], matrix: Matrix) -> Line:
    """Neither the order of the journal nor the numbers of the blocks mean anything."""
    backwards = [replace(r, block=matrix.blocks + 1 - r.block) for r in reversed(records)]
    before, after = _verdicts(records, matrix), _verdicts(backwards, matrix)
    same = [
        before[name].verdict is after[name].verdict
        and math.isclose(before[name].ratio.center, after[name].ratio.center, rel_tol=1e-9)
        for name in before
    ]
    return Line(
        oracle="relabelling",
        quantity="order of the trials reversed",
        theory="same ratios and verdicts",
        measured=f"{sum(same)} of {len(same)} the same",
        gate="all",
        met=bool(same) and all(same),
    )


def _told(pair: Comparison) -> str:
    lo, hi = pair.ratio.lo or math.nan, pair.ratio.hi or math.nan
    return f"{pair.ratio.center:.3f}x ({lo:.3f}-{hi:.3f}), {pair.verdict}"
