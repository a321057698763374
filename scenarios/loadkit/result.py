"""What one load comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenarios.loadkit.recorder import Totals
from scenarios.loadkit.window import Window

Progress = Callable[[Mapping[str, float]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """Totals of the whole run, warm-up included, and the raw values of its measured window."""

    window: Window
    totals: Totals
    arrays: Mapping[str, NDArray[np.float64] | NDArray[np.int16]]
    """intended_s, sent_s, finished_s, status (200 is a right answer) and generator_cpu_share."""
