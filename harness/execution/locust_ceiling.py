"""How fast the generator can go with the users of a Locust file, which cost far more than the lean user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from harness.errors import TrialError
from harness.measurement.load import LoadRecord
from harness.model import Scenario
from harness.planning.locust_files import is_locust_file
from harness.ports import Generator
from wire.messages import RAISED

WARMUP_S, MEASURE_S = 0.5, 2.0
MAX_RAISED_SHARE = 0.05


def locust_ceilings(
    scenarios: Sequence[Scenario], generator: Generator
) -> tuple[Mapping[str, float], tuple[str, ...]]:
    """The ceiling of each scenario with a Locust file, by its name, and a warning where there is none.

    `generator` stands before a static server, whose answers may please no check of the file: every answer
    counts. A file that cannot continue without real ones is judged by the generator's CPU share alone.
    """
    found: dict[str, float] = {}
    warnings: list[str] = []
    for scenario in filter(is_locust_file, scenarios):
        try:
            short = replace(scenario, warmup_s=WARMUP_S, measure_s=MEASURE_S)
            load = generator.drive(short, seed=1, progress=lambda _: None)
            found[scenario.name] = full_core_per_s(load)
        except TrialError as error:
            warnings.append(
                f"{scenario.name}: no ceiling of the generator, because {scenario.locustfile} cannot run "
                f"against a static server: {error}"
            )
    return found, tuple(warnings)


def full_core_per_s(load: LoadRecord) -> float:
    """Requests per second that these users would reach if they used up all of the generator's cores.

    Users that wait between tasks use only a part of them, and the server need not be the reason. Raises
    TrialError where the iterations broke off, so that their cost is not what it will be.
    """
    raised = int(np.count_nonzero(load.status == RAISED))
    if raised > MAX_RAISED_SHARE * load.status.size:
        raise TrialError(
            f"{raised} of its tasks raised an exception, {load.status.size - raised} requests did not"
        )
    inside = (load.finished_s >= load.window_start_s) & (load.finished_s < load.window_end_s)
    per_s = np.count_nonzero(inside) / (load.window_end_s - load.window_start_s)
    share = float(load.generator_cpu_share.mean())
    if not per_s or not share:
        raise TrialError("none of its requests was answered")
    return float(per_s / min(1.0, share))
