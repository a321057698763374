"""The matrix file, as strict models: what may stand in it, checked without looking at any machine."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from harness.model import CapacityLoad, ClosedLoad, OpenLoad, common_rate_name
from harness.planning.schema_base import RelativePath, Slug, Table
from harness.planning.schema_factors import Factors, Pattern, Point
from harness.planning.schema_requests import StepTable, WeightedRequest
from harness.planning.schema_target import TargetTable

STEM = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")
"""Of a Locust file that ships."""


class Closed(Table):
    """`clients` users in a closed loop."""

    clients: Annotated[int, Field(ge=1, le=10_000)]
    """Users, each sending its next request when the last one is answered."""

    def load(self) -> ClosedLoad:
        return ClosedLoad(clients=self.clients)


class Open(Table):
    """Pre-scheduled arrivals at a rate."""

    rate_per_s: Annotated[float, Field(gt=0, le=100_000)]
    """Requests sent per second, whatever the server does."""
    arrivals: Literal["poisson", "constant"] = "poisson"
    """At random times, as independent users send, or evenly."""

    def load(self) -> OpenLoad:
        return OpenLoad(rate_per_s=self.rate_per_s, arrivals=self.arrivals)


class Capacity(Table):
    """The highest Poisson rate that meets the objective: `clients` find the peak, `steps` halve the rest."""

    capacity: Literal[True]
    """Always true: it tells this load from a closed loop."""
    clients: Annotated[int, Field(ge=1, le=10_000)]
    """As many as keep the server busy: the search goes no further than 1.1 times what they reach."""
    pilot_s: Annotated[float, Field(ge=0.5, le=600)] = 2.0
    """How long the clients look for the peak."""
    step_s: Annotated[float, Field(ge=0.5, le=600)] = 3.0
    """How long each rate is offered."""
    steps: Annotated[int, Field(ge=3, le=12)] = 6
    """How many rates are tried."""

    def load(self) -> CapacityLoad:
        return CapacityLoad(clients=self.clients, pilot_s=self.pilot_s, step_s=self.step_s, steps=self.steps)


def _form(value: object) -> str:
    """Which load is meant, so that mistakes are spoken of in its own keys."""
    if isinstance(value, Capacity | Closed | Open):
        return type(value).__name__
    keys = tuple(map(str, value)) if isinstance(value, dict) else ()
    if "capacity" in keys:
        return Capacity.__name__
    rated = any(_is_like(key, field) for key in keys for field in Open.model_fields)
    return Open.__name__ if rated and "clients" not in keys else Closed.__name__


def _is_like(key: str, field: str) -> bool:
    return field.startswith(key) or bool(get_close_matches(key, [field]))


Load = Annotated[
    Annotated[Capacity, Tag("Capacity")] | Annotated[Closed, Tag("Closed")] | Annotated[Open, Tag("Open")],
    Discriminator(_form),
]


def _locustfile(text: str) -> str:
    if not text.endswith(".py") and not STEM.fullmatch(text):
        raise ValueError(f"{text[:100]!r} is no Locust file; write a path that ends in .py")
    return text


class ScenarioTable(Table):
    """One workload."""

    name: Slug
    """What reports call it."""
    locustfile: Annotated[RelativePath, AfterValidator(_locustfile)] | None = None
    """A Locust file relative to this file, ending in .py, or the name of one that ships; left out:
    `requests`, or the file that ships under the scenario's name."""
    requests: Annotated[list[WeightedRequest], Field(min_length=1, max_length=500)] = []
    """Your own requests, each kind with its weight."""
    before: Annotated[list[StepTable], Field(max_length=20)] = []
    """Steps that each client takes once, before its first request, such as a login."""
    load: Load
    """{ clients = 64 }, { rate_per_s = 300.0 } or { capacity = true, clients = 64 }."""
    warmup_s: Annotated[float, Field(ge=0, le=600)] = 1.0
    """Load before the measured window."""
    measure_s: Annotated[float, Field(ge=0.5, le=3600)] = 5.0
    """The measured window."""
    slo_ms: Annotated[float, Field(gt=0, le=600_000)] = 100.0
    """The objective: a request that takes longer is slow."""
    slo_share: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """The share of requests that may be slow: 0.05 sets the objective on p95."""
    request_timeout_s: Annotated[float, Field(ge=0.01, le=120)] = 10.0
    """A request without an answer after this time has failed."""


class Design(Table):
    """How the run is laid out."""

    blocks: Annotated[int, Field(ge=1, le=200)] = 6
    """How many blocks; with `precision`, at most how many."""
    precision: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Stop a scenario once the 95 % interval of every ratio to the baseline is this narrow: 0.05 is +-5 %."""
    seed: Annotated[int, Field(ge=0, le=2**31)] = 1
    """Draws the order of the trials; the same seed gives the same order."""
    margin: Annotated[float, Field(gt=0, lt=1)] = 0.03
    """Differences smaller than this fraction do not matter to you."""
    budget_s: Annotated[float, Field(gt=0, le=86_400)] = 1800.0
    """No block starts that is not expected to end within this time."""
    ready_timeout_s: Annotated[float, Field(gt=0, le=300)] = 30.0
    """How long a server may take to start."""
    baseline: str | None = None
    """Id of the variant all others are compared with; the first one when left out."""
    share_cores: bool = False
    """Let the server run on every core, the load generator's too, and take what that leaves it."""
    generators_per_cpu: Annotated[int, Field(ge=1, le=8)] = 1
    """Processes of the load generator on each of its CPUs: one holds at most 900 requests in flight."""
    slices: bool = True
    """Measure a scenario's variants side by side, in short slices that take turns: far less noise than one
    after the other. Capacity searches and Locust files are measured one after the other all the same."""
    wrapper_cost: bool = True
    """Measure before the first trial what the wrapper around the app costs (10 to 30 s)."""
    cpus: Literal["host", "affinity", "quota"] = "affinity"
    """Which count the bare name `cpus` stands for in worker expressions."""


class MatrixFile(Table):
    """A whole matrix file."""

    name: Slug
    """What reports and the directories of runs are called."""
    description: str = ""
    """One sentence for whoever reads the report."""
    target: TargetTable | None = None
    """What is measured; left out: the example app that ships."""
    factors: Factors = Factors()
    """The levels to compare."""
    include: Annotated[list[Point], Field(max_length=256)] = []
    """Combinations to add to the product of the factors."""
    exclude: Annotated[list[Pattern], Field(max_length=256)] = []
    """Combinations to leave out."""
    scenarios: Annotated[list[ScenarioTable], Field(min_length=1, max_length=64)]
    """The workloads; every variant is measured under each."""
    design: Design = Design()
    """Blocks, budget, baseline and margin."""

    @model_validator(mode="after")
    def _scenario_names_differ(self) -> MatrixFile:
        names = [scenario.name for scenario in self.scenarios]
        names += [common_rate_name(s.name) for s in self.scenarios if isinstance(s.load, Capacity)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"scenario names must differ: {', '.join(twice)} stands more than once")
        return self
