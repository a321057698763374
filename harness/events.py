"""What happens in a run as one JSON object a line, for programs. The run knows nothing of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from harness.model import Trial, TrialRecord


class Event(BaseModel):
    """What all events have."""

    model_config = ConfigDict(use_attribute_docstrings=True, frozen=True)


class Said(Event):
    """A message in words."""

    event: Literal["said"] = "said"
    message: str


class Started(Event):
    """Trials that are measured together have started."""

    event: Literal["started"] = "started"
    trials: list[str]
    number: int
    """Of the first of them, counted from 1."""
    of: int
    seconds_left: float
    """Expected, of the whole run."""


class Finished(Event):
    """One trial is over and stored."""

    event: Literal["finished"] = "finished"
    trial: str
    validity: str
    reasons: list[str]
    throughput_per_s: float | None
    latency_p95_s: float | None
    working_set_peak_bytes: int | None


class Ended(Event):
    """The run is over: the last event."""

    event: Literal["ended"] = "ended"
    run: str
    """Its directory."""
    end: str
    headline: str
    recommended: str | None
    exit_code: int


def json_schema() -> dict[str, Any]:
    """Of one line."""
    line = Annotated[Said | Started | Finished | Ended, Field(discriminator="event")]
    return TypeAdapter[Any](line).json_schema(mode="serialization")


class JsonWatcher:
    """Implements the Watcher of harness.execution.blocks: every event is one line for `write`."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def emit(self, event: Event) -> None:
        self._write(event.model_dump_json())

    def said(self, message: str) -> None:
        self.emit(Said(message=message))

    def trials_started(self, group: tuple[Trial, ...], *, number: int, of: int, seconds_left: float) -> None:
        self.emit(
            Started(trials=[trial.id for trial in group], number=number, of=of, seconds_left=seconds_left)
        )

    def loading(self, progress: Mapping[str, float]) -> None:
        """Many a second: not reported."""

    def trial_finished(self, record: TrialRecord) -> None:
        seen = record.metrics
        self.emit(
            Finished(
                trial=record.trial_id,
                validity=str(record.validity),
                reasons=list(record.reasons),
                throughput_per_s=None if seen is None else seen.throughput_per_s,
                latency_p95_s=None if seen is None else seen.latency_p95_s,
                working_set_peak_bytes=None if seen is None else seen.working_set_peak_bytes,
            )
        )


class QuietWatcher:
    """Says nothing while the run goes on."""

    def said(self, message: str) -> None: ...
    def trials_started(
        self, group: tuple[Trial, ...], *, number: int, of: int, seconds_left: float
    ) -> None: ...
    def loading(self, progress: Mapping[str, float]) -> None: ...
    def trial_finished(self, record: TrialRecord) -> None: ...
