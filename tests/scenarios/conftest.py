from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.scenarios.agent_process import AgentProcess


@pytest.fixture(scope="session")
def one_agent() -> Iterator[AgentProcess]:
    """Whatever the test before told it."""
    with AgentProcess() as process:
        yield process


@pytest.fixture
def agent(one_agent: AgentProcess) -> AgentProcess:
    """With the workload `root`."""
    one_agent.load("root")
    return one_agent
