"""What a probe is: one thing done to servers, and what is to be seen of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from studies.observations import Observation, Unit

if TYPE_CHECKING:
    from studies.lifecycle.containers import FaultEquipment

EXPERIMENT = "lifecycle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One claim put to some targets, each on its own."""

    name: str
    claim: str
    """Its line among the claims, for example "L2"."""
    targets: tuple[str, ...]
    quantities: tuple[str, ...]
    """Every one is observed once for each target; those that are missing are what a resume measures."""
    expected_s: float
    """How long one target takes on two cores, with the default number of repeats."""
    observe: Callable[[FaultEquipment, str], Iterable[Observation]]
    """Raises TrialError when the target could not be put to the test."""


def observation(
    probe: str,
    target: str,
    quantity: str,
    unit: Unit,
    values: Sequence[float | None],
    *,
    of: int | None = None,
    note: str = "",
) -> Observation:
    return Observation(
        experiment=EXPERIMENT,
        probe=probe,
        target=target,
        quantity=quantity,
        unit=unit,
        values=tuple(values),
        of=of,
        note=note,
    )
