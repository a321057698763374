"""What a fault did to the requests of a load."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.errors import TrialError
from harness.measurement.accounting import RIGHT
from harness.measurement.load import LoadRecord
from wire.messages import REFUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One repeat: what came of the requests that were sent or under way once the fault had begun."""

    sent: int
    lost: int
    """Without a right answer, those apart that got no connection."""
    refused: int
    """Got no connection: the client knows at once, and a load balancer sends it elsewhere."""
    outage_s: float | None
    """From the last right answer before the first failure to the first one after it; None: none came."""
    took_s: float
    """As long as the fault itself took, such as a stop."""


def seen_in(load: LoadRecord, *, fault_s: float, took_s: float) -> Seen:
    """What a fault at `fault_s` (CLOCK_MONOTONIC) did to the requests of a load.

    Raises TrialError where requests failed before it: what is seen later is not its doing then.
    """
    right = load.status == RIGHT
    # A request under way at the fault was not finished by then; NaN, without an answer, compares as false.
    touched = ~(load.finished_s < fault_s) & ~np.isnan(load.sent_s)
    early = ~right & (load.sent_s < fault_s) & (load.finished_s < fault_s)
    if early.any():
        raise TrialError(f"{int(early.sum())} requests failed before the fault. Fix: lower --rate")
    refused = load.status == REFUSED
    return Seen(
        sent=int(touched.sum()),
        lost=int((touched & ~right & ~refused).sum()),
        refused=int((touched & refused).sum()),
        outage_s=_outage_s(load, right),
        took_s=took_s,
    )


def _outage_s(load: LoadRecord, right: NDArray[np.bool_]) -> float | None:
    """0 where nothing failed."""
    failed_s = load.sent_s[~right & ~np.isnan(load.sent_s)]
    if failed_s.size == 0:
        return 0.0
    answered_s = np.sort(load.finished_s[right])
    after = np.searchsorted(answered_s, failed_s.max(), side="right")
    before = np.searchsorted(answered_s, failed_s.min(), side="right") - 1
    if after == answered_s.size or before < 0:
        return None
    return float(answered_s[after] - answered_s[before])
