from dataclasses import replace

import pytest

from harness.planning.locust_files import is_locust_file, locust_problems
from tests.samples import ITEMS

FINE = b"from locust import HttpUser, task\nclass Visitor(HttpUser):\n    pass\n"


@pytest.mark.parametrize(("locustfile", "own"), [("items", False), ("load/visits.py", True), ("", False)])
def test_a_locust_file_is_told_by_its_ending(locustfile: str, own: bool) -> None:
    assert is_locust_file(replace(ITEMS, locustfile=locustfile)) is own


def test_a_file_in_a_closed_loop_is_fine() -> None:
    assert list(locust_problems(FINE, closed=True)) == []


def test_it_has_no_rate() -> None:
    (problem,) = locust_problems(FINE, closed=False)
    assert problem.startswith("a Locust file is a closed loop")
    assert "Fix: give load.clients" in problem


@pytest.mark.parametrize("base", ["LoadTestShape", "locust.LoadTestShape"])
def test_a_load_shape_shows_without_importing(base: str) -> None:
    (problem,) = locust_problems(FINE + f"class Stages({base}): pass".encode(), closed=True)
    assert problem.startswith("line 4: Stages is a LoadTestShape")
    assert "Fix: take the class out" in problem
