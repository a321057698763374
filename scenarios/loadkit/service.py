"""The operations of the agent."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from dataclasses import asdict
from time import monotonic
from typing import Any

import numpy as np

from scenarios.loadkit.errors import BadRequest
from scenarios.loadkit.readiness import PROBE_TIMEOUT_S, probe, wait_ready
from scenarios.loadkit.result import LoadResult
from scenarios.loadkit.workload import DrivenWorkload, workload_of
from wire.loads import Drive
from wire.messages import (
    Accepted,
    AskClock,
    AskProbe,
    AwaitReady,
    ClockReading,
    DriveResult,
    Exit,
    Operation,
    Prepare,
    TellWorkload,
    Verify,
)

Message = Mapping[str, Any]
NOTHING: Message = {}


class Service:
    """Carries out one operation at a time; remembers the server that `ready` named, and the workload."""

    def __init__(self, write: Callable[[Message], None]) -> None:
        self._write = write
        self._base_url: str | None = None
        self._workload: DrivenWorkload | None = None
        self._probe_timeout_s = PROBE_TIMEOUT_S

    def result(self, operation: Operation) -> Message:
        """What comes of it. Raises AgentError."""
        match operation:
            case TellWorkload():
                self._workload = workload_of(operation.workload)
                return asdict(Accepted(requests=self._workload.kinds))
            case AwaitReady():
                return self._ready(operation)
            case AskProbe():
                return probe(self._server(), timeout_s=self._probe_timeout_s)
            case Verify(timeout_s=timeout_s):
                server = self._server()
                return {"checked": self._known_workload().verify(server, timeout_s=timeout_s)}
            case Prepare(clients=clients, timeout_s=timeout_s):
                server = self._server()
                self._known_workload().prepare(server, clients=clients, timeout_s=timeout_s)
            case Drive():
                return self._drive(operation)
            case AskClock():
                return asdict(ClockReading(monotonic_s=monotonic()))
            case Exit():
                pass
        return NOTHING

    def _ready(self, asked: AwaitReady) -> Message:
        report = wait_ready(
            asked.base_url,
            ready=asked.ready,
            workload=self._known_workload() if asked.ready is None else None,
            workers=asked.workers if asked.inside else None,
            timeout_s=asked.timeout_s,
        )
        self._base_url = asked.base_url
        return report

    def _drive(self, load: Drive) -> Message:
        server = self._server()
        # A server that was overrun works off what it has taken on before it answers the next probe.
        self._probe_timeout_s = max(PROBE_TIMEOUT_S, load.request_timeout_s)
        result = self._known_workload().drive(
            load, base_url=server, progress=lambda figures: self._write({"progress": asdict(figures)})
        )
        return asdict(_encoded(result))

    def _server(self) -> str:
        if self._base_url is None:
            raise BadRequest("which server? send ready with its base_url first, and have it succeed")
        return self._base_url

    def _known_workload(self) -> DrivenWorkload:
        if self._workload is None:
            raise BadRequest("which workload? send it first")
        return self._workload


def _encoded(result: LoadResult) -> DriveResult:
    npz = io.BytesIO()
    np.savez(npz, allow_pickle=False, **result.arrays)
    return DriveResult(
        window_start_s=result.timetable.spans[0].measure_s,
        window_end_s=result.timetable.end_s,
        arrays_npz_b64=base64.b64encode(npz.getvalue()).decode("ascii"),
        **asdict(result.totals),
    )
