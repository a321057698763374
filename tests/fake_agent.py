"""A load agent for the fake engine: speaks the agent's protocol and sends nothing.

Every variant has a true rate, times a factor that drifts from load to load, as real machines do. A closed
load comes back as if the server had answered at exactly that rate; an open one as if it had served one
request after the other, each for as long as that rate allows.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.fakes import FakeClock, FakeDeployment
from wire import PROTOCOL

NOTHING: Mapping[str, float] = {}
Floats = NDArray[np.float64]
GREETING = (json.dumps({"ok": True, "result": {"agent": PROTOCOL, "locust": "2", "python": "3"}}),)
STACKS = {
    "uvicorn-plain": ("asyncio.unix_events._UnixSelectorEventLoop", "h11_impl.H11Protocol"),
    "uvicorn-standard": ("uvloop.Loop", "httptools_impl.HttpToolsProtocol"),
}


class FakeAgent:
    """`rates` gives the true requests/s by the beginning of a deployment's name, `idle_cores` what it uses
    without load."""

    def __init__(
        self,
        clock: FakeClock,
        rates: Mapping[str, float],
        *,
        drift: Iterable[float] = (),
        idle_cores: Mapping[str, float] = NOTHING,
    ) -> None:
        self._clock, self._rates, self._idle_cores = clock, rates, idle_cores
        self._drift = iter(drift)
        self._served: dict[int, list[int]] = {}

    def __call__(self, deployment: FakeDeployment, line: str) -> Iterable[str]:
        request = json.loads(line)
        operation = getattr(self, f"_{request['op']}")
        return [json.dumps({"ok": True, "result": operation(deployment, request)})]

    def _exit(self, deployment: FakeDeployment, request: Mapping[str, Any]) -> dict[str, Any]:
        return {}

    def _workload(self, deployment: FakeDeployment, request: Mapping[str, Any]) -> dict[str, Any]:
        return {"requests": len(request["workload"].get("requests", "1"))}

    def _prepare(self, deployment: FakeDeployment, request: Mapping[str, Any]) -> dict[str, Any]:
        return {}

    def _verify(self, deployment: FakeDeployment, request: Mapping[str, Any]) -> dict[str, Any]:
        return {}

    def _ready(self, deployment: FakeDeployment, request: Mapping[str, Any]) -> dict[str, Any]:
        self._workers = request["workers"]
        deployment.work(self._idle(deployment))
        return self._probe(deployment, request) if request["inside"] else {}

    def _probe(self, deployment: FakeDeployment, request: Mapping[str, Any]) -> dict[str, Any]:
        ids = np.array(self._served.get(id(deployment), []), dtype=np.int64)
        variant = deployment.spec.env.get("HARNESS_VARIANT_ID", "static")
        loop, http = STACKS.get(variant.split(".")[0], ("asyncio", "static"))
        first = {"requests": ids.size, "id_sum": int(ids.sum()), "id_xor": int(np.bitwise_xor.reduce(ids))}
        idle = {"requests": 0, "id_sum": 0, "id_xor": 0}
        return {
            "variant_id": variant,
            "pid": 7,
            "uid": 10001,
            "workers": [
                {"pid": 7 + n, "in_flight": 0, **(first if n == 0 else idle)} for n in range(self._workers)
            ],
            "server": "fake",
            "loop": loop,
            "http": http if variant == "static" else f"uvicorn.protocols.http.{http}",
            "access_log": False,
            "keep_alive_s": 5.0,
            "features": ["proxy-headers"],
            "versions": {"python": "3.13"},
            "cpus": {"host": 2, "affinity": 1, "quota": 1.0},
        }

    def _drive(self, deployment: FakeDeployment, request: Mapping[str, Any]) -> dict[str, Any]:
        rate = next((r for name, r in self._rates.items() if deployment.spec.name.startswith(name)), 9000.0)
        rate *= next(self._drift, 1.0)
        offered = request["load"].get("rate_per_s", rate)
        cores = deployment.CORES * min(1.0, offered / rate)
        spans, ramp_s = request["spans_s"], request["ramp_s"]
        # Nothing is sent in the warm-up.
        deployment.work(self._idle(deployment))
        if len(spans) == 1:
            self._clock.sleep(ramp_s)
            start_s = self._clock.monotonic() - ramp_s
            deployment.work(cores)
            self._clock.sleep(spans[0][1] - ramp_s)
            deployment.work(self._idle(deployment))
        else:
            # Several deployments are told their turns at once: time passes while these are waited for.
            start_s = request["start_at_s"]
            deployment.work_in([(start_s + begin, start_s + end) for begin, end in spans], cores)
        measured = [(start_s + begin + ramp_s, start_s + end) for begin, end in spans]
        sent = [_one_span(*span, offered=offered, rate=rate) for span in measured]
        intended = np.concatenate([intended for intended, _ in sent])
        count = intended.size
        ids = request["id_base"] + np.arange(1, count + 1)
        self._served.setdefault(id(deployment), []).extend(ids.tolist())
        arrays = io.BytesIO()
        np.savez(
            arrays,
            intended_s=intended,
            sent_s=intended,
            finished_s=np.concatenate([finished for _, finished in sent]),
            status=np.full(count, 200, dtype=np.int16),
            generator_cpu_share=np.full(
                len(spans) if len(spans) > 1 else max(1, int(measured[0][1] - measured[0][0])), 0.4
            ),
            span_start_s=np.array([start for start, _ in measured]),
            span_end_s=np.array([end for _, end in measured]),
            span_answered=np.array([len(intended) for intended, _ in sent], dtype=float),
        )
        return {
            "window_start_s": measured[0][0],
            "window_end_s": measured[-1][1],
            "scheduled": count,
            "ok": count,
            "failed": 0,
            "timed_out": 0,
            "dropped": 0,
            "undrained": 0,
            "wrong_bodies": 0,
            "id_sum": int(ids.sum()),
            "id_xor": int(np.bitwise_xor.reduce(ids)),
            "arrays_npz_b64": base64.b64encode(arrays.getvalue()).decode(),
        }

    def _idle(self, deployment: FakeDeployment) -> float:
        names = [name for name in self._idle_cores if deployment.spec.name.startswith(name)]
        return self._idle_cores[names[0]] if names else 0.0


def _one_span(start_s: float, end_s: float, *, offered: float, rate: float) -> tuple[Floats, Floats]:
    """When requests go and are answered: beyond its rate the server works off one after the other."""
    count = round(offered * (end_s - start_s))
    intended = start_s + np.arange(count) * ((end_s - start_s) / count)
    return intended, np.maximum(intended, start_s + np.arange(count) / rate) + 1e-6
