"""Writes the stages of the recipes into Dockerfile.variants: `python scripts/dockerfile.py`."""

from __future__ import annotations

from pathlib import Path

from harness.planning.dockerfile import with_stages

DOCKERFILE = Path(__file__).parents[1] / "Dockerfile.variants"

if __name__ == "__main__":
    DOCKERFILE.write_text(with_stages(DOCKERFILE.read_text(encoding="utf-8")), encoding="utf-8")
