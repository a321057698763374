"""The tables [factors], [[include]] and [[exclude]]: levels, and combinations of them."""

from __future__ import annotations

from typing import Annotated, Literal

from packaging.requirements import InvalidRequirement, Requirement
from pydantic import AfterValidator, Field, StringConstraints, model_validator

from harness.deployment import NetworkPath
from harness.model import KEEP_ALIVE_S, OWN_COMMAND
from harness.planning.expressions import MAX_LENGTH, MAX_WORKERS, check_expression
from harness.planning.schema_base import Env, PlainText, RelativePath, Table
from harness.planning.suggestions import unknown
from harness.recipes import RECIPES


def _known_recipe(name: str) -> str:
    known = (*RECIPES, OWN_COMMAND)
    if name not in known:
        raise ValueError(unknown("recipe", name, known))
    return name


def _package(text: str) -> str:
    try:
        asked = Requirement(text)
    except InvalidRequirement as error:
        raise ValueError(f'{text!r} is no requirement. Fix: write it such as "fastapi==0.115.0"') from error
    if asked.url is not None or not asked.specifier:
        raise ValueError(f'{text!r} names no version. Fix: write it such as "{asked.name}==1.2.3"')
    return str(asked)


def _valid_expression(text: str) -> str:
    check_expression(text)
    return text


Recipe = Annotated[str, AfterValidator(_known_recipe)]
Package = Annotated[str, StringConstraints(max_length=100), AfterValidator(_package)]
Expression = Annotated[str, AfterValidator(_valid_expression)]
Workers = Annotated[int, Field(ge=1, le=MAX_WORKERS)]
Quota = Annotated[float, Field(ge=0.01, le=1024)]
"""The kernel takes no less than 1 ms in each period of 100 ms."""
MemoryMib = Annotated[int, Field(ge=32, le=1_048_576)]
KeepAliveS = Annotated[int, Field(ge=1, le=3600)]
Threads = Annotated[int, Field(ge=1, le=1000)]
Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
Nothing = Literal["none"]


class WorkerRule(Table):
    """A worker heuristic with a name of its own, for example name = "2n+1 (host)", count = "2 * host + 1"."""

    name: Annotated[PlainText, StringConstraints(max_length=60)]
    """What reports call it."""
    count: Workers | Expression
    """A number, or an expression of `cpus`, `host`, `affinity` and `quota`."""


def _not_none(name: str) -> str:
    if name == "none":
        raise ValueError('name = "none" stands for no level; choose another')
    return name


LevelName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,30}$"), AfterValidator(_not_none)
]


class EnvSet(Table):
    """Environment variables as a level, for example name = "arena2", set = { MALLOC_ARENA_MAX = "2" }."""

    name: LevelName
    """Part of the variant's id."""
    set: Annotated[Env, Field(min_length=1)]
    """Added to the environment of every process of the server."""


class VersionTable(Table):
    """A version of the app as a level, for example name = "before", ref = "v1.2"."""

    name: LevelName
    """Part of the variant's id."""
    requirements: RelativePath | None = None
    """Another requirements file of the context."""
    ref: Annotated[PlainText, StringConstraints(pattern=r"^[^-]")] | None = None
    """A branch, tag or commit of the git repository that the context lies in."""
    image: PlainText | None = None
    """Another image."""
    packages: Annotated[list[Package], Field(min_length=1, max_length=32)] | None = None
    """Packages at other versions, installed after the app's own, for example ["fastapi==0.115.0"]."""

    @model_validator(mode="after")
    def _is_one_thing(self) -> VersionTable:
        given = (self.requirements, self.ref, self.image, self.packages)
        if sum(value is not None for value in given) != 1:
            raise ValueError("name one of requirements, ref, image and packages")
        return self


class Factors(Table):
    """Each factor lists its levels; the matrix is their product."""

    recipe: Annotated[list[Recipe], Field(min_length=1, max_length=32)] | None = None
    """Ways to install and start the app (`harness list`), or "own-command": the image as it is."""
    workers: Annotated[list[Workers | Expression | WorkerRule], Field(min_length=1, max_length=64)] = [1]
    """Worker processes: a count, a rule such as "2 * cpus + 1", or { name = ..., count = ... }."""
    access_log: Annotated[list[bool], Field(min_length=1)] = [False]
    """Whether the server writes an access log."""
    keep_alive_s: Annotated[list[KeepAliveS], Field(min_length=1)] = [KEEP_ALIVE_S]
    """How long an idle connection is kept open."""
    cpu_quota: Annotated[list[Quota | Nothing], Field(min_length=1)] = ["none"]
    """CPU limit of the container, as a decimal number of CPUs."""
    memory_mib: Annotated[list[MemoryMib | Nothing], Field(min_length=1)] = ["none"]
    """Memory limit of the container, in MiB."""
    network: Annotated[list[NetworkPath], Field(min_length=1)] = ["shared"]
    """How the load reaches the server."""
    threads: Annotated[list[Threads | Nothing], Field(min_length=1)] = ["none"]
    """Size of the thread pool for `def` endpoints; "none": the framework's own, 40."""
    preload: Annotated[list[bool], Field(min_length=1)] = [False]
    """Whether the app is imported once, before the workers are forked."""
    max_requests: Annotated[list[Count | Nothing], Field(min_length=1)] = ["none"]
    """Requests after which a worker is replaced."""
    backlog: Annotated[list[Count | Nothing], Field(min_length=1)] = ["none"]
    """Connections that may wait to be accepted; "none": the server's own."""
    limit_concurrency: Annotated[list[Count | Nothing], Field(min_length=1)] = ["none"]
    """Connections and tasks of a worker above which it answers 503."""
    env: Annotated[list[Nothing | EnvSet], Field(min_length=1, max_length=32)] = ["none"]
    """Named sets of environment variables."""
    version: Annotated[list[Nothing | VersionTable], Field(min_length=1, max_length=32)] = ["none"]
    """Named versions of the app: requirements, packages, a git ref, an image; "none": the target as it is."""

    @model_validator(mode="after")
    def _names_differ(self) -> Factors:
        for key in ("env", "version"):
            names = [level.name for level in getattr(self, key) if level != "none"]
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"{key}: the name {twice[0]} stands for more than one level")
        return self


class Point(Table):
    """One combination to add (`include`); a level left out is the factor's first."""

    recipe: Recipe | None = None
    workers: Workers | Expression | WorkerRule | None = None
    access_log: bool | None = None
    keep_alive_s: KeepAliveS | None = None
    cpu_quota: Quota | Nothing | None = None
    memory_mib: MemoryMib | Nothing | None = None
    network: NetworkPath | None = None
    threads: Threads | Nothing | None = None
    preload: bool | None = None
    max_requests: Count | Nothing | None = None
    backlog: Count | Nothing | None = None
    limit_concurrency: Count | Nothing | None = None
    env: Nothing | EnvSet | None = None
    version: Nothing | VersionTable | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Point:
        if not self.model_fields_set:
            raise ValueError("an empty table says nothing; name at least one level")
        return self


class Pattern(Point):
    """Combinations to drop (`exclude`): all that have these levels."""

    workers: Workers | Annotated[str, StringConstraints(max_length=MAX_LENGTH)] | WorkerRule | None = None
    """A level as it stands in `factors`, a rule's name, or the count a rule evaluates to on this machine."""
    env: Annotated[str, StringConstraints(max_length=40)] | EnvSet | None = None  # type: ignore[assignment]
    """A set as it stands in `factors`, or its name."""
    version: Annotated[str, StringConstraints(max_length=40)] | VersionTable | None = None  # type: ignore[assignment]
    """A version as it stands in `factors`, or its name."""
