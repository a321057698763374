"""Where throughput stops growing, from figures with a known knee."""

from __future__ import annotations

import pytest

from harness.analysis.client_steps import knee, ladders
from tests.studies.claims.worlds import a_run, scenario, variant

ONE = variant("uvicorn-standard.w1")
RUNGS = tuple(scenario(f"sync_{n}", "sync_wait", n) for n in (10, 40, 120))


@pytest.mark.parametrize("threads", [20, 40, 80])
def test_the_knee_is_found_from_the_first_and_the_last_rung(threads: int) -> None:
    rates = {f"sync_{n}": {"throughput_per_s": min(n, threads) / 0.1} for n in (10, 40, 120)}
    run = a_run("pool", {ONE: rates}, scenarios=RUNGS)
    seen = knee(run.samples, ONE.id, RUNGS)
    assert seen is not None
    assert seen.center == pytest.approx(threads, rel=0.01)
    assert seen.lo is not None
    assert seen.lo <= seen.center


def test_only_closed_loads_that_differ_in_their_clients_are_a_ladder() -> None:
    run = a_run("pool", {ONE: {}}, scenarios=(*RUNGS, scenario("items")))
    assert ladders(run.matrix) == {"sync_wait": RUNGS}


def test_without_a_shared_block_there_is_no_knee() -> None:
    run = a_run("pool", {ONE: {}}, scenarios=RUNGS, broken=(ONE.id,))
    assert knee(run.samples, ONE.id, RUNGS) is None
