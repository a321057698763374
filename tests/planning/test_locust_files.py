from dataclasses import replace

import pytest

from harness.model import CapacityLoad, ClosedLoad, OpenLoad, Scenario
from harness.planning.locust_files import is_locust_file, locust_file_problem
from tests.samples import ITEMS

VISITS = replace(ITEMS, name="visits", locustfile="load/visits.py")
FINE = "from locust import HttpUser, task\nclass Visitor(HttpUser):\n    pass\n"


@pytest.mark.parametrize(
    ("scenario", "own"), [(ITEMS, False), (VISITS, True), (replace(ITEMS, locustfile=""), False)]
)
def test_a_locust_file_is_told_by_its_ending(scenario: Scenario, own: bool) -> None:
    assert is_locust_file(scenario) is own


def test_a_file_in_a_closed_loop_is_fine() -> None:
    assert locust_file_problem(VISITS, FINE) is None


@pytest.mark.parametrize("load", [OpenLoad(rate_per_s=5), CapacityLoad(clients=4)])
def test_it_has_no_rate(load: OpenLoad | CapacityLoad) -> None:
    problem = locust_file_problem(replace(VISITS, load=load), FINE)
    assert problem is not None
    assert problem.startswith(f"load/visits.py: load = {load.kind!r}, but a Locust file is a closed loop")
    assert "Fix: give clients" in problem


@pytest.mark.parametrize(
    ("added", "named"),
    [
        ("class Stages(LoadTestShape): pass", "load/visits.py: line 4: Stages is a LoadTestShape"),
        ("class Stages(locust.LoadTestShape): pass", "line 4: Stages is a LoadTestShape"),
        ("class Visitor(HttpUser)", "load/visits.py: line 4: expected ':'"),
    ],
)
def test_what_shows_without_importing(added: str, named: str) -> None:
    problem = locust_file_problem(replace(VISITS, load=ClosedLoad(clients=1)), FINE + added)
    assert problem is not None
    assert named in problem
    assert "\nFix: " in problem
