"""The operations of the agent."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from scenarios.loadkit.errors import BadRequest
from scenarios.loadkit.readiness import PROBE_TIMEOUT_S, probe, wait_ready
from scenarios.loadkit.result import LoadResult
from scenarios.loadkit.spec import Fields, drive_spec
from scenarios.loadkit.workload import Workload, workload_of

Message = Mapping[str, Any]


class Service:
    """Answers one message at a time; remembers the server that `ready` named, and the workload."""

    def __init__(self, write: Callable[[Message], None]) -> None:
        self._write = write
        self._base_url: str | None = None
        self._workload: Workload | None = None
        self._probe_timeout_s = PROBE_TIMEOUT_S

    def answer(self, message: Message) -> Message:
        """The result of an operation. Raises AgentError."""
        operations = {
            "workload": self._remember,
            "ready": self._ready,
            "probe": self._probe,
            "verify": self._verify,
            "prepare": self._prepare,
            "drive": self._drive,
        }
        op = Fields(message, "message").text("op", choices=(*operations, "exit"))
        return operations[op](message)

    def _remember(self, message: Message) -> Message:
        self._workload = workload_of(Fields(message, "message").mapping("workload"))
        return {"requests": self._workload.kinds}

    def _ready(self, message: Message) -> Message:
        fields = Fields(message, "ready")
        base_url = fields.text("base_url")
        if not base_url.startswith(("http://", "https://")):
            raise BadRequest(f"ready.base_url must start with http:// or https://, got {base_url[:80]!r}")
        ready = None if message.get("ready") is None else fields.text("ready")
        report = wait_ready(
            base_url,
            ready=ready,
            workload=self._known_workload() if ready is None else None,
            workers=fields.whole("workers", 1, 4096) if fields.flag("inside") else None,
            timeout_s=fields.number("timeout_s", 0, 3600),
        )
        self._base_url = base_url
        return report

    def _probe(self, _: Message) -> Message:
        return probe(self._server(), timeout_s=self._probe_timeout_s)

    def _verify(self, message: Message) -> Message:
        timeout_s = Fields(message, "verify").number("timeout_s", 0.01, 600)
        server = self._server()
        return {"checked": self._known_workload().verify(server, timeout_s=timeout_s)}

    def _prepare(self, message: Message) -> Message:
        fields = Fields(message, "prepare")
        clients = fields.whole("clients", 1, 900)
        timeout_s = fields.number("timeout_s", 0.01, 600)
        server = self._server()
        self._known_workload().prepare(server, clients=clients, timeout_s=timeout_s)
        return {}

    def _drive(self, message: Message) -> Message:
        spec = drive_spec(message)
        server = self._server()
        # A server that was overrun works off what it has taken on before it answers the next probe.
        self._probe_timeout_s = max(PROBE_TIMEOUT_S, spec.request_timeout_s)
        result = self._known_workload().drive(
            spec, base_url=server, progress=lambda figures: self._write({"progress": figures})
        )
        return _encoded(result)

    def _server(self) -> str:
        if self._base_url is None:
            raise BadRequest("which server? send ready with its base_url first, and have it succeed")
        return self._base_url

    def _known_workload(self) -> Workload:
        if self._workload is None:
            raise BadRequest("which workload? send it first")
        return self._workload


def _encoded(result: LoadResult) -> Message:
    npz = io.BytesIO()
    np.savez(npz, allow_pickle=False, **result.arrays)
    return {
        "window_start_s": result.timetable.spans[0].measure_s,
        "window_end_s": result.timetable.end_s,
        **asdict(result.totals),
        "arrays_npz_b64": base64.b64encode(npz.getvalue()).decode("ascii"),
    }
