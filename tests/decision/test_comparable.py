"""What forbids the comparison of two stored runs."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from harness.decision.comparable import MUST_AGREE, differences
from harness.records import matrix_to_json
from tests.samples import a_matrix

MANIFEST: dict[str, Any] = {
    "harness": "0.1.0",
    "engine": "docker",
    "engine_facts": {"engine_version": "20.10"},
    "host": {"host": "vm", "kernel": "6", "cpu_model": "EPYC", "cpus_host": 2, "cpus_affinity": 2},
    "matrix": matrix_to_json(a_matrix()),
}


def test_equal_runs_may_be_compared() -> None:
    assert differences(MANIFEST, deepcopy(MANIFEST)) == ()


@pytest.mark.parametrize("key", MUST_AGREE)
def test_another_machine_engine_or_version_is_named(key: str) -> None:
    other = deepcopy(MANIFEST)
    group, _, entry = key.partition(".")
    if entry:
        other[group][entry] = "other"
    else:
        other[group] = "other"
    (line,) = differences(MANIFEST, other)
    assert line.startswith(f"{key}: ")
    assert line.endswith("and 'other'")


def test_another_load_is_another_workload() -> None:
    other = deepcopy(MANIFEST)
    other["matrix"]["scenarios"][0]["load"]["clients"] = 99
    other["matrix"]["generator_cpus"] = [0, 2]
    assert differences(MANIFEST, other) == (
        "matrix.generator_cpus: [0] and [0, 2]",
        "scenario items: load differ",
    )


def test_runs_without_a_scenario_in_common_have_no_common_workload() -> None:
    other = deepcopy(MANIFEST)
    other["matrix"]["scenarios"][0]["name"] = "other"
    assert differences(MANIFEST, other) == ("scenarios: none is in both runs",)
