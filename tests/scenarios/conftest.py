from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.scenarios.agent_process import AgentProcess


@pytest.fixture(scope="session")
def agent() -> Iterator[AgentProcess]:
    with AgentProcess() as process:
        yield process
