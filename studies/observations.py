"""What experiments that are no trials bring home: images compared, servers stopped, workers killed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AliasChoices, Field

Unit = Literal["s", "bytes", "count", "yes", "id", "per_s"]
"""`yes` is 1 or 0; `id` is a number that only names something, such as a user id or an exit code."""

FAILED_ATTEMPTS = "failed_attempts"
"""The quantity that counts the repeats of a target that failed on the way and were made again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One quantity of one target under one probe, once for each repeat."""

    experiment: str
    """The command that made it: "images" or "lifecycle"."""
    probe: str
    """What was done, for example "graceful-stop"."""
    target: Annotated[str, Field(validation_alias=AliasChoices("target", "subject"))]
    """What it was done to: a variant id such as "uvicorn-standard.w2", or the name of an image."""
    quantity: str
    """What was seen, for example "lost_in_flight"."""
    unit: Unit
    values: tuple[float | None, ...]
    """In the order of the repeats. None: a time that did not come within the bound that `note` tells, or a
    count of what was not exercised, such as losses on connections that were closed before their use."""
    of: int | None = None
    """For counts: how many there could have been, over all repeats. What happens within one repeat hangs
    together, so an interval is over the repeats, never over these."""
    note: str = ""
    """What a reader has to know to read the values: a bound, an exit message, a log line."""
