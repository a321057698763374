"""What one load comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenarios.loadkit.recorder import Totals
from scenarios.loadkit.window import Timetable

Progress = Callable[[Mapping[str, float]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """Totals of the whole run, ramps included, and the raw values of what is measured of each span."""

    timetable: Timetable
    totals: Totals
    arrays: Mapping[str, NDArray[np.float64] | NDArray[np.int16]]
    """intended_s, sent_s, finished_s, status (200 is a right answer) and generator_cpu_share; for each span
    span_start_s, span_end_s (of what is measured) and span_answered (in all of it)."""
