"""L5: a server of a single process is killed. Does it come back, and who brings it?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from signal import SIGKILL
from types import MappingProxyType

from harness.adapters.controlled_container import RestartPolicy
from harness.errors import TrialError
from studies.lifecycle.containers import FaultEquipment, seconds_until, variant
from studies.lifecycle.probe import Probe, observation
from studies.observations import Observation

NAME = "process-killed"
SERVER = variant("uvicorn-standard.w1")
POLICIES: Mapping[str, RestartPolicy] = MappingProxyType({"restart-always": "always", "restart-no": "no"})
WITHIN_S = 10.0


def observe(equipment: FaultEquipment, target: str) -> Iterator[Observation]:
    def scenario() -> float | None:
        with equipment.server(SERVER, restart=POLICIES[target]) as server:
            server.container.signal_process(1, SIGKILL)
            down_s = seconds_until(lambda: not server.ready(), WITHIN_S)
            if down_s is None:
                raise TrialError(
                    f"{server.container.name}: {WITHIN_S:g} s after its SIGKILL it still answers"
                )
            back_s = seconds_until(server.ready, WITHIN_S)
            return None if back_s is None else down_s + back_s

    times_s = equipment.repeated(scenario, times=equipment.few)
    note = f"{SERVER.recipe}, 1 worker, until it answers again; bound {WITHIN_S:g} s"
    yield observation(NAME, target, "back_s", "s", times_s, note=note)


PROBES = (
    Probe(
        name=NAME,
        claim="L5",
        targets=tuple(POLICIES),
        quantities=("back_s",),
        expected_s=8,
        observe=observe,
    ),
)
