"""Which probes run, what a resume leaves out, and how observations are put into words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import pytest

from harness.adapters.docker_engine import DockerEngine
from harness.errors import TrialError
from studies.lifecycle import observation_lines
from studies.lifecycle.containers import FaultEquipment
from studies.lifecycle.fault_experiment import PROBES, task_of
from studies.lifecycle.probe import Probe, observation
from studies.observations import Observation

ONE, OTHER = (
    Probe(
        name=name,
        claim=claim,
        targets=("a.w1", "b.w2"),
        quantities=("stop_s", "exit_code"),
        expected_s=30,
        observe=lambda equipment, target: (),
    )
    for name, claim in (("stop", "L1"), ("kill", "L3"))
)
STOP_S = observation("stop", "a.w1", "stop_s", "s", [1.0])
EXIT_CODE = observation("stop", "a.w1", "exit_code", "id", [0])


def test_every_claim_has_a_probe_and_no_two_share_a_name() -> None:
    assert {probe.claim for probe in PROBES} == {f"L{number}" for number in range(1, 12)}
    assert len({probe.name for probe in PROBES}) == len(PROBES)


def test_attempts_that_failed_are_observed_too() -> None:
    tries = iter([TrialError("too busy"), TrialError("too busy"), None, None])

    def scenario() -> float:
        if error := next(tries):
            raise error
        return 1.0

    def observe(equipment: FaultEquipment, target: str) -> Iterator[Observation]:
        yield observation(
            "stop", target, "stop_s", "s", equipment.repeated(scenario, times=2, side_by_side=1)
        )

    equipment = FaultEquipment(cast(DockerEngine, None), repeats=2, cpus=(), say=lambda _: None)
    stop_s, failed = task_of(replace(ONE, observe=observe), "a.w1").observe(equipment)
    assert stop_s.values == (1.0, 1.0)
    assert (failed.quantity, failed.values, failed.note) == ("failed_attempts", (2.0,), "2 x too busy")
    again = equipment.repeats_made.failed_attempts("stop", "a.w1")
    assert again.values == (0.0,)


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (
            observation("p", "s", "lost_new", "count", [2, 0, 0, 0], of=20),
            "2 of 20, in 1 of 4 repeats (1% to 81%)",
        ),
        (observation("p", "s", "lost_new", "count", [None, None], of=0), "not exercised in 2 repeats"),
        (observation("p", "s", "stop_s", "s", [1.0, 3.0, 2.0]), "2 s (1 to 3, n 3)"),
        (observation("p", "s", "back_s", "s", [None, 2.0]), "never in 1 of 2; 2 s (2 to 2, n 1)"),
        (observation("p", "s", "back_s", "s", [None]), "never in 1 of 1"),
        (observation("p", "s", "exit_code", "id", [0, 0, 137]), "0, 0, 137"),
        (observation("p", "s", "served", "yes", [1.0] * 20), "20 of 20 (83% to 100%)"),
        (observation("p", "s", "pss_bytes", "bytes", [2**20]), "1 MiB (1 to 1, n 1)"),
    ],
)
def test_observations_in_words(seen: Observation, words: str) -> None:
    assert observation_lines.figures(seen) == words


def test_a_note_for_all_targets_stands_once() -> None:
    both = [
        observation("stop", target, "stop_s", "s", [1.0], note="grace 10 s") for target in ("a.w1", "b.w2")
    ]
    apart = observation("stop", "a.w1", "exit_code", "id", [0], note="of the first process")
    other = observation("stop", "b.w2", "exit_code", "id", [1], note="of its supervisor")
    lines = observation_lines.table([*both, apart, other]).splitlines()
    assert lines[-1] == "  stop_s: grace 10 s"
    assert [line.endswith(")") for line in lines[1:-1]] == [True, True, True, True]
    assert "(of its supervisor)" in lines[-2]
    assert "grace" not in lines[1]


def test_where_something_was_observed_again_the_later_one_is_shown() -> None:
    table = observation_lines.table([STOP_S, EXIT_CODE, replace(STOP_S, values=(9.0,))])
    assert "9 s" in table
    assert "1 s" not in table
