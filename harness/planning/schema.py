"""The matrix file, as strict models: what may stand in it, checked without looking at any machine."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from harness.deployment import NetworkPath
from harness.model import KEEP_ALIVE_S, CapacityLoad, ClosedLoad, OpenLoad, common_rate_name
from harness.planning.expressions import MAX_LENGTH, MAX_WORKERS, check_expression
from harness.planning.recipes import RECIPES
from harness.planning.suggestions import unknown

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")]
"""Names become file names, container names and ids, hence the narrow alphabet."""


def _known_recipe(name: str) -> str:
    if name not in RECIPES:
        raise ValueError(unknown("recipe", name, RECIPES))
    return name


def _valid_expression(text: str) -> str:
    check_expression(text)
    return text


Recipe = Annotated[str, AfterValidator(_known_recipe)]
Expression = Annotated[str, AfterValidator(_valid_expression)]
Workers = Annotated[int, Field(ge=1, le=MAX_WORKERS)]
Quota = Annotated[float, Field(gt=0, le=1024)]
MemoryMib = Annotated[int, Field(ge=32, le=1_048_576)]
KeepAliveS = Annotated[int, Field(ge=1, le=3600)]


class Table(BaseModel):
    """A TOML table: unknown keys and implicit conversions are mistakes."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class WorkerRule(Table):
    """A worker heuristic with a name of its own, for example name = "2n+1 (host)", count = "2 * host + 1"."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    count: Workers | Expression


class Factors(Table):
    """Each factor lists its levels; the matrix is their product."""

    recipe: Annotated[list[Recipe], Field(min_length=1, max_length=32)]
    workers: Annotated[list[Workers | Expression | WorkerRule], Field(min_length=1, max_length=64)] = [1]
    access_log: Annotated[list[bool], Field(min_length=1)] = [False]
    keep_alive_s: Annotated[list[KeepAliveS], Field(min_length=1)] = [KEEP_ALIVE_S]
    cpu_quota: Annotated[list[Quota | Literal["none"]], Field(min_length=1)] = ["none"]
    memory_mib: Annotated[list[MemoryMib | Literal["none"]], Field(min_length=1)] = ["none"]
    network: Annotated[list[NetworkPath], Field(min_length=1)] = ["shared"]


class Point(Table):
    """One combination to add (`include`); a level left out is the factor's first."""

    recipe: Recipe | None = None
    workers: Workers | Expression | WorkerRule | None = None
    access_log: bool | None = None
    keep_alive_s: KeepAliveS | None = None
    cpu_quota: Quota | Literal["none"] | None = None
    memory_mib: MemoryMib | Literal["none"] | None = None
    network: NetworkPath | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Point:
        if not self.model_fields_set:
            raise ValueError("an empty table says nothing; name at least one level")
        return self


class Pattern(Point):
    """Combinations to drop (`exclude`): all that have these levels."""

    workers: Workers | Annotated[str, StringConstraints(max_length=MAX_LENGTH)] | WorkerRule | None = None
    """A level as it stands in `factors`, a rule's name, or the count a rule comes to on this machine."""


class Closed(Table):
    """`clients` users in a closed loop."""

    clients: Annotated[int, Field(ge=1, le=10_000)]

    def load(self) -> ClosedLoad:
        return ClosedLoad(clients=self.clients)


class Open(Table):
    """Pre-scheduled arrivals at a rate."""

    rate_per_s: Annotated[float, Field(gt=0, le=100_000)]
    arrivals: Literal["poisson", "constant"] = "poisson"

    def load(self) -> OpenLoad:
        return OpenLoad(rate_per_s=self.rate_per_s, arrivals=self.arrivals)


class Capacity(Table):
    """The highest Poisson rate that meets the objective: `clients` find the peak, `steps` halve the rest."""

    capacity: Literal[True]
    clients: Annotated[int, Field(ge=1, le=10_000)]
    """As many as keep the server busy: the search goes no further than 1.1 times what they reach."""
    pilot_s: Annotated[float, Field(ge=0.5, le=600)] = 2.0
    step_s: Annotated[float, Field(ge=0.5, le=600)] = 3.0
    steps: Annotated[int, Field(ge=3, le=12)] = 6

    def load(self) -> CapacityLoad:
        return CapacityLoad(clients=self.clients, pilot_s=self.pilot_s, step_s=self.step_s, steps=self.steps)


class ScenarioTable(Table):
    """One workload."""

    name: Slug
    locustfile: Slug | None = None
    """Stem of a file in scenarios/; the scenario's name when left out."""
    load: Capacity | Closed | Open
    warmup_s: Annotated[float, Field(ge=0, le=600)] = 1.0
    measure_s: Annotated[float, Field(ge=0.5, le=3600)] = 5.0
    slo_ms: Annotated[float, Field(gt=0, le=600_000)] = 100.0
    slo_share: Annotated[float, Field(gt=0, lt=1)] = 0.05
    request_timeout_s: Annotated[float, Field(ge=0.01, le=120)] = 10.0


class Design(Table):
    """How the run is laid out."""

    blocks: Annotated[int, Field(ge=1, le=200)] = 6
    """How many blocks; with `precision`, at most how many."""
    precision: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Stop a scenario once the 95 % interval of every ratio to the baseline is this narrow: 0.05 is +-5 %."""
    seed: Annotated[int, Field(ge=0, le=2**31)] = 1
    margin: Annotated[float, Field(gt=0, lt=1)] = 0.03
    """Differences smaller than this fraction do not matter to you."""
    budget_s: Annotated[float, Field(gt=0, le=86_400)] = 1800.0
    """No block starts that is not expected to end within this time."""
    ready_timeout_s: Annotated[float, Field(gt=0, le=300)] = 30.0
    baseline: str | None = None
    """Id of the variant all others are compared with; the first one when left out."""
    share_cores: bool = False
    """Let the server run on every core, the load generator's too, and take what that leaves it."""
    generators_per_cpu: Annotated[int, Field(ge=1, le=8)] = 1
    """Processes of the load generator on each of its CPUs: one holds at most 900 requests in flight."""
    wrapper_cost: bool = True
    """Measure before the first trial what the wrapper around the app costs (about 15 s)."""
    cpus: Literal["host", "affinity", "quota"] = "affinity"
    """Which count the bare name `cpus` stands for in worker expressions."""


class MatrixFile(Table):
    """A whole matrix file."""

    name: Slug
    description: str = ""
    factors: Factors
    include: Annotated[list[Point], Field(max_length=256)] = []
    exclude: Annotated[list[Pattern], Field(max_length=256)] = []
    scenarios: Annotated[list[ScenarioTable], Field(min_length=1, max_length=64)]
    design: Design = Design()

    @model_validator(mode="after")
    def _scenario_names_differ(self) -> MatrixFile:
        names = [scenario.name for scenario in self.scenarios]
        names += [common_rate_name(s.name) for s in self.scenarios if isinstance(s.load, Capacity)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"scenario names must differ: {', '.join(twice)} stands more than once")
        return self
