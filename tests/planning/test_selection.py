"""Parts of a matrix by the ids of their cells, and durations."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.planning.durations import parse_duration
from harness.planning.selection import NothingSelected, selected
from tests.samples import ITEMS, PLAIN, STANDARD, a_matrix

TWO = replace(STANDARD, workers=2)
CPU = replace(ITEMS, name="cpu")
MATRIX = a_matrix(variants=(PLAIN, STANDARD, TWO), scenarios=(ITEMS, CPU))


@pytest.mark.parametrize(
    ("only", "skip", "variants", "scenarios"),
    [
        ([], [], [PLAIN, STANDARD, TWO], ["items", "cpu"]),
        (["uvicorn-standard.w2.items"], [], [PLAIN, TWO], ["items"]),
        (["uvicorn-standard.w2"], [], [PLAIN, TWO], ["items", "cpu"]),
        (["cpu"], [], [PLAIN, STANDARD, TWO], ["cpu"]),
        (["*.w2.*"], [], [PLAIN, TWO], ["items", "cpu"]),
        ([], ["cpu"], [PLAIN, STANDARD, TWO], ["items"]),
        ([], ["uvicorn-standard.*"], [PLAIN], ["items", "cpu"]),
        (["items"], ["uvicorn-standard.w1"], [PLAIN, TWO], ["items"]),
        # All is compared with the baseline, so it stays.
        ([], ["uvicorn-plain.w1"], [PLAIN, STANDARD, TWO], ["items", "cpu"]),
    ],
)
def test_what_is_left(only: list[str], skip: list[str], variants: list, scenarios: list[str]) -> None:
    left = selected(MATRIX, only=only, skip=skip)
    assert list(left.variants) == variants
    assert [scenario.name for scenario in left.scenarios] == scenarios
    assert left.baseline_id == MATRIX.baseline_id


def test_nothing_left_names_what_there_is() -> None:
    with pytest.raises(NothingSelected, match=r"no cell is left\. There are uvicorn-plain\.w1\.items, "):
        selected(MATRIX, only=["other"])


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("5m", 300), ("1.5 m", 90), ("1h", 3600)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "5 minutes", "-3", "1d"])
def test_what_is_no_duration_says_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match='such as "90s", "5m" or "1h"'):
        parse_duration(text)
