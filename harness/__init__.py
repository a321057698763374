"""Benchmark FastAPI deployments in containers and turn the figures into a decision."""

__version__ = "0.1.0"
