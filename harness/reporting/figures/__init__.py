"""Figures of a run, as matplotlib Figures; `svg` and `png` turn them into text and bytes."""

from __future__ import annotations

from matplotlib.figure import Figure

from harness.analysis.client_steps import ladders
from harness.analysis.metrics import CAPACITY
from harness.reporting.data import ReportData
from harness.reporting.figures.clients import clients
from harness.reporting.figures.over_time import drift, resources
from harness.reporting.figures.ranking import ranking
from harness.reporting.figures.ratios import ratios
from harness.reporting.figures.rules import regret
from harness.reporting.figures.search import search
from harness.reporting.figures.style import png, svg
from harness.reporting.figures.tail import latency_tail
from harness.reporting.figures.tradeoff import tradeoff

PER_SCENARIO = {
    "ratios": ratios,
    "ranking": ranking,
    "latency": latency_tail,
    "memory": tradeoff,
    "resources": resources,
    "drift": drift,
}


def all_figures(data: ReportData) -> dict[str, Figure]:
    """Every figure by a name fit for a file: `<kind>.<scenario>`, and `worker-rules` where rules exist.

    The kind `search` exists only where capacities were searched for, and `clients.<locustfile>` where
    scenarios differ in their clients only.
    """
    figures = {
        f"{kind}.{finding.scenario}": draw(data, finding)
        for finding in data.analysis.findings
        for kind, draw in PER_SCENARIO.items()
    }
    for finding in data.analysis.findings:
        if finding.metric == CAPACITY:
            figures[f"search.{finding.scenario}"] = search(data, finding)
    if data.rules:
        figures["worker-rules"] = regret(data)
    for locustfile, rungs in ladders(data.matrix).items():
        figures[f"clients.{locustfile}"] = clients(data, locustfile, rungs)
    return figures


__all__ = [
    "PER_SCENARIO",
    "all_figures",
    "clients",
    "drift",
    "latency_tail",
    "png",
    "ranking",
    "ratios",
    "regret",
    "resources",
    "search",
    "svg",
    "tradeoff",
]
