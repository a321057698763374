"""A harness reduced to a deployment of two containers: run by tests that kill it. Arguments: project, run id.

Prints the pid of its reaper once both run.
"""

from __future__ import annotations

import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from harness.adapters.docker_engine import DockerEngine
from harness.adapters.scratch import scratch
from tests.contract.rig import NEIGHBOUR, RECIPE, SPEC

# Whoever runs the tests may have left it ignored, as a shell does with what it starts in the background.
signal.signal(signal.SIGINT, signal.default_int_handler)
with scratch():
    engine = DockerEngine(Path(sys.argv[1]), sys.argv[2])
    try:
        two = replace(SPEC, image=engine.build(RECIPE), network="published", beside=(NEIGHBOUR,))
        with engine.running(two):
            sys.stdout.write(f"{engine._reaper.pid}\n")
            sys.stdout.flush()
            time.sleep(120)
    finally:
        engine.close()
