"""Searches among releases whose true figures are known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pytest

from harness.decision.bisect import (
    AT_ONCE,
    BisectEnding,
    Bisection,
    BisectSide,
    BisectStep,
    answer,
    differ,
    next_releases,
    search,
    side_of,
)
from harness.decision.changes import Change
from harness.findings import Summary

RELEASES = tuple(f"1.{minor}" for minor in range(20))
NOISE = 0.005
"""Half the width of every interval, in logs."""


def ratio(center: float, half: float = NOISE) -> Summary:
    return Summary(center=center, lo=center * math.exp(-half), hi=center * math.exp(half), n=6)


def change(before: float, after: float, *, half: float = NOISE, floor: float | None = 0.01) -> Change:
    return Change(
        scenario="items",
        metric="working_set_peak_bytes",
        variant_id="v",
        before=Summary(center=before, lo=before, hi=before, n=6),
        after=Summary(center=after, lo=after, hi=after, n=6),
        ratio=ratio(after / before, half),
        floor=floor,
    )


def step_of(truth: Mapping[str, float], *releases: str, half: float = NOISE, failed: str = "") -> BisectStep:
    kept = tuple(release for release in releases if release != failed)
    return BisectStep(
        run="results/x",
        releases=kept,
        changes={(old, new): change(truth[old], truth[new], half=half) for old, new in combinations(kept, 2)},
        failed=(f"{failed} does not build",) if failed else (),
    )


def searched(truth: Mapping[str, float], *, failed: str = "", half: float = NOISE) -> Bisection:
    """With measurements of a known truth."""

    def measure(releases: tuple[str, ...]) -> BisectStep:
        return step_of(truth, *releases, half=half, failed=failed if failed in releases else "")

    return answer("orders", RELEASES, search(RELEASES, measure, 0.03), margin=0.03)


@pytest.mark.parametrize("at", range(1, len(RELEASES)))
@pytest.mark.parametrize("factor", [1.08, 0.9])
def test_a_single_change_is_found_wherever_it_is_in_few_runs(at: int, factor: float) -> None:
    truth = {release: 100.0 * (factor if index >= at else 1) for index, release in enumerate(RELEASES)}
    found = searched(truth)
    assert (found.ending, found.old, found.new) == (BisectEnding.FOUND, RELEASES[at - 1], RELEASES[at])
    assert len(found.steps) <= 3
    assert f"changed with orders {RELEASES[at]}: {'+8' if factor > 1 else '-10'} %" in found.sentence
    assert found.remarks == ()


def test_a_release_that_does_not_build_is_passed_over_and_said() -> None:
    truth = {release: 100.0 * (1.2 if index >= 10 else 1) for index, release in enumerate(RELEASES)}
    found = searched(truth, failed="1.9")
    assert (found.ending, found.old, found.new) == (BisectEnding.NARROWED, "1.8", "1.10")
    assert found.sentence.startswith("Narrowed: peak working set on items changed after orders 1.8")
    assert found.remarks == ("1.9 does not build",)


def test_no_change_and_not_told_are_different_answers() -> None:
    same = dict.fromkeys(RELEASES, 100.0)
    assert searched(same).ending is BisectEnding.NO_CHANGE
    assert searched(same).sentence.startswith("No change: ")
    noisy = searched(same, half=0.2)
    assert noisy.ending is BisectEnding.OPEN
    assert noisy.sentence.startswith("Undecided: ")


def test_a_change_that_is_taken_back_is_followed_to_where_it_came_first() -> None:
    truth = {r: 100.0 * (1.2 if 4 <= i < 8 or i >= 17 else 1) for i, r in enumerate(RELEASES)}
    found = searched(truth)
    assert (found.old, found.new) == ("1.3", "1.4")
    assert any("there is more than one change" in remark for remark in found.remarks)


def test_a_slope_ends_where_its_parts_are_smaller_than_the_margin() -> None:
    truth = {release: 100.0 * 1.01**index for index, release in enumerate(RELEASES)}
    found = searched(truth)
    assert found.ending is BisectEnding.NARROWED
    assert RELEASES.index(found.new) - RELEASES.index(found.old) < len(RELEASES) // 2


def test_the_side_is_that_of_half_the_change_and_open_where_the_interval_crosses_it() -> None:
    ends = ratio(1.21)
    assert side_of(ratio(1.02), ends) is BisectSide.OLD
    assert side_of(ratio(1.2), ends) is BisectSide.NEW
    assert side_of(ratio(1.102), ends) is BisectSide.OPEN
    assert side_of(Summary(center=1.2, lo=None, hi=None, n=2), ends) is BisectSide.OPEN
    assert side_of(ratio(0.85), ratio(0.81)) is BisectSide.NEW
    assert side_of(ratio(0.97), ratio(0.81)) is BisectSide.OLD


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        (change(100, 110), True),
        (change(100, 101), False),
        (change(100, 102.4, half=0.001), False),
        (change(100, 103, half=0.04), None),
        (change(100, 110, floor=None), None),
        (change(100, 110, floor=0.2), None),
    ],
    ids=["far", "near", "within the margin", "wide", "no floor", "below the floor"],
)
def test_two_releases_differ_beyond_the_margin_and_the_floor(ends: Change, expected: bool | None) -> None:
    assert differ(ends, 0.03) is expected


def test_each_step_divides_what_is_left_evenly() -> None:
    assert next_releases(RELEASES, "1.0", "1.19", ()) == ("1.4", "1.9", "1.14")
    assert next_releases(RELEASES, "1.4", "1.6", ()) == ("1.5",)
    assert next_releases(RELEASES, "1.4", "1.6", {"1.5"}) == ()
    for end in range(1, len(RELEASES)):
        chosen = next_releases(RELEASES, "1.0", RELEASES[end], ())
        assert len(set(chosen)) == min(AT_ONCE, end - 1)
        assert np.all(np.diff([RELEASES.index(one) for one in chosen]) > 0)
