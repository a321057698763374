"""Whether what `harness export` writes performs as what was measured: one line for the README.

    python benchmarks/round_trip.py [--blocks 6]

Measures a small app, exports the Dockerfile of its winner, builds it, and measures that image with its CMD
beside the recipe it came from, in one run. About three minutes. Exits 1 when the exported image is told from
the recipe by more than the recipe's wrapper may cost (10 %).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import docker

import harness
from harness.adapters.docker_build import base_image

HARNESS = Path(sys.executable).with_name("harness")
TAG = "harness-round-trip:latest"
APP = """
from fastapi import FastAPI

app = FastAPI()

@app.get("/work")
async def work():
    return {"total": sum(n * n for n in range(500))}
"""
MATRIX = """
name = "round-trip"
[target]
{target}
app = "main:app"
[factors]
recipe = {recipes}
[[scenarios]]
name = "work"
load = {{ clients = 16 }}
warmup_s = 0.5
measure_s = 3.0
[[scenarios.requests]]
path = "/work"
[design]
blocks = {blocks}
wrapper_cost = false
"""
MOST = 0.10


def measured(directory: Path, target: str, recipes: str, blocks: int) -> harness.Run:
    (directory / "harness.toml").write_text(MATRIX.format(target=target, recipes=recipes, blocks=blocks))
    subprocess.run([HARNESS, "run", "--wait"], cwd=directory, check=False)
    return harness.load(results=directory / "results")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=6)
    blocks = parser.parse_args().blocks
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        (directory / "main.py").write_text(APP)
        (directory / "requirements.txt").write_text("fastapi\n")
        first = measured(directory, 'requirements = "requirements.txt"', '["uvicorn-standard"]', blocks)
        subprocess.run(
            [HARNESS, "export", first.id, "--as", "dockerfile", "--variant", "uvicorn-standard.w1"],
            cwd=directory,
            check=True,
        )
        base, _ = base_image(docker.from_env(), None)
        build = ["docker", "build", "--file", "deploy/Dockerfile", "--tag", TAG]
        quiet = {**os.environ, "DOCKER_BUILDKIT": "0"}
        subprocess.run(
            [*build, "--build-arg", f"BASE_IMAGE={base}", "."], cwd=directory, env=quiet, check=True
        )
        both = '["uvicorn-standard", "own-command"]'
        second = measured(directory, f'image = "{TAG}"', both, blocks)
        rows = second.verdicts.query("metric == 'throughput_per_s' and variant_id == 'own-command.w1'")
        subprocess.run(["docker", "image", "rm", TAG], check=False, capture_output=True)
    row = rows.iloc[0]
    print(
        f"The exported image serves {row['ratio']:.3f}x ({row['lo']:.3f}-{row['hi']:.3f}) the requests "
        f"of the recipe it came from, {row['verdict']}"
    )
    return 0 if row["lo"] < 1 + MOST and row["hi"] > 1 - MOST else 1


if __name__ == "__main__":
    sys.exit(main())
