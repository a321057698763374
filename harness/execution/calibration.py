"""How fast the generator can go at all: its load on a server that does nothing (METHOD, protocol 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from harness.deployment import DeploymentSpec
from harness.errors import EnvironmentProblem, TrialError
from harness.execution.locust_ceiling import locust_ceilings
from harness.measurement.metrics import lateness_p99_s, throughput_per_s
from harness.model import ClosedLoad, OpenLoad, Scenario
from harness.ports import Engine, LoadGenerator

MAX_LATENESS_S = 0.002
STATIC_SERVER = ("python", "-m", "scenarios.loadkit.static_server", "--port", "{port}")
CEILING = Scenario(
    name="calibration",
    locustfile="root",
    load=ClosedLoad(clients=16),
    warmup_s=0.5,
    measure_s=2.0,
    slo_ms=1000,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What the generator can do on this machine."""

    ceiling_per_s: float
    """Of the lean user, in a closed loop."""
    ceilings: Mapping[str, float]
    """Of each scenario with a Locust file of its own, by name, where it can be told."""
    warnings: tuple[str, ...]


def calibrate(
    scenarios: tuple[Scenario, ...],
    *,
    engine: Engine,
    generators: LoadGenerator,
    image: str,
    server_cpus: tuple[int, ...],
    address: str | None = None,
) -> Calibration:
    """The generator's closed-loop ceilings in requests/s, and a warning per open-loop rate it cannot keep.

    A rate is kept when the 99th percentile of send lateness is at most 2 ms.
    """
    spec = DeploymentSpec(name="calibration", image=image, argv=STATIC_SERVER, env={}, cpus=server_cpus)
    if address is not None:
        argv = (*STATIC_SERVER, "--host", "0.0.0.0")
        spec = replace(spec, argv=argv, network="remote", address=address)
    try:
        with engine.running(spec) as server, generators.attached(server) as generator:
            generator.wait_ready(workers=1, timeout_s=30, scenario=CEILING, ready="/", inside=True)
            record = generator.drive(CEILING, seed=1, progress=lambda _: None)
            warnings = []
            for load in dict.fromkeys(s.load for s in scenarios if isinstance(s.load, OpenLoad)):
                probe = replace(CEILING, load=load, measure_s=1.5)
                lateness_s = lateness_p99_s(generator.drive(probe, seed=1, progress=lambda _: None)) or 0.0
                if lateness_s > MAX_LATENESS_S:
                    warnings.append(
                        f"the generator sends {load.rate_per_s:g} requests/s {lateness_s * 1000:.1f} ms late "
                        f"(p99; at most 2 ms is kept): lower the rate or give it more cores"
                    )
            ceilings, without = locust_ceilings(scenarios, generator)
    except TrialError as error:
        raise EnvironmentProblem(
            f"the load generator could not be calibrated on a static server: {error}"
        ) from error
    return Calibration(
        ceiling_per_s=throughput_per_s(record), ceilings=ceilings, warnings=(*warnings, *without)
    )
