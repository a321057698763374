"""An experiment stores each task as it is done, and measures again only what it lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.errors import TrialError
from harness.set_up import Machine
from studies.experiment import Experiment, ObservationTask, Observed
from studies.experiment import measure as measured
from studies.observations import Observation

TASK_S = 30.0
HERE = Machine(lock=lambda *_, **__: nullcontext())


def measure(experiment: Experiment[None], **options: Any) -> Observed:
    return measured(experiment, **options, machine=HERE)


def seen(target: str, quantity: str) -> Observation:
    return Observation(
        experiment="some", probe="stop", target=target, quantity=quantity, unit="s", values=(1.0,)
    )


def one(_: None) -> Iterator[Observation]:
    yield seen("target-0", "stop_s")
    yield seen("target-0", "exit_code")


def other(_: None) -> Iterator[Observation]:
    yield seen("target-1", "stop_s")
    yield seen("target-1", "exit_code")


def broken(_: None) -> Iterator[Observation]:
    yield seen("target-1", "stop_s")
    raise TrialError("too busy")


def experiment(*observed: Callable[[None], Iterator[Observation]]) -> Experiment[None]:
    tasks = tuple(
        ObservationTask(
            probe="stop",
            claim="L1",
            title=f"target-{number}",
            quantities=frozenset({(f"target-{number}", "stop_s"), (f"target-{number}", "exit_code")}),
            expected_s=TASK_S,
            observe=observe,
        )
        for number, observe in enumerate(observed)
    )
    return Experiment(
        name="some",
        tasks=tasks,
        equipment=lambda run_id, say: nullcontext(),
        facts=lambda equipment, into: {"a": 1},
    )


def test_what_is_stored_is_not_measured_again(tmp_path: Path) -> None:
    said, shown = list[str](), list[Observation]()
    done = measure(experiment(one, other), into=tmp_path / "e", say=said.append, show=shown.append)
    assert list(done.store.observations()) == shown == [*one(None), *other(None)]
    assert done.store.manifest()["a"] == 1
    said.clear()
    again = measure(experiment(broken, broken), into=tmp_path / "e", say=said.append)
    assert said == ["nothing is left to measure"]
    assert again.store.observations() == done.store.observations()


def test_a_task_that_fails_leaves_nothing_and_the_others_go_on(tmp_path: Path) -> None:
    done = measure(experiment(one, broken), into=tmp_path / "e", say=lambda _: None)
    assert {o.target for o in done.store.observations()} == {"target-0"}
    assert done.walked.failed == ("L1 stop target-1: too busy",)
    again = measure(experiment(one, other), into=tmp_path / "e", say=lambda _: None)
    assert {o.target for o in again.store.observations()} == {"target-0", "target-1"}


def test_a_task_of_which_anything_is_missing_is_measured_again() -> None:
    both = experiment(one, other)
    known = [*one(None), *other(None)]
    assert both.remaining(known) == []
    assert both.remaining(known[:-1]) == [both.tasks[1]]
    assert both.remaining([]) == list(both.tasks)
    assert both.remaining([replace(o, experiment="another") for o in known]) == list(both.tasks)


def test_only_what_was_asked_for_is_measured(tmp_path: Path) -> None:
    first, second = experiment(one, other).tasks
    pair = replace(experiment(), tasks=(first, replace(second, probe="kill", claim="L3")))
    done = measure(pair, into=tmp_path / "e", only=["L1"], say=lambda _: None)
    assert {o.target for o in done.store.observations()} == {"target-0"}


def test_an_interrupt_keeps_what_was_stored(tmp_path: Path) -> None:
    def interrupted(_: None) -> Iterator[Observation]:
        raise KeyboardInterrupt

    done = measure(experiment(one, interrupted), into=tmp_path / "e", say=lambda _: None)
    assert done.walked.interrupted
    assert len(done.store.observations()) == 2


@pytest.mark.parametrize("name", ["images", "lifecycle"])
def test_no_two_tasks_of_a_real_experiment_observe_the_same(name: str) -> None:
    from studies.images.image_experiment import IMAGES
    from studies.lifecycle.fault_experiment import lifecycle

    known: dict[str, Experiment[object]] = {"images": IMAGES, "lifecycle": lifecycle(repeats=1)}  # type: ignore[dict-item]
    keys = [(task.probe, key) for task in known[name].tasks for key in task.quantities]
    assert len(set(keys)) == len(keys)
