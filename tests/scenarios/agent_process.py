"""The agent as a process of its own: importing Locust would patch the process of the tests."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

PROJECT = Path(__file__).parents[2]

DRIVE: Mapping[str, Any] = {
    "op": "drive",
    "load": {"kind": "closed", "clients": 4},
    "spans_s": [[0.0, 1.0]],
    "ramp_s": 0.2,
    "rest_until_s": 0.0,
    "request_timeout_s": 5.0,
    "drain_s": 5.0,
    "seed": 1,
    "id_base": 0,
    "start_at_s": None,
}


def lasting(*, warmup_s: float, measure_s: float) -> dict[str, Any]:
    """Of a `drive`, for a load in one piece."""
    return {"spans_s": [[0.0, warmup_s + measure_s]], "ramp_s": warmup_s}


READY: Mapping[str, Any] = {
    "op": "ready",
    "workers": 1,
    "timeout_s": 20.0,
    "ready": "/health/ready",
    "inside": True,
}
VERIFY: Mapping[str, Any] = {"op": "verify", "timeout_s": 10.0}


class AgentProcess:
    """Speaks JSON lines with `python -m scenarios.loadkit.agent`; ends it on the way out."""

    def __init__(self, **environment: str) -> None:
        """`environment` is added to our own."""
        self.environment = {**os.environ, **environment}

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "scenarios.loadkit.agent"],
            cwd=PROJECT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.progress: list[Mapping[str, float]] = []
        self.hello = self.receive()
        self.load("root")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        finally:
            self.process.kill()

    def send_line(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        """The next answer; progress is kept aside."""
        assert self.process.stdout is not None
        while True:
            line = self.process.stdout.readline()
            assert line, "the agent ended without an answer"
            message: dict[str, Any] = json.loads(line)
            if "progress" not in message:
                return message
            self.progress.append(message["progress"])

    def ask(self, **message: Any) -> dict[str, Any]:
        self.send_line(json.dumps(message))
        return self.receive()

    def result(self, **message: Any) -> dict[str, Any]:
        answer = self.ask(**message)
        assert answer["ok"], answer
        result: dict[str, Any] = answer["result"]
        return result

    def error(self, **message: Any) -> tuple[str, str]:
        answer = self.ask(**message)
        assert not answer["ok"], answer
        return answer["error"]["kind"], answer["error"]["message"]

    def load(self, locustfile: str) -> None:
        """The workload is from now on that of a scenario that ships."""
        self.result(op="workload", workload={"kind": "bundled", "locustfile": locustfile})

    def own(self, *requests: dict[str, Any], before: Sequence[dict[str, Any]] = ()) -> None:
        """The workload is from now on a team's own."""
        self.result(op="workload", workload={"kind": "requests", "requests": requests, "before": before})

    def ready(self, base_url: str, **changes: Any) -> dict[str, Any]:
        """Of the `root` scenario, unless there is another workload."""
        return self.result(**{**READY, "base_url": base_url, **changes})

    def drive(
        self, *, warmup_s: float = 0.2, measure_s: float = 0.8, **changes: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Totals and arrays of one load."""
        totals = self.result(**{**DRIVE, **lasting(warmup_s=warmup_s, measure_s=measure_s), **changes})
        npz = io.BytesIO(base64.b64decode(totals.pop("arrays_npz_b64")))
        return totals, dict(np.load(npz, allow_pickle=False))


def assert_conserved(totals: Mapping[str, int]) -> None:
    """Every request that was scheduled ended in exactly one way."""
    ends = ("ok", "failed", "timed_out", "dropped", "undrained")
    assert totals["scheduled"] == sum(totals[end] for end in ends)
