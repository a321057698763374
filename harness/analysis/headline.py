"""The verdict of a run in a sentence or two, put together from clauses."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.analysis.comparisons import rankable
from harness.analysis.headline_notes import Findings, capacities, held_back, more_workers, noise
from harness.analysis.intervals import MIN_VALUES
from harness.analysis.metrics import CAPACITY, THROUGHPUT
from harness.analysis.samples import twin_of_baseline
from harness.analysis.verdicts import reach
from harness.analysis.wording import NAMED, interval, joined, percent, spelt, times
from harness.findings import Comparison, Compromise, ScenarioFinding, Verdict
from harness.model import Matrix, Validity

ROOM = 300
"""Characters. The verdict and what the generator held back are always said; the rest where it fits."""


"""Below it there is no interval."""

NOUNS = {CAPACITY: "capacity", THROUGHPUT: "requests"}


def headline(
    findings: Findings, matrix: Matrix, recommended: str | None, one_for_all: Compromise | None = None
) -> str:
    sentences = [_verdict(findings, matrix, recommended), *held_back(findings, matrix)]
    if one_for_all is not None:
        sentences.insert(1, _for_all(one_for_all, matrix))
    sentences[1:1] = capacities(findings, matrix, recommended)
    for clause in more_workers(findings, matrix, recommended):
        if _fits([*sentences, clause]):
            sentences[0] += clause
    for sentence in noise(findings):
        if _fits([*sentences, sentence]):
            sentences.append(sentence)
    return ". ".join(sentences) + "."


def _for_all(one: Compromise, matrix: Matrix) -> str:
    """For example "One for all: gunicorn with 2 workers, at most 9 % behind the best anywhere (items)"."""
    return (
        f"One for all: {_spoken(one.variant_id, matrix)}, "
        f"at most {percent(one.most)} behind the best anywhere ({one.scenario})"
    )


def _fits(sentences: Sequence[str]) -> bool:
    return len(". ".join(sentences)) < ROOM


def _verdict(findings: Findings, matrix: Matrix, recommended: str | None) -> str:
    if all(finding.best is None for finding in findings):
        return (
            "Nothing could be ranked: no variant has enough VALID trials. "
            "Read the reasons, fix the cause, then rerun"
        )
    if all(finding.floor is None for finding in findings):
        return _no_floor(findings, matrix)
    if all(finding.recommended is None for finding in findings):
        return f"Undecided: {_each_scenario(findings, matrix)}"
    if recommended is None:
        return f"No single winner: {_each_scenario(findings, matrix)}"
    ranked = _ranked(findings, matrix)
    if ranked == [recommended]:
        return f"Only {recommended} could be ranked: there is nothing to compare it with"
    if all(pair.verdict is not Verdict.WORSE for finding in findings for pair in finding.against_best):
        return _no_difference(findings, ranked, recommended)
    stays = recommended == matrix.baseline_id
    reasons = _reasons_to_stay(findings, matrix) if stays else _reasons_to_change(findings, recommended)
    return f"Deploy {_spoken(recommended, matrix)}: {reasons}"


def _no_floor(findings: Findings, matrix: Matrix) -> str:
    twin_id = twin_of_baseline(matrix).id
    pair_of_equals = (matrix.baseline_id, twin_id)
    words = {c.word for finding in findings for c in finding.cells if c.variant_id in pair_of_equals}
    if Validity.VALID not in words:
        return (
            f"Undecided: {matrix.baseline_id} or its A/A twin is {spelt(sorted(words))}, so there is no A/A "
            f"floor to judge by. Read the reasons of their trials, fix the cause, then rerun"
        )
    twins = [_against_baseline(finding, twin_id) for finding in findings]
    blocks = max(twin.ratio.n if twin else 0 for twin in twins)
    # With blocks enough it was the machine or the app that spoilt them, not the matrix.
    remedy = (
        f"Set blocks in the matrix to {MIN_VALUES} at the very least, 5 for intervals of use"
        if matrix.blocks < MIN_VALUES
        else "Read the reasons of their other trials, fix the cause, then rerun"
    )
    return (
        f"Undecided: {matrix.baseline_id} and its A/A twin were both VALID in no more than {blocks} "
        f"block{'' if blocks == 1 else 's'} of a scenario, and below {MIN_VALUES} there is no interval. "
        f"{remedy}"
    )


def _each_scenario(findings: Findings, matrix: Matrix) -> str:
    """The scenarios grouped by what to do there."""
    groups: dict[str, list[str]] = {}
    for finding in findings:
        groups.setdefault(_choice(finding, matrix), []).append(_place(finding))
    return "; ".join(f"{choice} on {joined(places, ', ')}" for choice, places in groups.items())


def _choice(finding: ScenarioFinding, matrix: Matrix) -> str:
    if finding.recommended is not None:
        return f"deploy {_spoken(finding.recommended, matrix)}"
    if finding.best is None:
        return "nothing could be ranked"
    return "no A/A floor to judge by" if finding.best_set else "the fastest could not be ranked"


def _place(finding: ScenarioFinding) -> str:
    pair = _against_baseline(finding, finding.recommended)
    if pair is None or pair.verdict is not Verdict.BETTER:
        return finding.scenario
    noun = NOUNS.get(pair.metric, "p95 latency")
    return f"{finding.scenario} ({times(pair.ratio.center)} the baseline's {noun}, {interval(pair.ratio)})"


def _no_difference(findings: Findings, ranked: Sequence[str], recommended: str) -> str:
    pairs = [pair for finding in findings for pair in finding.against_best]
    extents = [extent for pair in pairs if (extent := reach(pair.ratio)) is not None]
    seen = ""
    if len(extents) == len(pairs):
        equal = all(pair.verdict is Verdict.EQUIVALENT for pair in pairs)
        bound = percent(max(finding.margin for finding in findings) if equal else max(extents))
        seen = f" (equal within {bound})" if equal else f" (they may differ by up to {bound})"
    between = spelt(ranked) if len(ranked) <= NAMED else f"the {len(ranked)} variants"
    simpler = "simpler" if len(ranked) == 2 else "simplest"
    return (
        f"No detectable difference on {_scenarios(findings)} between {between}{seen}: "
        f"take the {simpler} one, {recommended}"
    )


def _reasons_to_stay(findings: Findings, matrix: Matrix) -> str:
    """Why nothing else is worth it, with the variant that fell furthest behind."""
    text = f"it is the baseline, and nothing detectably better was found on {_scenarios(findings)}"
    behind = [
        pair
        for finding in findings
        for pair in finding.comparisons
        if pair.metric == finding.metric and pair.verdict is Verdict.WORSE and pair.variant_id in _ids(matrix)
    ]
    if not behind:
        return text
    last = max(behind, key=lambda pair: abs(math.log(pair.ratio.center)))
    return f"{text}; {last.variant_id} was worst, with {_gain(last)} on {last.scenario}"


def _reasons_to_change(findings: Findings, recommended: str) -> str:
    """What the recommended variant gained or lost against the baseline, then where nothing was seen."""
    pairs = [pair for finding in findings if (pair := _against_baseline(finding, recommended))]
    told = [pair for pair in pairs if pair.verdict in (Verdict.BETTER, Verdict.WORSE)]
    if not any(pair.verdict is Verdict.BETTER for pair in told):
        return _reasons_against_the_baseline(findings)
    clauses = [
        f"on {pair.scenario} {_verb(pair)} {_gain(pair)}"
        if index == 0
        else f"on {pair.scenario} {times(pair.ratio.center)} ({interval(pair.ratio)})"
        for index, pair in enumerate(told)
    ]
    same = [pair.scenario for pair in pairs if pair not in told]
    if same:
        against = "" if told else " from the baseline"
        clauses.append(f"on {joined(same, ', ')} no detectable difference{against}")
    return joined(clauses, ", ")


def _reasons_against_the_baseline(findings: Findings) -> str:
    """Where nothing shows that it beats the baseline: what rules the baseline out."""
    behind = [
        pair
        for finding in findings
        for pair in finding.against_best
        if pair.verdict is Verdict.WORSE and pair.variant_id == _baseline_of(finding)
    ]
    simplest = "the simplest not distinguishable from the best in any scenario"
    if not behind:
        return simplest
    clauses = [f"on {pair.scenario}, with {_gain(pair)}" for pair in behind]
    return f"{simplest}; the baseline falls behind {joined(clauses, ', ')}"


def _baseline_of(finding: ScenarioFinding) -> str | None:
    return next((pair.baseline_id for pair in finding.comparisons), None)


def _against_baseline(finding: ScenarioFinding, variant_id: str | None) -> Comparison | None:
    """On the ranking metric; None for the baseline itself and where nothing could be paired."""
    return next(
        (p for p in finding.comparisons if p.variant_id == variant_id and p.metric == finding.metric), None
    )


def _gain(pair: Comparison) -> str:
    noun = NOUNS.get(pair.metric, "p95 latency")
    return (
        f"{times(pair.ratio.center)} the {noun} of {pair.baseline_id} (95 % interval {interval(pair.ratio)})"
    )


def _verb(pair: Comparison) -> str:
    return "it served" if pair.metric == THROUGHPUT else "it had"


def _spoken(variant_id: str, matrix: Matrix) -> str:
    """ "uvicorn-plain with 1 worker"; the id where other levels are set too."""
    variant = next(variant for variant in matrix.variants if variant.id == variant_id)
    if variant_id != f"{variant.recipe}.w{variant.workers}":
        return variant_id
    return f"{variant.recipe} with {variant.workers} worker{'' if variant.workers == 1 else 's'}"


def _ranked(findings: Findings, matrix: Matrix) -> list[str]:
    """Ids of the variants ranked in any scenario, in the matrix's order."""
    ranked = {
        cell.variant_id for finding in findings for cell in finding.cells if rankable(cell, finding.metric)
    }
    return [variant_id for variant_id in _ids(matrix) if variant_id in ranked]


def _ids(matrix: Matrix) -> list[str]:
    return [variant.id for variant in matrix.variants]


def _scenarios(findings: Findings) -> str:
    names = [finding.scenario for finding in findings]
    return spelt(names) if len(names) <= NAMED else f"all {len(names)} scenarios"
