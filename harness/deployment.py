"""The frozen nouns of a deployment: what an engine starts, and what can be seen of it while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from harness.signals import WorkerSignals

RUNTIME_DIR_VARIABLE = "HARNESS_RUNTIME_DIR"
"""Where the workers of a deployment tell each other what they have counted; engines set it."""

NetworkPath = Literal["shared", "bridge", "published", "host", "remote"]
"""From generator to server. `remote`: from other machines, by a port published on this one's address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuCounts:
    """The three meanings of "number of CPUs" in a container, in CPUs."""

    host: int
    affinity: int
    quota: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """One process of a deployment; in a container of its own where there are several."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    image: str | None = None
    """As in `DeploymentSpec`, or the name of a part that came with the recipe, such as "nginx". None is the
    deployment's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentSpec:
    """What an engine needs to start one deployment.

    Engines replace in argv and env values "{port}", where the load goes; "{port1}", "{port2}"...: further
    ports, as many as there are processes next to the first; "{tls}": the directory of cert.pem and key.pem.
    """

    name: str
    image: str
    """What `Engine.build` returned for the recipe: an image id, or the path of a virtual environment. Or the
    name of a part that came with the recipe."""
    argv: tuple[str, ...]
    """Empty: what the image itself starts."""
    env: Mapping[str, str]
    cpus: tuple[int, ...]
    cpu_quota: float | None = None
    memory_mib: int | None = None
    """Both limits hold for each container."""
    network: NetworkPath = "shared"
    stop_timeout_s: float = 12.0
    beside: tuple[ProcessSpec, ...] = ()
    """More processes of the same image. They share the first one's network, process numbers and
    HARNESS_RUNTIME_DIR, start after it and are stopped before it."""
    tls: bool = False
    """The load speaks HTTPS to it."""
    user: str | None = None
    """Who it runs as, "uid:gid". None: as the image says, unless that is root."""
    capabilities: tuple[str, ...] = ()
    """Powers of root that its containers keep."""
    writable: tuple[str, ...] = ()
    """Absolute directories given as temporary file systems: empty, they hide what the image has there."""
    port: int | None = None
    """Where a command listens that cannot be told another port. None: the engine chooses."""
    address: str | None = None
    """Of this machine, as load hosts reach it; on the path `remote` only."""
    cwd: str | None = None
    """Working directory of a plain process. In a container it is the image's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFacts:
    """One worker process as the app itself sees it. Id sums are modulo 2**64."""

    pid: int
    requests: int
    id_sum: int
    id_xor: int
    in_flight: int
    signals: WorkerSignals | None = None
    """None from servers that tell none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """What the probe says from inside the container; `features` such as "proxy-headers" and "reload"."""

    variant_id: str
    workers: tuple[WorkerFacts, ...]
    server: str
    loop: str
    http: str
    access_log: bool
    keep_alive_s: float | None
    """None when the server does not tell."""
    versions: Mapping[str, str]
    cpus: CpuCounts
    uid: int
    memory_limit_bytes: int | None = None
    """As the container's own cgroup has it; None without a limit, and when not reported."""
    features: tuple[str, ...] = ()
    front: str | None = None
    """Name and version of the proxy that passed the probe on, as that proxy says."""
    scheme: str = "http"
    """Of the client's request, as the app sees it: behind a proxy only where the proxy is trusted."""
    tls: str | None = None
    """Protocol and cipher of the generator's own connection; None without TLS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceReading:
    """One reading of a deployment's resources. Counters are cumulative since it started."""

    at_s: float
    """CLOCK_MONOTONIC, seconds."""
    cpu_s: float
    throttled_s: float
    working_set_bytes: int
    oom_kills: int
    steal_s: float
    """Cumulative steal of the cores in use (server's and generator's): the mean over them."""
    periods: int = 0
    """Of the CPU quota (100 ms each), in which the server had something to run."""
    throttled_periods: int = 0
    """Those of them in which the quota ran out."""
    neighbours_cpu_s: float = 0.0
    """CPU seconds of the deployments that stand next to it on the server's cores, all together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySnapshot:
    """Sums over the processes of a deployment, in bytes."""

    processes: int
    rss_bytes: int
    pss_bytes: int
    uss_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentState:
    """Whether a deployment still runs, and how it ended."""

    running: bool
    exit_code: int | None = None
    oom_killed: bool = False
