"""A harness reduced to one server container: run by tests that kill it. Arguments: project, run id.

Prints the pid of its reaper once the server runs.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

from harness.adapters.docker_engine import DockerEngine
from tests.contract.rig import RECIPE, SPEC

engine = DockerEngine(Path(sys.argv[1]), sys.argv[2])
try:
    with engine.running(replace(SPEC, image=engine.build(RECIPE), network="published")):
        sys.stdout.write(f"{engine._reaper.pid}\n")
        sys.stdout.flush()
        time.sleep(120)
finally:
    engine.close()
