from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.deployment import CpuCounts, DeploymentState, ResourceReading, ServerFacts, WorkerFacts
from harness.measurement.load import LoadRecord
from harness.measurement.metrics import trial_metrics
from harness.measurement.trial_evidence import Evidence
from harness.measurement.validity import RULES, judge
from harness.model import OpenLoad, Validity
from tests.samples import ITEMS, PLAIN, a_load, some_facts, some_readings
from wire.messages import DISCONNECTED, DROPPED, PORTLESS, TIMED_OUT, UNDRAINED, WRONG_BODY

OPEN = replace(ITEMS, load=OpenLoad(rate_per_s=100.0))
RUNNING = DeploymentState(running=True)


def worker(pid: int = 7, requests: int = 0, id_sum: int = 0, id_xor: int = 0) -> WorkerFacts:
    return WorkerFacts(pid=pid, requests=requests, id_sum=id_sum, id_xor=id_xor, in_flight=0)


def facts(*workers: WorkerFacts, **changes: Any) -> ServerFacts:
    return some_facts(workers=workers, **changes)


def counted(load: LoadRecord) -> ServerFacts:
    """A server whose one worker counted exactly the answered requests."""
    return facts(worker(requests=load.ok + load.failed, id_sum=load.id_sum, id_xor=load.id_xor))


def evidence(load: LoadRecord | None = None, **changes: Any) -> Evidence:
    """A trial with nothing wrong, but for the changes. `metrics` may be given as a dict of changes."""
    load = load or a_load()
    scenario, readings = changes.get("scenario", ITEMS), changes.get("readings", some_readings())
    metrics = trial_metrics(load, readings, scenario=scenario, before=None, after=None)
    values: dict[str, Any] = {
        "variant": PLAIN,
        "scenario": scenario,
        "load": load,
        "readings": readings,
        "busy_s": None,
        "facts_before": facts(worker()),
        "facts_after": counted(load),
        "state": RUNNING,
        "server_cpus": 1,
        "ceiling_per_s": 5000.0,
        "expected_stack": some_facts(),
        **changes,
    }
    values["metrics"] = replace(metrics, **changes.get("metrics", {}))
    told = values["facts_before"]
    if told is not None and told.cpus == some_facts().cpus:
        # Unless a test says otherwise, the container sees the limits of the variant.
        cpus = values["server_cpus"]
        quota = min(float(cpus), values["variant"].cpu_quota or cpus)
        values["facts_before"] = replace(told, cpus=CpuCounts(host=cpus, affinity=cpus, quota=quota))
    return Evidence(**values)


def with_statuses(*wrong: int, requests: int = 5000, answered: int = 0) -> LoadRecord:
    """A load whose first requests ended in these ways; `answered` of them got an HTTP response."""
    load = a_load(requests=requests)
    status = load.status.copy()
    status[: len(wrong)] = wrong
    timed_out, dropped = wrong.count(TIMED_OUT), wrong.count(DROPPED)
    undrained = wrong.count(UNDRAINED)
    ids = np.arange(1, requests + 1)[len(wrong) - answered :]
    return replace(
        load,
        status=status,
        ok=requests - len(wrong),
        failed=len(wrong) - timed_out - dropped - undrained,
        timed_out=timed_out,
        dropped=dropped,
        undrained=undrained,
        id_sum=int(ids.sum()),
        id_xor=int(np.bitwise_xor.reduce(ids)),
    )


def check(word: Validity, reason: str, case: Evidence) -> None:
    """Exactly one rule is broken, with this word and this sentence."""
    found, reasons, _ = judge(case)
    assert len(reasons) == 1, reasons
    assert reason in reasons[0]
    assert found is word


def test_a_trial_with_nothing_wrong_is_valid() -> None:
    assert judge(evidence())[:2] == (Validity.VALID, ())


def test_i1_every_request_is_accounted_for() -> None:
    load = replace(a_load(requests=300), scheduled=302)
    check(Validity.INVALID, "I1: 302 requests scheduled, but 300 accounted for (300 ok", evidence(load))


@pytest.mark.parametrize(("served", "said"), [(298, "counted 298"), (301, "counted 301")])
def test_i2_lost_and_repeated_requests_are_seen(served: int, said: str) -> None:
    load = a_load(requests=300)
    after = facts(worker(requests=served, id_sum=load.id_sum, id_xor=load.id_xor))
    check(Validity.INVALID, f"I2: the server {said} requests where", evidence(load, facts_after=after))


@pytest.mark.parametrize(("sum_error", "xor_error"), [(1, 0), (0, 1)])
def test_i2_one_lost_and_another_repeated_shows_in_the_ids(sum_error: int, xor_error: int) -> None:
    load = a_load(requests=300)
    after = facts(worker(requests=300, id_sum=load.id_sum + sum_error, id_xor=load.id_xor ^ xor_error))
    check(Validity.INVALID, "I2: the 300 requests", evidence(load, facts_after=after))


def test_i2_requests_of_before_the_load_do_not_count() -> None:
    load = a_load(requests=300)
    before = facts(worker(requests=5, id_sum=2**64 - 3, id_xor=0b1100))
    after = facts(
        worker(requests=305, id_sum=(load.id_sum - 3) % 2**64, id_xor=load.id_xor ^ 0b1100),
    )
    assert judge(evidence(load, facts_before=before, facts_after=after))[:2] == (Validity.VALID, ())


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=50), st.data())
def test_i2_holds_however_requests_spread_over_workers(ids: list[int], data: st.DataObject) -> None:
    shares: tuple[list[int], list[int]] = ([], [])
    for request in ids:
        shares[data.draw(st.integers(0, 1))].append(request)
    after = facts(*(_worker_that_served(pid, share) for pid, share in zip((7, 8), shares, strict=True)))
    both = _worker_that_served(0, ids)
    load = replace(a_load(requests=len(ids)), id_sum=both.id_sum, id_xor=both.id_xor)
    case = evidence(
        load,
        facts_before=facts(worker(7), worker(8), variant_id="uvicorn-plain.w2"),
        facts_after=replace(after, variant_id="uvicorn-plain.w2"),
        variant=replace(PLAIN, workers=2),
    )
    assert judge(case)[:2] == (Validity.VALID, ())


def _worker_that_served(pid: int, ids: list[int]) -> WorkerFacts:
    xor = 0
    for request in ids:
        xor ^= request
    return worker(pid, requests=len(ids), id_sum=sum(ids) % 2**64, id_xor=xor)


@pytest.mark.parametrize("way", [TIMED_OUT, UNDRAINED, DISCONNECTED])
@pytest.mark.parametrize("reached", [0, 1])
def test_i2_a_request_without_answer_may_or_may_not_have_reached_the_app(way: int, reached: int) -> None:
    load = with_statuses(way)
    after = facts(worker(requests=4999 + reached, id_sum=load.id_sum + reached, id_xor=load.id_xor ^ reached))
    assert judge(evidence(load, facts_after=after))[:2] == (Validity.VALID, ())


def test_i2_two_more_than_one_time_out_explains_are_too_many() -> None:
    load = with_statuses(TIMED_OUT)
    after = facts(worker(requests=5001))
    check(Validity.INVALID, "counted 5001 requests where", evidence(load, facts_after=after))
    assert "allow 4999 to 5000" in judge(evidence(load, facts_after=after))[1][0]


def test_i2_an_answered_failure_excuses_no_other_ids() -> None:
    load = with_statuses(500, answered=1)
    assert judge(evidence(load))[:2] == (Validity.VALID, ())
    after = facts(worker(requests=5000, id_sum=load.id_sum + 1, id_xor=load.id_xor))
    check(Validity.INVALID, "I2: the 5000 requests", evidence(load, facts_after=after))


def test_i2_a_wrong_body_is_an_answer_too() -> None:
    load = with_statuses(WRONG_BODY, answered=1)
    after = facts(worker(requests=5000, id_sum=load.id_sum + 1, id_xor=load.id_xor))
    assert [reason[:2] for reason in judge(evidence(load, facts_after=after))[1]] == ["I2", "I6"]


@pytest.mark.parametrize(("late_ms", "slo_ms", "kept"), [(1.9, 10, True), (2.1, 10, False), (4, 100, True)])
def test_i3_lateness_is_held_against_two_ms_or_the_slo(late_ms: float, slo_ms: float, kept: bool) -> None:
    load = a_load()
    load = replace(load, sent_s=load.intended_s + late_ms / 1000)
    case = evidence(load, scenario=replace(OPEN, slo_ms=slo_ms))
    if kept:
        assert judge(case)[:2] == (Validity.VALID, ())
    else:
        check(Validity.GENERATOR_BOUND, "I3: requests left 2.1 ms late", case)


def test_i3_nothing_may_be_dropped() -> None:
    check(
        Validity.INVALID,
        "I3: 1 of 5000 requests were never sent",
        evidence(with_statuses(DROPPED), scenario=OPEN),
    )


@pytest.mark.parametrize(("worst", "kept"), [(0.97, True), (0.98, False)])
@pytest.mark.promise(17)
def test_i4_no_second_of_an_open_load_may_use_up_the_generator(worst: float, kept: bool) -> None:
    load = replace(a_load(), generator_cpu_share=np.array([0.1, worst, 0.1]))
    case = evidence(load, scenario=OPEN)
    if kept:
        assert judge(case)[:2] == (Validity.VALID, ())
    else:
        check(Validity.GENERATOR_BOUND, "used 98% of its core within a second", case)


@pytest.mark.parametrize(
    ("generator", "server", "word"),
    [
        (0.97, 0.60, Validity.GENERATOR_BOUND),
        (0.97, 0.95, Validity.VALID),
        (0.80, 0.60, Validity.VALID),
    ],
)
@pytest.mark.promise(17)
def test_i4_a_closed_load_is_bound_where_only_the_generator_is_used_up(
    generator: float, server: float, word: Validity
) -> None:
    case = evidence(metrics={"generator_cpu_share": generator, "cpu_cores": server})
    assert judge(case)[0] is word


def test_i4_a_closed_generator_may_be_busy_in_one_second() -> None:
    load = replace(a_load(), generator_cpu_share=np.array([0.5, 1.0, 0.5]))
    assert judge(evidence(load))[:2] == (Validity.VALID, ())


@pytest.mark.parametrize(
    ("cpus", "quota", "workers"),
    [(1, None, 4), (4, 1.0, 4), (4, None, 1)],
    ids=["cpuset", "quota", "workers"],
)
def test_i4_the_server_can_use_no_more_than_the_tightest_of_its_limits(
    cpus: int, quota: float | None, workers: int
) -> None:
    variant = replace(PLAIN, cpu_quota=quota, workers=workers)
    pids = [worker(pid) for pid in range(workers)]
    load = a_load()
    after = [worker(0, requests=load.ok, id_sum=load.id_sum, id_xor=load.id_xor), *pids[1:]]

    def case(cpu_cores: float) -> Evidence:
        return evidence(
            load,
            variant=variant,
            server_cpus=cpus,
            facts_before=facts(*pids, variant_id=variant.id),
            facts_after=facts(*after, variant_id=variant.id),
            metrics={"generator_cpu_share": 1.0, "cpu_cores": cpu_cores},
        )

    assert judge(case(0.95))[:2] == (Validity.VALID, ())
    check(Validity.GENERATOR_BOUND, "at least 100 requests/s, generator-limited", case(0.85))


@pytest.mark.parametrize(
    ("ceiling", "word"), [(105.0, Validity.GENERATOR_BOUND), (106.0, Validity.VALID), (None, Validity.VALID)]
)
@pytest.mark.promise(17)
def test_i4_as_fast_as_the_generator_ever_gets(ceiling: float | None, word: Validity) -> None:
    assert judge(evidence(ceiling_per_s=ceiling))[0] is word


def steal(*per_second: float) -> tuple[ResourceReading, ...]:
    """Readings from 100 s on whose steal grows by these shares."""
    total = np.concatenate(([0.0], np.cumsum(per_second)))
    first = some_readings()[0]
    return tuple(replace(first, at_s=100.0 + n, steal_s=steal_s) for n, steal_s in enumerate(total))


@pytest.mark.parametrize(
    ("readings", "word"),
    [
        (steal(*[0.009] * 10), Validity.VALID),
        (steal(*[0.011] * 10), Validity.NOISY),
        (steal(0.0, 0.06, *[0.0] * 8), Validity.NOISY),
        (steal(0.0, 0.04, *[0.0] * 8), Validity.VALID),
        (steal(*[0.0] * 10, 0.5), Validity.VALID),
    ],
    ids=["little", "mean", "one second", "one second, a little", "after the window"],
)
def test_i5_steal(readings: tuple[ResourceReading, ...], word: Validity) -> None:
    assert judge(evidence(a_load(measure_s=10.0), readings=readings))[0] is word


def test_i5_steal_is_told_with_its_figures() -> None:
    check(
        Validity.NOISY,
        "I5: steal took 2.0% of the cores in the mean and 6.0% in",
        evidence(readings=steal(0, 0.06, 0)),
    )


def test_i5_other_programs_on_the_servers_core_are_told_with_their_share() -> None:
    # Five seconds between the first and the last reading, in which the server used 0.99 of its core.
    alone, beside_others = 4.95 + 0.4, 4.95 + 0.6
    assert judge(evidence(busy_s=alone))[:2] == (Validity.VALID, ())
    check(Validity.NOISY, "I5: other programs used 12% of the server's cores", evidence(busy_s=beside_others))


def test_i5_busy_time_that_is_not_told_is_no_finding() -> None:
    assert judge(evidence(busy_s=None))[:2] == (Validity.VALID, ())


@pytest.mark.promise(11)
def test_i5_a_machine_that_slept_spoils_the_trial_and_two_clocks_read_in_turn_do_not() -> None:
    check(Validity.INVALID, "I5: the machine was suspended for 3.2 s", evidence(suspended_s=3.2))
    assert judge(evidence(suspended_s=0.001))[:2] == (Validity.VALID, ())


def test_i5_throttling_needs_a_quota_in_the_matrix() -> None:
    readings = tuple(replace(one, throttled_s=one.at_s * 0.1) for one in some_readings())
    check(Validity.INVALID, "throttled (0.10 s a second", evidence(readings=readings))
    limited = replace(PLAIN, cpu_quota=0.5)
    before, after = (replace(told, variant_id=limited.id) for told in (facts(worker()), counted(a_load())))
    case = evidence(readings=readings, variant=limited, facts_before=before, facts_after=after)
    assert judge(case)[:2] == (Validity.VALID, ())


def test_i6_up_to_one_failure_in_a_thousand_is_tolerated() -> None:
    assert judge(evidence(with_statuses(*[500] * 5, answered=5)))[:2] == (Validity.VALID, ())
    check(
        Validity.INVALID,
        "I6: wrong or missing response to 6 of 5000 requests (0.12%): 4 x HTTP 500, 2 x timed out",
        evidence(with_statuses(500, 500, 500, 500, TIMED_OUT, TIMED_OUT, answered=0)),
    )


@pytest.mark.promise(16)
def test_i6_one_wrong_body_is_one_too_many() -> None:
    check(Validity.INVALID, "1 x with a wrong body", evidence(with_statuses(WRONG_BODY, answered=1)))


def test_i4_requests_without_a_local_port_are_the_generators_limit_and_no_failure_of_the_server() -> None:
    bound = evidence(with_statuses(*[PORTLESS] * 30))
    check(Validity.GENERATOR_BOUND, "I4: 30 requests found no local port", bound)
    word, reasons, _ = judge(evidence(with_statuses(*[PORTLESS] * 30, *[500] * 30, answered=30)))
    assert word is Validity.INVALID
    assert "I6: wrong or missing response to 30 of 5000 requests" in reasons[1]


def test_i6_a_trial_without_a_right_answer_is_invalid() -> None:
    load = with_statuses(*[404] * 5, requests=5, answered=5)
    check(Validity.INVALID, "I6: wrong or missing response to all 5 requests: 5 x HTTP 404", evidence(load))


def test_i6_a_trial_without_a_request_is_invalid() -> None:
    none = np.array([])
    load = replace(
        a_load(),
        intended_s=none,
        sent_s=none,
        finished_s=none,
        status=none.astype(np.int16),
        scheduled=0,
        ok=0,
        id_sum=0,
        id_xor=0,
    )
    check(
        Validity.INVALID, "I6: wrong or missing response to all 0 requests: nothing was sent", evidence(load)
    )


@pytest.mark.promise(15)
def test_i7_a_worker_that_was_replaced() -> None:
    variant = replace(PLAIN, workers=2)
    case = evidence(
        variant=variant,
        facts_before=facts(worker(7), worker(8), variant_id=variant.id),
        facts_after=facts(worker(7), worker(31), variant_id=variant.id),
    )
    check(Validity.INVALID, "I7: worker pids changed from 7, 8 to 7, 31: a worker died", case)


def test_i7_workers_may_answer_in_any_order() -> None:
    variant, load = replace(PLAIN, workers=2), a_load()
    one = worker(8, requests=load.ok, id_sum=load.id_sum, id_xor=load.id_xor)
    case = evidence(
        load,
        variant=variant,
        facts_before=facts(worker(7), worker(8), variant_id=variant.id),
        facts_after=facts(one, worker(7), variant_id=variant.id),
    )
    assert judge(case)[:2] == (Validity.VALID, ())


def test_i7_an_oom_kill_in_the_cgroup() -> None:
    *others, last = some_readings()
    check(Validity.INVALID, "I7: the kernel killed", evidence(readings=(*others, replace(last, oom_kills=1))))


def test_i7_an_oom_kill_that_the_engine_saw() -> None:
    state = DeploymentState(running=True, oom_killed=True)
    check(Validity.INVALID, "I7: the kernel killed", evidence(state=state))


def test_i7_a_server_that_ended() -> None:
    state = DeploymentState(running=False, exit_code=3)
    check(Validity.INVALID, "ended during the trial with exit code 3", evidence(state=state))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"variant_id": "other.w1"}, "I9: variant is other.w1 inside the server, uvicorn-plain.w1 in the"),
        ({"access_log": True}, "I9: access log is True inside"),
        ({"front": "nginx/1.26.3"}, "I9: proxy is nginx/1.26.3 inside the server, where uvicorn-plain"),
        (
            {"tls": "TLSv1.3 X"},
            "I9: TLS is TLSv1.3 X inside the server, where uvicorn-plain",
        ),
        ({"scheme": "https"}, "I9: URL scheme is https: inside the server"),
        ({"keep_alive_s": 2.0}, "I9: keep-alive in seconds is 2.0 inside the server, 5 in the matrix"),
        (
            {"loop": "uvloop.Loop"},
            "I9: event loop is uvloop.Loop inside the server, where uvicorn-plain",
        ),
        (
            {"http": "uvicorn.protocols.http.httptools_impl.X"},
            "I9: HTTP protocol is uvicorn.protocols",
        ),
        ({"features": ()}, "I9: list of features is none inside the server, where uvicorn-plain"),
        ({"features": ("reload", "proxy-headers")}, "I9: list of features is proxy-headers, reload"),
    ],
)
def test_i9_a_server_that_is_not_the_variant(changes: dict[str, Any], reason: str) -> None:
    check(Validity.INVALID, reason, evidence(facts_before=facts(worker(), **changes)))


LIMITED = replace(PLAIN, cpu_quota=0.5, memory_mib=256)


@pytest.mark.parametrize(
    ("inside", "reason"),
    [
        ({}, None),
        ({"cpus": CpuCounts(host=4, affinity=4, quota=0.5)}, "I9: number of CPUs allowed is 4 inside"),
        (
            {"cpus": CpuCounts(host=4, affinity=1, quota=1.0)},
            "I9: CPU quota is 1.0 inside the server, 0.5 in",
        ),
        ({"memory_limit_bytes": 512 * 2**20}, "I9: memory limit in MiB is 512.0 inside the server, 256 in"),
        ({"memory_limit_bytes": None}, None),
    ],
)
def test_i9_a_limit_that_does_not_hold_inside(inside: dict[str, Any], reason: str | None) -> None:
    limits = {"cpus": CpuCounts(host=4, affinity=1, quota=0.5), "memory_limit_bytes": 256 * 2**20}
    before, after = (
        replace(told, variant_id=LIMITED.id, **{**limits, **inside})
        for told in (facts(worker()), counted(a_load()))
    )
    case = evidence(variant=LIMITED, facts_before=before, facts_after=after)
    if reason is None:
        assert judge(case)[:2] == (Validity.VALID, ())
    else:
        check(Validity.INVALID, reason, case)


def test_i9_the_number_of_workers() -> None:
    variant = replace(PLAIN, workers=2)
    before, after = (replace(told, variant_id=variant.id) for told in (facts(worker()), counted(a_load())))
    case = evidence(variant=variant, facts_before=before, facts_after=after)
    check(Validity.INVALID, "I9: worker count is 1 inside", case)


def test_i9_the_variant_is_asked_for_again_after_the_load() -> None:
    after = replace(counted(a_load()), variant_id="uvicorn-plain.w9")
    reason = (
        "I9: variant after the load is uvicorn-plain.w9 inside the server, uvicorn-plain.w1 in the matrix"
    )
    check(Validity.INVALID, reason, evidence(facts_after=after))


@pytest.mark.parametrize("told", [{"front": None}, {"front": "nginx/1.26.3", "tls": None}])
def test_i9_a_proxy_or_tls_that_should_be_there_and_is_not(told: dict[str, Any]) -> None:
    expected = some_facts(front="nginx/", tls="TLSv1.3", scheme="https")
    before = facts(worker(), **{"front": "nginx/1.26.3", "tls": "TLSv1.3 X", "scheme": "https", **told})
    word, reasons, _ = judge(evidence(facts_before=before, expected_stack=expected))
    assert word is Validity.INVALID
    assert "none inside the server" in reasons[0]


def test_i9_what_the_server_does_not_tell_is_not_held_against_it() -> None:
    before = facts(worker(), keep_alive_s=None, loop="anything")
    assert judge(evidence(facts_before=before, expected_stack=None))[:2] == (Validity.VALID, ())


def test_all_broken_rules_are_told_and_the_worst_word_wins() -> None:
    noisy_and_bound = evidence(readings=steal(0.1, 0.1, 0.1), ceiling_per_s=100.0)
    word, reasons, _ = judge(noisy_and_bound)
    assert word is Validity.NOISY
    assert [reason[:2] for reason in reasons] == ["I4", "I5"]
    word, reasons, _ = judge(replace(noisy_and_bound, state=DeploymentState(running=False)))
    assert word is Validity.INVALID
    assert [reason[:2] for reason in reasons] == ["I4", "I5", "I7"]


def test_every_rule_says_which_it_is() -> None:
    assert [rule.__doc__.split(":")[0] for rule in RULES if rule.__doc__] == [
        *("I1", "I2", "I3", "I4", "I5", "I5", "I5", "I5", "I6", "I7", "I7", "I8", "I9")
    ]


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("INFO:     Child process [13] died", "workers were killed and replaced"),
        ("[ERROR] Worker (pid:13414) was sent SIGKILL! Perhaps out of memory?", "workers were killed"),
        ("[ERROR] Unexpected exit from worker-2", "workers were killed"),
        ("RuntimeError: can't start new thread", "another thread"),
        ("[alert] 7#7: 4096 worker_connections are not enough", "no connection left"),
        ("OSError: [Errno 24] Too many open files", "no file descriptor left"),
        ("OSError: [Errno 28] No space left on device", "/tmp holds 256 MB"),
    ],
)
def test_i7_what_the_servers_log_tells_is_not_lost(line: str, meaning: str) -> None:
    case = evidence(log=f"INFO: starting\n{line}\n{line}\nINFO: serving\n")
    check(Validity.INVALID, meaning, case)
    assert f"(its log, 2 times: {line})" in judge(case).reasons[0]


def test_i7_workers_replaced_on_purpose_may_be_told_of() -> None:
    variant = replace(PLAIN, recipe="gunicorn-uvicorn", max_requests=100)
    assert variant.planned_worker_changes
    log = "INFO: Child process [13] died"
    assert not [reason for reason in judge(evidence(variant=variant, log=log)).reasons if "killed" in reason]


def test_i6_one_wrong_body_counts_wherever_it_was_sent() -> None:
    """In the warm-up or at the beginning of a slice too, of which the record holds no single requests."""
    said = "I6: 1 answers with a wrong body outside of what was measured"
    check(Validity.INVALID, said, evidence(replace(a_load(), wrong_bodies=1)))
    assert judge(evidence(replace(a_load(), wrong_bodies=0))).validity is Validity.VALID
