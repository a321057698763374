"""What a measurement must know of a deployment, told from inside."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

from .counters import live_workers
from .limits import CGROUP_ROOT, cpu_counts, memory_limit_bytes, own_cgroup
from .settings import Settings
from .stack import class_path, serving_stack, versions

FRONT_HEADER = b"x-fronted-by"
"""Proxies of ours put their name and version here."""


async def answer(settings: Settings, scope: Any, send: Any) -> None:
    """Answer a request for the probe."""
    body = json.dumps(report(settings, scope)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def report(settings: Settings, scope: Any) -> dict[str, Any]:
    """The probe. Needs a running event loop."""
    stack = serving_stack()
    fronts = (value.decode("latin-1") for name, value in scope["headers"] if name == FRONT_HEADER)
    return {
        "variant_id": settings.variant_id,
        "pid": os.getpid(),
        "uid": os.getuid(),
        "workers": [worker.plain() for worker in live_workers(settings.runtime_dir)],
        "server": stack.server,
        "loop": class_path(asyncio.get_running_loop()),
        "http": stack.http,
        "access_log": stack.access_log,
        "keep_alive_s": stack.keep_alive_s,
        "features": list(stack.features),
        "versions": versions(),
        "cpus": cpu_counts()._asdict(),
        "memory_limit_bytes": memory_limit_bytes(own_cgroup(), CGROUP_ROOT),
        "front": next(fronts, None),
        "scheme": scope.get("scheme", "http"),
    }
