"""Which release of a package changed a metric: a search between two that differ. Pure.

Each step measures up to three releases side by side with both ends of a stretch, and keeps the first part of
it in which the metric crosses half of the change, as `git bisect` does with one commit at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.analysis.metrics import METRICS
from harness.analysis.wording import change, percent, spelt
from harness.decision.changes import Change
from harness.findings import Summary

AT_ONCE = 3
"""Releases between the ends in one step. With both ends and the A/A twin they make a block of six."""


class BisectSide(StrEnum):
    """Which end of a stretch a release is like."""

    OLD = "old"
    NEW = "new"
    OPEN = "undecided"


class BisectEnding(StrEnum):
    """How a search ended."""

    FOUND = "found"
    """Between two neighbours."""
    NARROWED = "narrowed"
    """No further: what lies between could not be distinguished, or not be measured."""
    NO_CHANGE = "no change"
    OPEN = "undecided"
    """Whether the two ends differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BisectStep:
    """What one run told of a stretch of releases."""

    run: str
    releases: tuple[str, ...]
    """Those that were measured, the older end first, the newer one last."""
    changes: Mapping[tuple[str, str], Change]
    """Of every release against every older one, by (older, newer)."""
    failed: tuple[str, ...] = ()
    """Why others could not be measured."""

    @property
    def old(self) -> str:
        return self.releases[0]

    @property
    def new(self) -> str:
        return self.releases[-1]

    @property
    def ends(self) -> Change:
        return self.changes[self.old, self.new]

    @property
    def sides(self) -> tuple[tuple[str, BisectSide], ...]:
        """Of the releases between the ends, in their order."""
        return tuple(
            (release, side_of(self.changes[self.old, release].ratio, self.ends.ratio))
            for release in self.releases[1:-1]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bisection:
    """The answer."""

    package: str
    ending: BisectEnding
    old: str
    """The last release that is like the older end."""
    new: str
    """The first one that is like the newer end."""
    steps: tuple[BisectStep, ...]
    sentence: str
    remarks: tuple[str, ...]


def search(
    releases: Sequence[str], measure: Callable[[tuple[str, ...]], BisectStep], margin: float
) -> list[BisectStep]:
    """BisectStep after step, until two neighbours are left or no step tells more.

    `measure` is given the releases of a step, both ends with them.
    """
    old, new = releases[0], releases[-1]
    steps: list[BisectStep] = []
    skip: set[str] = set()
    while (between := next_releases(releases, old, new, skip)) or not steps:
        step = measure((old, *between, new))
        steps.append(step)
        skip |= set(between) - set(step.releases)
        stretch = narrowed(step)
        if not differ(step.ends, margin) or stretch == (old, new):
            break
        old, new = stretch
    return steps


def next_releases(releases: Sequence[str], old: str, new: str, skip: Collection[str]) -> tuple[str, ...]:
    """Up to AT_ONCE releases that divide the stretch between two others evenly."""
    inside = [release for release in _between(releases, old, new) if release not in skip]
    if len(inside) <= AT_ONCE:
        return tuple(inside)
    places = ((len(inside) + 1) * part // (AT_ONCE + 1) - 1 for part in range(1, AT_ONCE + 1))
    return tuple(inside[place] for place in places)


def differ(ends: Change, margin: float) -> bool | None:
    """Whether two releases differ by more than the margin and the A/A floor; None where that is open."""
    ratio = ends.ratio
    if ratio.lo is None or ratio.hi is None or ends.floor is None:
        return None
    if 1 / (1 + margin) <= ratio.lo and ratio.hi <= 1 + margin:
        return False
    apart = not ratio.lo <= 1 <= ratio.hi
    return True if apart and abs(math.log(ratio.center)) > math.log1p(max(margin, ends.floor)) else None


def side_of(ratio: Summary, ends: Summary) -> BisectSide:
    """The side of half the change on which the interval of a release's ratio to the older end lies."""
    half = math.sqrt(ends.center)
    if ratio.lo is None or ratio.hi is None or ratio.lo <= half <= ratio.hi:
        return BisectSide.OPEN
    return BisectSide.NEW if (ratio.lo > half) == (ends.center > 1) else BisectSide.OLD


def narrowed(step: BisectStep) -> tuple[str, str]:
    """The first part of a step's stretch that goes from like its older end to like its newer one."""
    old = step.old
    for release, side in step.sides:
        if side is BisectSide.NEW:
            return old, release
        if side is BisectSide.OLD:
            old = release
    return old, step.new


def answer(package: str, releases: Sequence[str], steps: Sequence[BisectStep], *, margin: float) -> Bisection:
    """What the steps came to. The first one holds both ends of the question."""
    first = steps[0]
    verdict = differ(first.ends, margin)
    if not verdict:
        ending = BisectEnding.OPEN if verdict is None else BisectEnding.NO_CHANGE
        found, (old, new) = first, (first.old, first.new)
    else:
        # A later step whose ends could not be distinguished says nothing of what lies between them.
        found = next(step for step in reversed(steps) if differ(step.ends, margin))
        old, new = narrowed(found)
        ending = BisectEnding.NARROWED if _between(releases, old, new) else BisectEnding.FOUND
    return Bisection(
        package=package,
        ending=ending,
        old=old,
        new=new,
        steps=tuple(steps),
        sentence=_sentence(package, ending, found.changes[old, new], old, new, margin),
        remarks=tuple(dict.fromkeys(_remarks(steps))),
    )


def _between(releases: Sequence[str], old: str, new: str) -> Sequence[str]:
    return releases[releases.index(old) + 1 : releases.index(new)]


def _sentence(package: str, ending: BisectEnding, found: Change, old: str, new: str, margin: float) -> str:
    what = f"{METRICS[found.metric].label} on {found.scenario}"
    by = change(found.ratio)
    if ending is BisectEnding.NO_CHANGE:
        return f"No change: {what} is within {percent(margin)} from {package} {old} to {new}: {by}."
    if ending is BisectEnding.OPEN:
        return f"Undecided: {what} may or may not differ between {package} {old} and {new}: {by}."
    if ending is BisectEnding.FOUND:
        return f"Found: {what} changed with {package} {new}: {by} against {old}."
    return f"Narrowed: {what} changed after {package} {old}, at the latest with {new}: {by}."


def _remarks(steps: Sequence[BisectStep]) -> Iterator[str]:
    for step in steps:
        yield from step.failed
        sides = [side for _, side in step.sides]
        first_new = sides.index(BisectSide.NEW) if BisectSide.NEW in sides else len(sides)
        if back := [release for release, side in step.sides[first_new:] if side is BisectSide.OLD]:
            yield (
                f"{spelt(back)} {'is' if len(back) == 1 else 'are'} like {step.old} again: "
                "there is more than one change, and this is the first"
            )
