"""A load in parts, and the parts as one again."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import GeneratorFailed
from harness.measurement.load_shares import (
    ARRAYS,
    merge,
    share,
    stagger_s,
    total_progress,
)
from harness.model import ClosedLoad, OpenLoad
from wire.messages import DriveProgress, DriveResult


def encoded(**arrays: list[float]) -> str:
    file = io.BytesIO()
    np.savez(file, **{name: np.array(values) for name, values in arrays.items()})
    return base64.b64encode(file.getvalue()).decode()


def result(*intended_s: float, shares: tuple[float, ...] = (0.5,), **totals: int) -> DriveResult:
    times = {name: list(intended_s) for name in ARRAYS}
    ends = ("scheduled", "ok", "failed", "timed_out", "dropped", "undrained", "wrong_bodies")
    zeros = dict.fromkeys((*ends, "id_sum", "id_xor"), 0)
    return DriveResult(
        window_start_s=10.0,
        window_end_s=12.0,
        arrays_npz_b64=encoded(
            **times,
            generator_cpu_share=list(shares),
            span_start_s=[10.0],
            span_end_s=[12.0],
            span_answered=[float(len(intended_s))],
        ),
        **{**zeros, **totals},
    )


@given(clients=st.integers(1, 900), agents=st.integers(1, 64))
def test_clients_are_shared_as_evenly_as_can_be(clients: int, agents: int) -> None:
    parts = [
        part.clients for part in share(ClosedLoad(clients=clients), agents) if isinstance(part, ClosedLoad)
    ]
    assert sum(parts) == clients
    assert max(parts) - min(parts) <= 1
    assert len(parts) == min(clients, agents)
    assert min(parts) >= 1


def test_a_rate_is_shared_and_keeps_its_arrivals() -> None:
    load = OpenLoad(rate_per_s=90.0, arrivals="constant")
    assert share(load, 3) == (replace(load, rate_per_s=30.0),) * 3


def test_staggered_constant_streams_make_one_constant_stream() -> None:
    load = OpenLoad(rate_per_s=100.0, arrivals="constant")
    each = np.arange(50) / share(load, 4)[0].rate_per_s  # type: ignore[union-attr]
    whole = np.sort(np.concatenate([each + stagger_s(load, index) for index in range(4)]))
    assert np.diff(whole) == pytest.approx(0.01)


@pytest.mark.parametrize("load", [OpenLoad(rate_per_s=100.0), ClosedLoad(clients=8)])
def test_other_loads_start_together(load: OpenLoad | ClosedLoad) -> None:
    assert [stagger_s(load, index) for index in range(3)] == [0.0] * 3


def test_progress_adds_up() -> None:
    latest = [DriveProgress(elapsed_s=s, requests=n, per_s=n / s) for s, n in ((1.0, 100), (2.0, 50))]
    assert total_progress(latest) == {"elapsed_s": 2.0, "requests": 150, "per_s": 125.0}


def test_records_are_merged_in_the_order_of_intended_times() -> None:
    merged = merge([result(10.0, 10.4), result(10.1, 10.3)])
    for name in ARRAYS:
        assert getattr(merged, name).tolist() == [10.0, 10.1, 10.3, 10.4]
    assert (merged.window_start_s, merged.window_end_s) == (10.0, 12.0)


def test_totals_add_up_and_ids_wrap() -> None:
    top = 2**64 - 1
    merged = merge(
        [result(scheduled=5, ok=4, failed=1, id_sum=top, id_xor=6), result(scheduled=2, id_sum=3, id_xor=3)]
    )
    assert (merged.scheduled, merged.ok, merged.failed) == (7, 4, 1)
    assert (merged.id_sum, merged.id_xor) == (2, 5)


def test_totals_go_on_from_an_earlier_load() -> None:
    first = merge([result(10.0, scheduled=5, ok=5, id_sum=15, id_xor=1)])
    second = merge([result(20.0, scheduled=2, dropped=2, id_sum=6, id_xor=7)], earlier=first)
    assert (second.scheduled, second.ok, second.dropped) == (7, 5, 2)
    assert (second.id_sum, second.id_xor) == (21, 6)
    assert second.intended_s.tolist() == [20.0]


def test_every_generator_keeps_its_own_cpu_shares() -> None:
    merged = merge([result(shares=(0.5, 0.6)), result(shares=(0.7, 0.8, 0.9))])
    assert merged.generator_cpu_share.tolist() == [[0.5, 0.6], [0.7, 0.8]]


def test_generators_on_one_core_add_up() -> None:
    merged = merge([result(shares=(0.2,)), result(shares=(0.3,)), result(shares=(0.4,))], cpus=(0, 0, 1))
    assert merged.generator_cpu_share.tolist() == [[0.5], [0.4]]


@pytest.mark.parametrize(
    "arrays",
    ["%%%", "", "AAAA", encoded(intended_s=[1.0], generator_cpu_share=[0.5])],
    ids=["no base64", "nothing", "no npz", "an array missing"],
)
def test_arrays_that_cannot_be_read_are_the_generators_failure(arrays: str) -> None:
    with pytest.raises(GeneratorFailed, match="arrays cannot be read"):
        merge([replace(result(), arrays_npz_b64=arrays)])
