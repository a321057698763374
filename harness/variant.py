"""The frozen noun of one deployable configuration, and how it is named."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.deployment import NetworkPath
from harness.target import Version

KEEP_ALIVE_S = 5
"""Default idle keep-alive: uvicorn's own, and the only one `fastapi run` offers, so every server gets it."""


OWN_COMMAND = "own-command"
"""The recipe that is none of ours: the target's image with its own command, a black box."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One deployable configuration: a point in the matrix."""

    recipe: str
    workers: int
    access_log: bool = False
    keep_alive_s: int = KEEP_ALIVE_S
    graceful_timeout_s: int = 10
    worker_timeout_s: int = 30
    cpu_quota: float | None = None
    memory_mib: int | None = None
    network: NetworkPath = "shared"
    twin: bool = False
    """The A/A twin of the baseline: same image, same levels, another name."""
    bare: bool = False
    """Without the wrapper around the app: nothing but a black box, to find out what the wrapper costs."""
    threads: int | None = None
    """Size of the pool that `def` endpoints run in; None is the framework's own."""
    preload: bool = False
    """The app is imported once, before the workers are forked."""
    max_requests: int | None = None
    """Requests after which a worker is replaced."""
    backlog: int | None = None
    """Connections that may wait to be accepted."""
    limit_concurrency: int | None = None
    """Connections and tasks above which a worker answers 503."""
    env_name: str = ""
    """Of the set of environment variables that is a level of this variant; empty: none."""
    env: tuple[tuple[str, str], ...] = ()
    version: Version | None = None
    """Of the app; None: the target as it is."""
    rules: tuple[str, ...] = field(default=(), compare=False)
    """The worker rules of the matrix that come to this worker count here, for example "2 * host + 1"."""

    @property
    def wrapped(self) -> bool:
        """Whether the harness can look inside the app; otherwise it is a black box."""
        return self.recipe != OWN_COMMAND and not self.bare

    @property
    def planned_worker_changes(self) -> bool:
        """Workers are replaced in mid-run on purpose: new ones are no fault."""
        return self.max_requests is not None

    @property
    def build(self) -> str:
        """What names its image among those of a run: recipe and version of the app."""
        return ".".join([self.recipe, *self._version()])

    def _version(self) -> list[str]:
        return [] if self.version is None else [f"v-{self.version.name}"]

    @property
    def id(self) -> str:
        """A stable slug: recipe, worker count, then every level that is not the default."""
        parts = [self.recipe, f"w{self.workers}"]
        if self.access_log:
            parts.append("log")
        if self.keep_alive_s != KEEP_ALIVE_S:
            parts.append(f"ka{self.keep_alive_s}")
        if self.cpu_quota is not None:
            parts.append(f"cpu{self.cpu_quota:g}")
        if self.memory_mib is not None:
            parts.append(f"mem{self.memory_mib}")
        if self.network != "shared":
            parts.append(self.network)
        parts += _named("t", self.threads) + (["preload"] if self.preload else [])
        parts += _named("mr", self.max_requests) + _named("bl", self.backlog)
        parts += _named("lc", self.limit_concurrency) + _named("env-", self.env_name or None)
        parts += self._version()
        if self.bare:
            parts.append("bare")
        if self.twin:
            parts.append("twin")
        return ".".join(parts)


def _named(prefix: str, level: int | str | None) -> list[str]:
    return [] if level is None else [f"{prefix}{level}"]
