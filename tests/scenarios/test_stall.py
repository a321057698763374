"""A stall of known length, as the open loop and the closed loop see it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from tests.scenarios.agent_process import AgentProcess
from tests.scenarios.scripted_server import ScriptedServer

STALL_S, WINDOW_S, RATE_PER_S = 1.0, 6.0, 50.0


def p95_s(load: dict[str, Any], script: str) -> float:
    with ScriptedServer(lambda _: script, stall_s=(2.0, STALL_S)) as server, AgentProcess() as agent:
        agent.ready(server.base_url)
        totals, arrays = agent.drive(load=load, warmup_s=0.0, measure_s=WINDOW_S)
    assert totals["ok"] == totals["scheduled"]
    return float(np.quantile(arrays["finished_s"] - arrays["intended_s"], 0.95))


@pytest.mark.alone
@pytest.mark.process
def test_only_the_open_loop_sees_a_stall_at_its_true_size() -> None:
    """Requests that arrive during a stall of S wait what is left of it, uniform on (0, S).

    A share x / T of a window T waits longer than S - x, so quantile q is S - (1 - q) T.
    """
    with ThreadPoolExecutor() as pool:
        opened = pool.submit(p95_s, {"kind": "open", "rate_per_s": RATE_PER_S, "arrivals": "constant"}, "ok")
        closed = pool.submit(p95_s, {"kind": "closed", "clients": 1}, "slow")
    theory_s = STALL_S - (1 - 0.95) * WINDOW_S
    assert opened.result() == pytest.approx(theory_s, rel=0.1)
    # About 50 requests/s too, of which the stall delays exactly one.
    assert closed.result() < theory_s / 4
