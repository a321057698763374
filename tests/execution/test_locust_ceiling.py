"""The generator's limit with the users of a Locust file, and what is judged by it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.errors import TrialError, WrongResponse
from harness.execution.equipment import Equipment
from harness.execution.locust_ceiling import full_core_per_s, locust_ceilings
from harness.measurement.load import LoadRecord
from harness.model import Scenario, Validity
from tests.measurement.test_validity import check, evidence, judge
from tests.samples import ITEMS, a_load, some_readings
from wire.messages import RAISED, WRONG_BODY

VISITS = replace(ITEMS, name="visits", locustfile="load/visits.py")
SEARCH = replace(ITEMS, name="search", locustfile="load/search.py")


def used(load: LoadRecord, share: float) -> LoadRecord:
    return replace(load, generator_cpu_share=np.full(3, share))


class Static:
    """A generator before a static server, whose loads are given by the names of scenarios."""

    def __init__(self, **loads: LoadRecord | TrialError) -> None:
        self.loads = loads
        self.driven: list[Scenario] = []

    def drive(self, scenario: Scenario, *, seed: int, progress: object) -> LoadRecord:
        self.driven.append(scenario)
        found = self.loads[scenario.name]
        if isinstance(found, TrialError):
            raise found
        return found


def test_each_locust_file_has_a_ceiling_of_its_own() -> None:
    static = Static(visits=used(a_load(1500), 1.0), search=used(a_load(300), 0.1))
    found, warnings = locust_ceilings((ITEMS, VISITS, SEARCH), static)  # type: ignore[arg-type]
    assert found == {"visits": pytest.approx(500, rel=0.01), "search": pytest.approx(1000, rel=0.01)}
    assert warnings == ()
    assert [scenario.load for scenario in static.driven] == [VISITS.load, SEARCH.load]
    assert all(scenario.measure_s == 2.0 for scenario in static.driven)


def test_a_file_that_needs_real_answers_has_none_and_says_so() -> None:
    static = Static(visits=WrongResponse("on_start failed: KeyError: 'token'"))
    found, (warning,) = locust_ceilings((VISITS,), static)  # type: ignore[arg-type]
    assert found == {}
    assert "visits: no ceiling" in warning
    assert "load/visits.py cannot run against a static server: on_start failed" in warning


def test_the_files_verdict_on_an_answer_does_not_matter() -> None:
    load = used(a_load(1500), 1.0)
    wrong = replace(load, status=np.full(1500, WRONG_BODY, dtype=np.int16))
    assert full_core_per_s(wrong) == full_core_per_s(load)


@pytest.mark.parametrize(("raised", "known"), [(5, True), (6, False)])
def test_tasks_that_break_off_do_not_cost_what_they_will(raised: int, known: bool) -> None:
    status = np.full(100, 200, dtype=np.int16)
    status[:raised] = RAISED
    load = replace(used(a_load(100), 1.0), status=status)
    if known:
        assert full_core_per_s(load) > 0
        return
    with pytest.raises(TrialError, match="6 of its tasks raised an exception"):
        full_core_per_s(load)


def test_no_answer_is_no_ceiling() -> None:
    load = replace(a_load(10), finished_s=np.full(10, np.nan))
    with pytest.raises(TrialError, match="none of its requests was answered"):
        full_core_per_s(load)


def test_a_trial_is_held_against_the_ceiling_of_its_own_users() -> None:
    values = dict.fromkeys(("engine", "generators", "clock"))
    equipment = Equipment(
        **values,  # type: ignore[arg-type]
        images={},
        server_cpus=(1,),
        ready_timeout_s=1.0,
        seed=1,
        ceiling_per_s=30_000.0,
        ceilings={"visits": 740.0},
    )
    assert (equipment.ceiling_of(ITEMS), equipment.ceiling_of(VISITS), equipment.ceiling_of(SEARCH)) == (
        30_000.0,
        740.0,
        None,
    )


def test_an_http_user_before_a_fast_server_is_generator_bound() -> None:
    """730/s of 740/s, the server's core at 0.99: the lean user's ceiling would have let it pass."""
    fast = used(a_load(2190), 0.8)
    check(Validity.GENERATOR_BOUND, "it reaches 740 requests/s", evidence(fast, ceiling_per_s=740.0))
    assert judge(evidence(fast, ceiling_per_s=30_000.0))[0] is Validity.VALID


def test_an_http_user_before_a_fast_server_is_bound_by_its_core_where_no_ceiling_is_known() -> None:
    idle = tuple(replace(reading, cpu_s=reading.cpu_s / 5) for reading in some_readings())
    case = evidence(used(a_load(2190), 0.98), readings=idle, ceiling_per_s=None)
    check(Validity.GENERATOR_BOUND, "the generator used 98% of its core", case)


def test_an_http_user_before_a_slow_server_is_valid() -> None:
    """10 ms of CPU for each request: 100/s."""
    assert judge(evidence(used(a_load(300), 0.2), ceiling_per_s=740.0))[0] is Validity.VALID
