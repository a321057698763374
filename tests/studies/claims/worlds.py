"""ClaimEvidence made up so that a claim is true, or is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.model import ClosedLoad, Scenario, TrialRecord, Validity, Variant
from studies.claims.claim_evidence import ClaimEvidence, MeasuredRun
from studies.observations import Observation, Unit
from tests.samples import ITEMS, a_matrix, a_record, some_metrics

BLOCKS = 6
SCATTER = (0.0, 1.0, -1.0, 0.5, -0.5, 0.25)

Figures = Mapping[str, float]
"""Metrics of a cell that differ from the usual ones."""


def variant(text: str, **changes: object) -> Variant:
    """ "uvicorn-standard.w2" as a variant."""
    recipe, _, workers = text.partition(".w")
    return replace(Variant(recipe=recipe, workers=int(workers or 1)), **changes)  # type: ignore[arg-type]


def scenario(name: str, locustfile: str = "", clients: int = 16) -> Scenario:
    return replace(ITEMS, name=name, locustfile=locustfile or name, load=ClosedLoad(clients=clients))


def a_run(
    name: str,
    cells: Mapping[Variant, Mapping[str, Figures]],
    *,
    scenarios: Sequence[Scenario] = (scenario("items"), scenario("fan_out")),
    noise: float = 0.004,
    broken: Sequence[str] = (),
    invalid: Sequence[str] = (),
) -> MeasuredRun:
    """A run whose first variant is the baseline. Those in `broken` cannot serve the app, those in `invalid`
    were INVALID all the time for another reason.

    The noise is each variant's own, so that it does not cancel in the ratios.
    """
    variants = tuple(cells)
    matrix = a_matrix(
        name=name, variants=variants, scenarios=tuple(scenarios), baseline_id=variants[0].id, blocks=BLOCKS
    )
    records: list[TrialRecord] = []
    for place, one in enumerate((*variants, replace(variants[0], twin=True, rules=()))):
        figures = cells[replace(one, twin=False)]
        for load in scenarios:
            for block in range(1, BLOCKS + 1):
                if one.id in (*broken, *invalid):
                    broke = a_record(one, load, block, Validity.INVALID, metrics=None)
                    records.append(replace(broke, cannot_serve=one.id in broken))
                    continue
                wobble = 1 + noise * SCATTER[(block + place) % BLOCKS]
                given = figures.get(load.name, {})
                metrics = {
                    "throughput_per_s": 1000.0,
                    "latency_p95_s": 0.006,
                    "working_set_peak_bytes": 60e6,
                    **given,
                }
                scattered = {key: value * wobble for key, value in metrics.items()}
                scattered["working_set_peak_bytes"] = round(scattered["working_set_peak_bytes"])
                records.append(a_record(one, load, block, metrics=some_metrics(**scattered)))
    return MeasuredRun.of(name, matrix, records)


def speeds(name: str, noise: float = 0.004, broken: Sequence[str] = (), **by_variant: float) -> MeasuredRun:
    """A run on two scenarios in which each variant has one speed; underscores in names stand for dots."""
    cells = {
        variant(key.replace("__", ".").replace("_", "-")): {
            name: {"throughput_per_s": 1000.0 * speed} for name in ("items", "fan_out")
        }
        for key, speed in by_variant.items()
    }
    return a_run(name, cells, noise=noise, broken=broken)


def seen(
    experiment: str,
    probe: str,
    target: str,
    quantity: str,
    *values: float | None,
    of: int | None = None,
    unit: Unit = "count",
) -> Observation:
    return Observation(
        experiment=experiment,
        probe=probe,
        target=target,
        quantity=quantity,
        unit=unit,
        values=values,
        of=of,
    )


def evidence(*things: MeasuredRun | Observation) -> ClaimEvidence:
    return ClaimEvidence(
        runs={thing.name: thing for thing in things if isinstance(thing, MeasuredRun)},
        observations=tuple(thing for thing in things if isinstance(thing, Observation)),
    )
