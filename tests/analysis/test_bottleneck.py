"""One name for what limits a cell: known truths first, then the order of the rules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.analysis.analyse import analyse
from harness.analysis.bottleneck import RULES, limit_of
from harness.findings import Bottleneck, Limit
from harness.model import OpenLoad, Scenario, TrialRecord, Validity, Variant
from harness.signals import TrialSignals, WorkerUse
from tests.samples import ITEMS, PLAIN, a_matrix, a_record, some_metrics

OPEN = replace(ITEMS, name="open", load=OpenLoad(rate_per_s=100.0))
TWO, FOUR, EIGHT = (replace(PLAIN, workers=count) for count in (2, 4, 8))
QUOTA = replace(PLAIN, cpu_quota=0.5)
SMALL = replace(PLAIN, memory_mib=64)


def use(share: float = 1.0, cores: float = 0.3, **changes: Any) -> WorkerUse:
    """A worker with a calm event loop and an idle thread pool."""
    values: dict[str, Any] = {
        "lag_mean_s": 0.001,
        "lag_worst_s": 0.004,
        "stalled_share": 0.0,
        "threads_busy": 0.0,
        "threads_waiting": 0.0,
        "thread_limit": 40,
    }
    return WorkerUse(request_share=share, cpu_cores=cores, **{**values, **changes})


LATE = {"lag_mean_s": 0.04, "lag_worst_s": 0.08}
FULL = {"threads_busy": 39.5, "threads_waiting": 35.0}
IDLE = {"lag_mean_s": None, "lag_worst_s": None, "stalled_share": None, "threads_busy": None}


def trial(*workers: WorkerUse, inside: float = 1.0, under_way: float = 4.0, **metrics: Any) -> TrialRecord:
    cores = sum(worker.cpu_cores for worker in workers)
    signals = TrialSignals(workers=workers, in_flight_server=inside, in_flight_client=under_way)
    return a_record(metrics=some_metrics(**{"cpu_cores": cores, **metrics}), signals=signals)


def limit(
    *records: TrialRecord,
    variant: Variant = PLAIN,
    scenario: Scenario = ITEMS,
    word: Validity = Validity.VALID,
    server_cpus: int = 1,
    shared_cpus: int = 0,
) -> Limit:
    return limit_of(records, variant, scenario, word=word, server_cpus=server_cpus, shared_cpus=shared_cpus)


@pytest.mark.parametrize(
    ("record", "where", "name"),
    [
        (trial(use(cores=0.99)), {}, Bottleneck.SERVER_CPU),
        (trial(*[use(0.25, 0.248)] * 4), {"variant": FOUR}, Bottleneck.SERVER_CPU),
        (trial(use(cores=0.99, **LATE)), {}, Bottleneck.SERVER_CPU),
        (trial(use(cores=0.95, **FULL)), {}, Bottleneck.SERVER_CPU),
        (trial(use(cores=0.5, **LATE)), {"scenario": OPEN}, Bottleneck.EVENT_LOOP),
        (trial(use(cores=0.1, stalled_share=0.17)), {"scenario": OPEN}, Bottleneck.EVENT_LOOP),
        (trial(use(cores=0.5)), {"scenario": OPEN}, Bottleneck.NONE),
        (trial(use(cores=0.3, **FULL), inside=75, under_way=80), {}, Bottleneck.THREAD_POOL),
        (trial(use(cores=0.3, threads_busy=39.5), inside=39, under_way=40), {}, Bottleneck.DOWNSTREAM),
        (trial(use(cores=0.3), inside=3.8), {}, Bottleneck.DOWNSTREAM),
        (trial(use(cores=0.3), inside=3.8), {"scenario": OPEN}, Bottleneck.NONE),
        (trial(use(cores=0.6), inside=0.7, under_way=1.0), {}, Bottleneck.NONE),
        (trial(use(cores=0.3), inside=0.8), {}, Bottleneck.NONE),
        (trial(use(cores=0.5), throttled_share=0.4), {"variant": QUOTA}, Bottleneck.CPU_QUOTA),
        # A request in five seconds that takes 30 ms of CPU: two periods of the fifty run out, and the loop
        # stands still for as long as they do.
        (
            trial(
                use(cores=0.01, stalled_share=0.05),
                throttled_periods_share=0.04,
                throttled_share=0.04,
            ),
            {"variant": QUOTA, "scenario": OPEN},
            Bottleneck.CPU_QUOTA,
        ),
        (
            trial(
                use(cores=0.01, stalled_share=0.05),
                throttled_periods_share=0.01,
                throttled_share=0.01,
            ),
            {"variant": QUOTA, "scenario": OPEN},
            Bottleneck.EVENT_LOOP,
        ),
        (trial(use(cores=0.5), throttled_share=0.01), {"variant": QUOTA}, Bottleneck.SERVER_CPU),
        # A lone request of two periods, in a window that hardly knows it.
        (
            trial(use(cores=0.01), throttled_share=0.035, throttled_periods_share=0.67),
            {"variant": QUOTA},
            Bottleneck.CPU_QUOTA,
        ),
        (
            trial(use(cores=0.5), throttled_share=3.2, throttled_periods_share=0.01),
            {"variant": QUOTA},
            Bottleneck.SERVER_CPU,
        ),
        (trial(use(), working_set_peak_bytes=63 * 2**20), {"variant": SMALL}, Bottleneck.MEMORY),
        (trial(use(), working_set_peak_bytes=50 * 2**20), {"variant": SMALL}, Bottleneck.NONE),
    ],
    ids=[
        "all of the core",
        "four workers share one core",
        "a late loop on a busy core is a queue for the core",
        "so is a full pool",
        "async def that computes, at half of what it could serve",
        "one long stall",
        "half busy at an offered rate",
        "eighty clients, forty threads",
        "forty clients, forty threads: none waits for one",
        "awaited waits in a closed loop",
        "awaited waits at an offered rate",
        "one client: nobody waits",
        "requests wait before the app, which is neither busy nor late",
        "throttled by its quota",
        "a loop that stood still because it was throttled",
        "a loop that stood still while it was hardly throttled",
        "a quota that is hardly felt",
        "a quota that delays the only request",
        "a quota that is hardly felt on many cores",
        "memory nearly full",
        "memory to spare",
    ],
)
def test_a_cell_is_limited_by(record: TrialRecord, where: dict[str, Any], name: Bottleneck) -> None:
    assert limit(record, **where).bottleneck is name


@pytest.mark.parametrize(
    ("workers", "name"),
    [
        ((use(1.0, 1.0), use(0.0, 0.0, **IDLE)), Bottleneck.ACCEPT_SKEW),
        ((use(0.8, 0.2, **LATE), use(0.2, 0.05)), Bottleneck.ACCEPT_SKEW),
        ((use(0.8, 0.2, **FULL), use(0.2, 0.05)), Bottleneck.ACCEPT_SKEW),
        ((use(0.8, 0.2), use(0.2, 0.05)), Bottleneck.NONE),
        ((use(0.8, 0.2, **LATE), use(0.2, 0.05, **LATE)), Bottleneck.EVENT_LOOP),
        ((use(0.55, 0.2, **FULL), use(0.45, 0.2)), Bottleneck.THREAD_POOL),
        ((use(0.8, 1.0), use(0.2, 0.9)), Bottleneck.SERVER_CPU),
    ],
    ids=[
        "all on one core of two",
        "one loop blocked",
        "one pool full",
        "uneven, but nobody is at a limit",
        "uneven, but all are blocked",
        "even enough",
        "uneven, but all cores are used up",
    ],
)
def test_skew_is_a_worker_at_its_limit_beside_others_with_room(
    workers: tuple[WorkerUse, ...], name: Bottleneck
) -> None:
    assert limit(trial(*workers), variant=TWO, server_cpus=2).bottleneck is name


@pytest.mark.parametrize(
    ("cores", "generator", "where", "name"),
    [
        (1.30, 0.52, {"shared_cpus": 1}, Bottleneck.SHARED_CORES),
        (1.30, 0.52, {"shared_cpus": 0}, Bottleneck.DOWNSTREAM),
        (0.40, 0.20, {"shared_cpus": 1}, Bottleneck.DOWNSTREAM),
        (1.70, 0.20, {"shared_cpus": 1}, Bottleneck.SERVER_CPU),
        (0.70, 0.50, {"shared_cpus": 1, "variant": PLAIN}, Bottleneck.DOWNSTREAM),
        (0.60, 0.35, {"shared_cpus": 1, "server_cpus": 1}, Bottleneck.SHARED_CORES),
        (5.00, 0.90, {"shared_cpus": 2, "server_cpus": 8, "variant": EIGHT}, Bottleneck.SHARED_CORES),
    ],
    ids=[
        "the generator takes the rest of two cores",
        "the generator has a core of its own",
        "shared, but both idle",
        "the server alone uses up the cores",
        "one worker has a core's worth left, whatever the generator takes",
        "both on one core",
        "two generators on eight cores",
    ],
)
def test_of_shared_cores_the_server_can_use_what_the_generator_leaves(
    cores: float, generator: float, where: dict[str, Any], name: Bottleneck
) -> None:
    record = trial(use(cores=0.5), inside=39, under_way=40, cpu_cores=cores, generator_cpu_share=generator)
    assert limit(record, **{"variant": TWO, "server_cpus": 2, **where}).bottleneck is name


def test_shared_cores_tell_what_each_side_used() -> None:
    record = trial(use(0.5, 0.65), use(0.5, 0.65), generator_cpu_share=0.52)
    shared = limit(record, variant=TWO, server_cpus=2, shared_cpus=1)
    assert shared.signals["CPU"] == "1.30 of 2 cores, the generator 0.52"
    assert limit(record, variant=TWO, server_cpus=2).signals["CPU"] == "1.30 of 2 cores"


def test_behind_a_generator_at_its_limit_nothing_is_said_of_the_server() -> None:
    record = replace(trial(use(cores=0.99)), validity=Validity.GENERATOR_BOUND)
    found = limit(record, word=Validity.GENERATOR_BOUND)
    assert found.bottleneck is Bottleneck.GENERATOR
    assert found.signals["generator"] == "40 % of its core"


@pytest.mark.parametrize("word", [Validity.NOISY, Validity.INVALID])
def test_disturbed_trials_name_nothing(word: Validity) -> None:
    record = replace(trial(use(cores=0.99)), validity=word)
    assert limit(record, word=word) == Limit(bottleneck=Bottleneck.UNKNOWN, signals={})


def test_a_variant_that_was_killed_for_memory_is_limited_by_it() -> None:
    record = a_record(validity=Validity.INVALID, metrics=None, oom_killed=True)
    assert limit(record, word=Validity.INVALID).bottleneck is Bottleneck.MEMORY


@pytest.mark.parametrize(("cores", "name"), [(0.99, Bottleneck.SERVER_CPU), (0.3, Bottleneck.UNKNOWN)])
def test_old_records_tell_what_they_can(cores: float, name: Bottleneck) -> None:
    assert limit(a_record(metrics=some_metrics(cpu_cores=cores))).bottleneck is name


def test_medians_decide_and_not_the_odd_trial() -> None:
    calm, odd = trial(use(cores=0.3), inside=3.8), trial(use(cores=0.99, **LATE))
    found = limit(calm, odd, calm)
    assert found.bottleneck is Bottleneck.DOWNSTREAM
    assert found.signals["CPU"] == "0.30 of 1 core"


def test_the_signals_are_told_in_words() -> None:
    record = trial(
        use(0.75, 0.3, lag_mean_s=0.0031, lag_worst_s=0.012, **FULL),
        use(0.25, 0.1),
        inside=3.0,
        under_way=4.0,
    )
    assert limit(record, variant=TWO, server_cpus=2).signals == {
        "CPU": "0.40 of 2 cores",
        "throttled": "0 % of its periods",
        "generator": "40 % of its core",
        "memory": "60 MiB",
        "inside the app": "75 % of the latency",
        "busiest worker": "75 % of the requests (even: 50 %), 0.30 cores",
        "event loop": "3.1 ms late, 12 ms at most",
        "threads": "39.5 of 40 busy, 35.0 calls waiting",
    }


def test_a_blocked_loop_is_told_with_its_share_of_the_time() -> None:
    found = limit(trial(use(lag_mean_s=0.01, lag_worst_s=1.0, stalled_share=0.17)))
    assert found.signals["event loop"] == "10.0 ms late, 1000 ms at most, blocked 17 % of the time"


def test_every_name_has_one_rule_and_the_last_one_always_holds() -> None:
    assert sorted(rule.limit for rule in RULES) == sorted(Bottleneck)
    assert RULES[-1].limit is Bottleneck.UNKNOWN


def test_an_analysis_names_the_limit_of_every_cell() -> None:
    matrix = a_matrix()
    found = analyse([trial(use(cores=0.99))], matrix)
    names = {cell.variant_id: cell.limited_by for cell in found.findings[0].cells}
    assert all(names.values())
    assert names[PLAIN.id] == limit(trial(use(cores=0.99)))


@pytest.mark.parametrize(
    ("p50_ms", "inside", "name"),
    [
        (43.8, 0.2, Bottleneck.DELAYED_ACK),
        (40.1, 0.2, Bottleneck.DELAYED_ACK),
        # An app that itself takes as long, and an answer that is faster or slower than the timer.
        (43.8, 3.6, Bottleneck.DOWNSTREAM),
        (12.0, 0.2, Bottleneck.NONE),
        (60.0, 0.2, Bottleneck.NONE),
        # 16 ms inside the app, and 44 outside.
        (60.0, 1.06, Bottleneck.DELAYED_ACK),
    ],
)
def test_answers_that_the_kernel_holds_back_for_a_delayed_ack_are_named(
    p50_ms: float, inside: float, name: Bottleneck
) -> None:
    record = trial(use(cores=0.16), inside=inside, under_way=4.0, latency_p50_s=p50_ms / 1000)
    assert limit(record).bottleneck is name


def test_a_server_at_its_cpu_limit_is_not_waiting_for_acks() -> None:
    record = trial(use(cores=0.99), inside=0.2, under_way=4.0, latency_p50_s=0.0438)
    assert limit(record).bottleneck is Bottleneck.SERVER_CPU
