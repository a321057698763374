"""What is judged without a look inside, and what a variant may do on purpose."""

from dataclasses import replace

import numpy as np
import pytest

from harness.deployment import DeploymentState
from harness.measurement.metrics import memory_growth_mib_per_1000, trial_metrics
from harness.measurement.validity import NEED_A_LOOK_INSIDE, judge
from harness.model import OWN_COMMAND, Validity, Variant
from tests.measurement.test_validity import counted, evidence, facts, with_statuses, worker
from tests.samples import ITEMS, PLAIN, a_load, some_readings
from wire.messages import DISCONNECTED

BOX = Variant(recipe=OWN_COMMAND, workers=1)
UNSEEN = {"variant": BOX, "facts_before": None, "facts_after": None, "expected_stack": None}
REPLACED = replace(PLAIN, max_requests=100)
LIMITED = replace(PLAIN, limit_concurrency=10)


def test_a_black_box_is_valid_by_the_rules_that_are_left_and_says_which_are_not() -> None:
    assert judge(evidence(**UNSEEN)) == (Validity.VALID, (), NEED_A_LOOK_INSIDE)
    assert judge(evidence()).not_checked == ()


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"state": DeploymentState(running=False, exit_code=1)}, "I7"),
        ({"state": DeploymentState(running=True, oom_killed=True)}, "I7"),
        ({"load": with_statuses(*[500] * 50)}, "I6"),
        ({"metrics": {"throttled_share": 0.5}}, "I5"),
        ({"load": replace(a_load(), scheduled=999)}, "I1"),
    ],
)
def test_the_container_and_the_client_are_still_believed(changes: dict[str, object], rule: str) -> None:
    word, reasons, not_checked = judge(evidence(**{**UNSEEN, **changes}))
    assert word is Validity.INVALID
    assert [reason[:2] for reason in reasons] == [rule]
    assert not_checked == NEED_A_LOOK_INSIDE


def test_a_black_box_may_use_every_core_of_the_server() -> None:
    """One worker on two cores: of a recipe 0.99 is all it can use, of an unknown command half."""
    busy = {"server_cpus": 2, "metrics": {"generator_cpu_share": 0.95, "cpu_cores": 0.99}}
    assert judge(evidence(**busy)).validity is Validity.VALID
    assert judge(evidence(**UNSEEN, **busy)).validity is Validity.GENERATOR_BOUND


def test_workers_replaced_on_purpose_break_no_rule() -> None:
    load = a_load()
    before = facts(worker(pid=7, requests=5), variant_id=REPLACED.id)
    after = facts(worker(pid=9, requests=100), variant_id=REPLACED.id)
    changed = {"facts_before": before, "facts_after": after}
    assert judge(evidence(load, variant=REPLACED, **changed)).validity is Validity.VALID
    assert judge(evidence(load, **changed)).validity is Validity.INVALID


def test_workers_replaced_on_purpose_must_not_count_more_than_was_sent() -> None:
    before = facts(worker(pid=7), variant_id=REPLACED.id)
    after = facts(worker(pid=9, requests=301), variant_id=REPLACED.id)
    word, reasons, _ = judge(evidence(a_load(300), variant=REPLACED, facts_before=before, facts_after=after))
    assert word is Validity.INVALID
    assert reasons[0].startswith("I2: the workers of the end counted 301 requests")


def test_what_workers_replaced_on_purpose_cut_off_is_a_result() -> None:
    """Counted as errors, and told in the report; what else goes wrong stays a fault."""
    load = with_statuses(*[DISCONNECTED] * 25, *[502] * 25)
    changed = {
        "facts_before": facts(worker(pid=7), variant_id=REPLACED.id),
        "facts_after": facts(worker(pid=9), variant_id=REPLACED.id),
        "variant": REPLACED,
    }
    assert judge(evidence(load, **changed))[:2] == (Validity.VALID, ())
    assert judge(evidence(load)).validity is Validity.INVALID
    assert judge(evidence(with_statuses(*[500] * 50), **changed)).validity is Validity.INVALID
    told = trial_metrics(load, some_readings(), scenario=ITEMS, before=None, after=None)
    assert told.errors == 50


def test_what_a_limited_variant_refuses_is_no_error() -> None:
    load = with_statuses(*[503] * 500, answered=500)
    seen = replace(counted(load), variant_id=LIMITED.id)
    after = replace(seen, workers=(worker(requests=load.ok, id_sum=1),))
    before = facts(worker(), variant_id=LIMITED.id)
    limited = evidence(load, variant=LIMITED, facts_before=before, facts_after=after)
    assert judge(limited)[:2] == (Validity.VALID, ())
    assert judge(evidence(load)).validity is Validity.INVALID
    told = [
        trial_metrics(load, some_readings(), scenario=ITEMS, before=None, after=None, may_refuse=may_refuse)
        for may_refuse in (True, False)
    ]
    assert [(one.errors, one.refused) for one in told] == [(0, 500), (500, 0)]
    assert told[0].latency_p95_s == told[1].latency_p95_s


def test_a_variant_that_refuses_everything_is_invalid() -> None:
    load = with_statuses(*[503] * 300, requests=300, answered=300)
    assert (
        judge(evidence(load, **{**UNSEEN, "variant": replace(BOX, limit_concurrency=1)}))[0]
        is Validity.INVALID
    )


@pytest.mark.parametrize("mib_per_1000", [0.0, 2.0, -1.0])
def test_memory_growth_is_found_from_any_start(mib_per_1000: float) -> None:
    """100 requests a second for ten seconds, read every second: the slope is exact."""
    load = a_load(1000, measure_s=10.0)
    readings = [
        replace(reading, working_set_bytes=round((70 + mib_per_1000 * n / 10) * 2**20))
        for n, reading in enumerate(some_readings(start_s=100.0, seconds=11))
    ]
    assert memory_growth_mib_per_1000(load, readings) == pytest.approx(mib_per_1000, abs=0.02)


def test_too_few_readings_tell_no_growth() -> None:
    assert memory_growth_mib_per_1000(a_load(), some_readings(seconds=3)) is None
    silent = replace(a_load(), status=np.full(300, 500, dtype=np.int16))
    assert memory_growth_mib_per_1000(silent, some_readings(start_s=100.0)) is None
