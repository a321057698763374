from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from harness.deployment import DeploymentSpec, ServerFacts, WorkerFacts
from harness.errors import (
    CannotServe,
    DeploymentDied,
    EngineUnavailable,
    GeneratorFailed,
    HarnessError,
    NotReady,
    TrialError,
    VariantError,
    WrongResponse,
)
from harness.execution.equipment import Equipment, TrialOutcome, deployment_spec
from harness.execution.trial import run_trial
from harness.measurement.load import LoadRecord
from harness.model import Cell, Scenario, Trial, Validity
from tests.fakes import FakeClock, FakeDeployment, FakeEngine, Faults
from tests.samples import ITEMS, PLAIN, a_load, some_facts

TRIAL = Trial(cell=Cell(variant=PLAIN, scenario=ITEMS), block=1)
MEASURED = ["ready", "verify", "probe", "drive", "probe", "verify"]


class StoryGenerator:
    """A `Generator` that tells its story; `faults` strike at its steps."""

    def __init__(self, deployment: FakeDeployment, clock: FakeClock, faults: Faults, *, oom: str) -> None:
        self._deployment, self._clock, self._faults, self._oom = deployment, clock, faults, oom
        self.story: list[str] = []
        self._load: LoadRecord | None = None

    def wait_ready(
        self, *, workers: int, timeout_s: float, scenario: Scenario, ready: str | None, inside: bool
    ) -> ServerFacts | None:
        self.asked = (ready, inside)
        self._step("ready")
        return self._facts() if inside else None

    def probe(self) -> ServerFacts:
        self._step("probe")
        return self._facts()

    def verify(self, scenario: Scenario) -> None:
        self._step("verify")

    def drive(self, scenario: Scenario, *, seed: int, progress: object) -> LoadRecord:
        self._step("drive")
        self._load = a_load(start_s=self._clock.monotonic(), measure_s=scenario.measure_s)
        self._clock.sleep(scenario.measure_s + 0.5)
        return self._load

    def _facts(self) -> ServerFacts:
        load = self._load
        counts: Mapping[str, Any] = {"requests": 0, "id_sum": 0, "id_xor": 0}
        if load:
            counts = {"requests": load.ok, "id_sum": load.id_sum, "id_xor": load.id_xor}
        return some_facts(workers=(WorkerFacts(pid=7, in_flight=0, **counts),))

    def _step(self, step: str) -> None:
        self.story.append(step)
        if step == self._oom:
            self._deployment.oom_kills += 1
            if step == "drive":
                self._deployment.die(137, oom_killed=True)
        try:
            self._faults.strike(step)
        except DeploymentDied:
            self._deployment.die(1)
            raise


class Attached:
    """A `LoadGenerator` of StoryGenerators."""

    def __init__(self, clock: FakeClock, faults: Faults, *, oom: str = "", says: str = "") -> None:
        self._clock, self._faults, self._oom, self._says = clock, faults, oom, says
        self.generators: list[StoryGenerator] = []

    @contextmanager
    def attached(self, deployment: FakeDeployment) -> Iterator[StoryGenerator]:
        if self._says:
            deployment.say(self._says)
        self.generators.append(StoryGenerator(deployment, self._clock, self._faults, oom=self._oom))
        yield self.generators[-1]


def measure(
    *,
    engine_faults: Faults | None = None,
    oom: str = "",
    trial: Trial = TRIAL,
    says: str = "",
    **steps: BaseException | Sequence[Any],
) -> tuple[TrialOutcome, FakeEngine, list[str]]:
    clock = FakeClock()
    engine = FakeEngine(clock=clock, faults=engine_faults)
    attached = Attached(clock, Faults(**steps), oom=oom, says=says)
    equipment = Equipment(
        engine=engine,
        generators=attached,
        clock=clock,
        images={"uvicorn-plain": "image-1"},
        server_cpus=(1,),
        ready_timeout_s=10,
        seed=1,
    )
    outcome = run_trial(trial, equipment, progress=lambda _: None)
    return outcome, engine, attached.generators[0].story if attached.generators else []


def test_a_trial_goes_through_the_protocols_steps_in_order() -> None:
    outcome, engine, story = measure()
    assert story == MEASURED
    assert engine.story == [f"start {TRIAL.id}", f"stop {TRIAL.id}"]
    assert outcome.record.validity is Validity.VALID, outcome.record.reasons
    assert outcome.record.metrics is not None
    assert outcome.record.metrics.throughput_per_s == pytest.approx(100, rel=0.01)
    assert list(outcome.record.phases_s) == ["start", "ready", "verify", "load", "stop"]
    assert outcome.load is not None
    assert outcome.log


@pytest.mark.parametrize(
    ("step", "error", "reaches"),
    [
        ("ready", NotReady(TRIAL.id, 10, "connection refused"), 1),
        ("verify", WrongResponse("GET /items/1 gave 404"), 2),
        ("drive", GeneratorFailed("the load agent hung"), 4),
    ],
)
def test_a_failure_at_any_step_is_an_outcome_and_the_server_is_gone(
    step: str, error: TrialError, reaches: int
) -> None:
    outcome, engine, story = measure(**{step: error})
    assert outcome.record.validity is Validity.INVALID
    assert outcome.record.metrics is None
    assert str(error).removeprefix(f"{TRIAL.id}: ") in outcome.record.reasons
    assert outcome.record.before_load is (step != "drive")
    assert story == MEASURED[:reaches]
    assert engine.standing == []


@pytest.mark.promise(16)
def test_a_wrong_answer_after_the_load_discards_its_figures() -> None:
    outcome, *_ = measure(verify=[None, WrongResponse("GET /items/1 gave 500")])
    assert outcome.record.validity is Validity.INVALID
    assert outcome.record.metrics is None
    assert outcome.load is not None


@pytest.mark.parametrize(
    ("error", "found"), [(CannotServe("only 500"), True), (NotReady(TRIAL.id, 30, "503"), False)]
)
def test_a_server_that_breaks_on_every_request_is_marked(error: HarnessError, found: bool) -> None:
    record = measure(ready=error)[0].record
    assert (record.validity, record.metrics, record.cannot_serve) == (Validity.INVALID, None, found)


def test_a_worker_killed_for_memory_as_it_starts_is_named_though_the_server_lives_on() -> None:
    """As under gunicorn, whose first process starts one after the other for ever."""
    outcome, *_ = measure(oom="ready", ready=NotReady(TRIAL.id, 30, "refused"))
    assert outcome.record.oom_killed
    assert outcome.record.reasons[0].startswith("I7: infeasible, the kernel killed it for memory")
    assert "ready_timeout_s" not in " ".join(outcome.record.reasons)


def test_an_oom_kill_is_named_as_the_cause() -> None:
    outcome, *_ = measure(oom="drive", drive=GeneratorFailed("connection refused"))
    assert outcome.record.reasons[0].startswith("I7: infeasible, the kernel killed it for memory")


@pytest.mark.parametrize(("step", "when"), [("ready", "before it was ready"), ("drive", "during the trial")])
def test_a_server_that_ended_is_said_once(step: str, when: str) -> None:
    outcome, *_ = measure(**{step: DeploymentDied(f"{TRIAL.id}: the server ended")})
    first, log = outcome.record.reasons
    assert first == f"I7: the server exited with code 1 {when}"
    assert "log" in log


@pytest.mark.parametrize("kind", [TrialError, VariantError])
def test_a_server_that_does_not_start_is_an_outcome(kind: type[HarnessError]) -> None:
    outcome, _, story = measure(engine_faults=Faults(start=kind("no such program")))
    assert outcome.record.reasons == ("no such program",)
    assert outcome.record.validity is Validity.INVALID
    assert outcome.record.before_load
    assert story == []


@pytest.mark.parametrize("error", [EngineUnavailable("away"), KeyboardInterrupt()])
def test_what_is_not_the_variants_fault_is_raised_and_still_cleaned_up(error: BaseException) -> None:
    clock = FakeClock()
    engine = FakeEngine(clock=clock)
    equipment = Equipment(
        engine=engine,
        generators=Attached(clock, Faults(drive=error)),
        clock=clock,
        images={"uvicorn-plain": "image-1"},
        server_cpus=(1,),
        ready_timeout_s=30,
        seed=1,
    )
    with pytest.raises(type(error)):
        run_trial(TRIAL, equipment, progress=lambda _: None)
    assert engine.standing == []


def test_the_deployment_is_what_the_variant_says() -> None:
    clock = FakeClock()
    equipment = Equipment(
        engine=FakeEngine(clock=clock),
        generators=Attached(clock, Faults()),
        clock=clock,
        images={"uvicorn-plain": "image-1"},
        server_cpus=(1,),
        ready_timeout_s=30,
        seed=1,
    )
    spec: DeploymentSpec = deployment_spec(TRIAL, equipment)
    assert spec.image == "image-1"
    assert spec.cpus == (1,)
    assert spec.argv[0] == "uvicorn"
    assert spec.env["HARNESS_VARIANT_ID"] == PLAIN.id
