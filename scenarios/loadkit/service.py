"""The operations of the agent."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from scenarios.loadkit.catalogue import load_scenario
from scenarios.loadkit.drive import LoadResult, drive
from scenarios.loadkit.errors import BadRequest
from scenarios.loadkit.readiness import probe, wait_ready
from scenarios.loadkit.spec import Fields, drive_spec
from scenarios.loadkit.verify import verify

Message = Mapping[str, Any]


class Service:
    """Answers one message at a time; remembers the server that `ready` named."""

    def __init__(self, write: Callable[[Message], None]) -> None:
        self._write = write
        self._base_url: str | None = None

    def answer(self, message: Message) -> Message:
        """The result of an operation. Raises AgentError."""
        operations = {
            "ready": self._ready,
            "probe": self._probe,
            "verify": self._verify,
            "drive": self._drive,
        }
        op = Fields(message, "message").text("op", choices=(*operations, "exit"))
        return operations[op](message)

    def _ready(self, message: Message) -> Message:
        fields = Fields(message, "ready")
        base_url = fields.text("base_url")
        if not base_url.startswith(("http://", "https://")):
            raise BadRequest(f"ready.base_url must start with http:// or https://, got {base_url[:80]!r}")
        workers = fields.whole("workers", 1, 4096)
        timeout_s = fields.number("timeout_s", 0, 3600)
        report = wait_ready(base_url, workers=workers, timeout_s=timeout_s)
        self._base_url = base_url
        return report

    def _probe(self, _: Message) -> Message:
        return probe(self._server())

    def _verify(self, message: Message) -> Message:
        scenario = load_scenario(Fields(message, "verify").text("locustfile"))
        return {"checked": verify(scenario, base_url=self._server())}

    def _drive(self, message: Message) -> Message:
        spec = drive_spec(message)
        result = drive(
            load_scenario(spec.locustfile),
            spec,
            base_url=self._server(),
            progress=lambda figures: self._write({"progress": figures}),
        )
        return _encoded(result)

    def _server(self) -> str:
        if self._base_url is None:
            raise BadRequest("which server? send ready with its base_url first, and have it succeed")
        return self._base_url


def _encoded(result: LoadResult) -> Message:
    npz = io.BytesIO()
    np.savez(npz, allow_pickle=False, **result.arrays)
    return {
        "window_start_s": result.window.measure_s,
        "window_end_s": result.window.end_s,
        **asdict(result.totals),
        "arrays_npz_b64": base64.b64encode(npz.getvalue()).decode("ascii"),
    }
