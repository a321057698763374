"""The agent with a Locust file for a workload."""

from __future__ import annotations

import json
from collections.abc import Mapping
from textwrap import dedent
from typing import Any

from tests.scenarios.agent_process import AgentProcess

IMPORTS = """\
import os, sys, time
from locust import FastHttpUser, HttpUser, LoadTestShape, SequentialTaskSet, TaskSet, User
from locust import between, constant, events, tag, task
from locust.exception import StopUser
"""


def workload(source: str, **env: str) -> Mapping[str, object]:
    text = IMPORTS + dedent(source)
    return {"kind": "locustfile", "name": "locustfile.py", "source": text, "env": env}


def load(agent: AgentProcess, source: str, **env: str) -> int:
    """The workload is this file from now on. How many user classes it has."""
    result = agent.result(op="workload", workload=workload(source, **env))
    return int(result["requests"])


def refused(agent: AgentProcess, source: str) -> str:
    """What is said of a file that cannot be a workload; the agent goes on."""
    kind, text = agent.error(op="workload", workload=workload(source))
    assert kind == "BadRequest"
    return text


def statuses(arrays: Mapping[str, Any]) -> dict[int, int]:
    """How many of each."""
    found: list[int] = arrays["status"].tolist()
    return {status: found.count(status) for status in sorted(set(found))}


def get(path: str, *, user: str = "FastHttpUser", **attributes: object) -> str:
    """A file with one task that gets a path over and over."""
    lines = [f"    {name} = {value}" for name, value in attributes.items()]
    task = f"    @task\n    def one(self):\n        self.client.get({json.dumps(path)})\n"
    return f"class Visitor({user}):\n" + "\n".join([*lines, task])
