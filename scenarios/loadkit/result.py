"""What one load comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenarios.loadkit.window import Timetable
from wire.messages import DriveProgress, Totals

Progress = Callable[[DriveProgress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """Totals of the whole run, ramps included, and the raw values of what is measured of each span."""

    timetable: Timetable
    totals: Totals
    arrays: Mapping[str, NDArray[np.float64] | NDArray[np.int16]]
    """As in `DriveResult.arrays_npz_b64`."""
