"""Comparisons and observations as answers to questions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from statistics import median

from harness.analysis.binomial import binomial_interval
from harness.analysis.intervals import p_value_beyond, paired_ratio
from harness.analysis.metrics import LATENCY_P95, THROUGHPUT
from harness.analysis.verdicts import decide, relative_difference
from harness.analysis.wording import interval, percent, times
from harness.findings import Comparison, Direction, Summary, Verdict
from studies.claims.claim import Answer, AnswerPart
from studies.observations import Observation

MARGIN = 0.03
"""What matters between two images, or two times that were taken in turn: the matrices' own margin."""
TOLERABLE_LOSS = 0.2
"""Where nothing was lost, the share of losses that must be ruled out for "nothing is lost": 20 repeats
can rule out 17 %."""
REPEATS = {
    "command-form": "stops",
    "graceful-stop": "stops",
    "reload-hup": "reloads",
    "worker-killed": "kills",
}
"""What one repeat of a probe is."""

Judge = Mapping[Verdict, Answer]

BETTER: Judge = {Verdict.BETTER: Answer.YES, Verdict.EQUIVALENT: Answer.NO, Verdict.WORSE: Answer.NO}
WORSE: Judge = {Verdict.BETTER: Answer.NO, Verdict.EQUIVALENT: Answer.NO, Verdict.WORSE: Answer.YES}
NO_WORSE: Judge = {Verdict.BETTER: Answer.YES, Verdict.EQUIVALENT: Answer.YES, Verdict.WORSE: Answer.NO}
NO_BETTER: Judge = {Verdict.BETTER: Answer.NO, Verdict.EQUIVALENT: Answer.YES, Verdict.WORSE: Answer.YES}

_NOUNS = {
    THROUGHPUT: "requests/s",
    LATENCY_P95: "p95 latency",
    "working_set_peak_bytes": "memory",
    "cpu_ms_per_request": "CPU a request",
}


def compared(pair: Comparison, judge: Judge, asked: str) -> AnswerPart:
    """A comparison's verdict as the answer to one of the four questions above."""
    noun = _NOUNS.get(pair.metric, pair.metric)
    return AnswerPart(
        asked=asked,
        answer=judge.get(pair.verdict, Answer.OPEN),
        figure=f"{_spread(pair.ratio)} the {noun}",
        effect=relative_difference(pair.ratio.center),
        needed=detectable(pair.ratio, pair.margin),
    )


def detectable(ratio: Summary, margin: float | None) -> str:
    """The smallest effect that this many blocks could have shown: half of the interval, or the margin."""
    if ratio.hi is None or margin is None:
        return "fewer than 3 blocks, or no A/A floor: no effect is detectable"
    smallest = max(ratio.hi / ratio.center - 1, margin)
    return f"{_spread(ratio)}; smallest detectable effect: {percent(smallest)}"


def fewer(upper: Observation, lower: Observation, asked: str) -> AnswerPart:
    """Bytes are counted, not sampled: `upper` is smaller when it is so by more than the margin."""
    one, other = float(upper.values[0] or 0), float(lower.values[0] or 0)
    return AnswerPart(
        asked=asked,
        answer=Answer.YES if one * (1 + MARGIN) < other else Answer.NO,
        figure=f"{one / 1e6:.3g} MB against {other / 1e6:.3g} MB",
        effect=relative_difference(one / other) if one and other else 0.0,
    )


def sooner(upper: Observation, lower: Observation, asked: str, judge: Judge = BETTER) -> AnswerPart:
    """Times of two sides that took turns, as a paired ratio. What never happened was not sooner."""
    one, other = _by_turn(upper), _by_turn(lower)
    if not one or not other:
        answer = Answer.OPEN if not one and not other else Answer.YES if one else Answer.NO
        return AnswerPart(asked=asked, answer=answer, figure=f"{spread_of(upper)} against {spread_of(lower)}")
    pair = paired_ratio(one, other)
    if pair is None:
        return AnswerPart(
            asked=asked, answer=Answer.OPEN, figure="no pair", needed="no repeat holds both times"
        )
    beyond = p_value_beyond(pair.ratio, MARGIN)
    verdict = decide(pair.ratio, beyond, direction=Direction.LOWER, registered=MARGIN, margin=MARGIN)
    return AnswerPart(
        asked=asked,
        answer=judge.get(verdict, Answer.OPEN),
        figure=f"{spread_of(upper)} against {spread_of(lower)}, {_spread(pair.ratio)}",
        effect=relative_difference(pair.ratio.center),
        needed=detectable(pair.ratio, MARGIN),
    )


def lost_none(seen: Observation, asked: str) -> AnswerPart:
    """One loss refutes "nothing is lost"; none at all supports it as far as the repeats reach.

    A repeat counts once, however many of its requests were lost: they share one stop, kill or reload.
    """
    exercised = [value for value in seen.values if value is not None]
    repeats = REPEATS.get(seen.probe, "repeats")
    if not exercised:
        figure = f"not exercised in {len(seen.values)} {repeats}"
        return AnswerPart(asked=asked, answer=Answer.NOT_EXERCISED, figure=figure)
    hit, of = sum(value > 0 for value in exercised), len(exercised)
    low, high = binomial_interval(hit, of)
    supported = Answer.YES if high <= TOLERABLE_LOSS else Answer.OPEN
    return AnswerPart(
        asked=asked,
        answer=Answer.NO if hit else supported,
        figure=f"lost in {hit} of {of} {repeats}, {percent(low)} to {percent(high)}",
        effect=hit / of,
        needed=f"{of} {repeats}: a loss in up to {percent(high)} of them is possible",
    )


def always(seen: Observation, holds: Callable[[float], bool], asked: str) -> AnswerPart:
    """Whether it was so in every repeat. What did not happen in time was not so."""
    good = sum(value is not None and holds(value) for value in seen.values)
    return _of_all(seen, good, asked, figure=f"in {good} of {len(seen.values)} repeats")


def happened(seen: Observation, asked: str) -> AnswerPart:
    """Whether a time could be taken at all: None stands for never within the bound."""
    good = sum(value is not None for value in seen.values)
    return _of_all(seen, good, asked, figure=spread_of(seen))


def never(seen: Observation, asked: str) -> AnswerPart:
    """The opposite of `happened`."""
    good = sum(value is None for value in seen.values)
    return _of_all(seen, good, asked, figure=spread_of(seen))


def within(seen: Summary, target: float, tolerance: float, asked: str, unit: str = "") -> AnswerPart:
    """Whether a figure is the predicted one: its interval within, or clear of, target x (1 -+ tolerance)."""
    bottom, top = target / (1 + tolerance), target * (1 + tolerance)
    if seen.lo is None or seen.hi is None:
        answer = Answer.OPEN
    elif bottom <= seen.lo and seen.hi <= top:
        answer = Answer.YES
    else:
        answer = Answer.NO if seen.hi < bottom or top < seen.lo else Answer.OPEN
    spread = f" ({seen.lo:#.3g}-{seen.hi:#.3g})" if seen.lo is not None and seen.hi is not None else ""
    return AnswerPart(
        asked=asked,
        answer=answer,
        figure=f"{seen.center:#.3g}{unit}{spread}, predicted {target:g}",
        effect=relative_difference(seen.center / target) if seen.center > 0 else 0.0,
        needed=f"an interval inside {bottom:.3g} to {top:.3g}; it is {seen.center:#.3g}{spread}",
    )


def each(
    seen: tuple[Observation, ...], answer: Callable[[Observation, str], AnswerPart], asked: str
) -> Iterator[AnswerPart]:
    """The same question for every target."""
    yield from (answer(one, f"{asked} ({one.target})") for one in seen)


def _of_all(seen: Observation, good: int, asked: str, *, figure: str) -> AnswerPart:
    if not seen.values:
        return AnswerPart(asked=asked, answer=Answer.OPEN, figure="no repeat", needed="no repeat")
    return AnswerPart(
        asked=asked, answer=Answer.YES if good == len(seen.values) else Answer.NO, figure=figure
    )


def _by_turn(seen: Observation) -> dict[int, float]:
    return {turn: value for turn, value in enumerate(seen.values) if value is not None}


def spread_of(seen: Observation) -> str:
    """Times as median and range, with those that never came."""
    values = [value for value in seen.values if value is not None]
    missing = len(seen.values) - len(values)
    never_text = f"never in {missing} of {len(seen.values)}{f' ({seen.note})' if seen.note else ''}"
    if not values:
        return never_text
    text = f"{median(values):.3g} s ({min(values):.3g}-{max(values):.3g}, n = {len(values)})"
    return f"{text}, {never_text}" if missing else text


def _spread(ratio: Summary) -> str:
    return f"{times(ratio.center)} ({interval(ratio)})" if ratio.lo is not None else times(ratio.center)
