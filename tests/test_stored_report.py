"""A report's figures come from the raw requests in the run directory, exactly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.adapters.result_store import RunStore
from harness.measurement.metrics import trial_metrics
from harness.model import Validity
from harness.stored_report import report_data
from tests.samples import ITEMS, PLAIN, STANDARD, a_load, a_matrix, a_record, some_readings

BLOCKS, REQUESTS = 3, 4000


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore.create(tmp_path, "run", {"engine": "docker"}, a_matrix(blocks=BLOCKS))


def test_shown_quantiles_are_those_of_the_pooled_raw_latencies(store: RunStore) -> None:
    """The third trial of the second variant is INVALID, and its requests stay out."""
    rng = np.random.default_rng(1)
    raw: dict[str, list[np.ndarray]] = {PLAIN.id: [], STANDARD.id: []}
    for block in range(BLOCKS):
        for variant in (PLAIN, STANDARD):
            load = a_load(REQUESTS)
            load = replace(load, finished_s=load.intended_s + rng.lognormal(-6, 0.5, REQUESTS))
            validity = Validity.INVALID if (variant, block) == (STANDARD, 2) else Validity.VALID
            metrics = trial_metrics(load, some_readings(), scenario=ITEMS, before=None, after=None)
            latencies_s = load.finished_s - load.intended_s
            for name, q in (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)):
                assert getattr(metrics, f"latency_{name}_s") == np.quantile(latencies_s, q)
            record = a_record(variant, ITEMS, block, validity, metrics=metrics)
            store.save_trial(record.trial_id, load, some_readings(), log="")
            store.append(record)
            if validity is Validity.VALID:
                raw[variant.id].append(latencies_s)
    tails = report_data(store).tails
    assert set(tails) == {f"{PLAIN.id}.items", f"{STANDARD.id}.items"}
    for variant_id, parts in raw.items():
        tail = tails[f"{variant_id}.items"]
        shares = 1 - 10.0**-tail.positions - 1e-12
        pooled = np.quantile(np.concatenate(parts), shares, method="inverted_cdf")
        assert np.array_equal(tail.latencies_ms, pooled * 1e3)


def test_a_cell_whose_raw_requests_are_gone_has_no_tail(store: RunStore) -> None:
    store.append(a_record(PLAIN, ITEMS, 0))
    data = report_data(store)
    assert len(data.tails[f"{PLAIN.id}.items"].positions) == 0
    assert data.series == {}
