"""What harness promises under faults, and which tests inject them; `pytest -m promise --promises FILE` tells.

A test keeps a promise when it is marked with its number and passes. The table is made of those that ran.
"""

from __future__ import annotations

import platform
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
MARK = "promise"
WHERE = {"engine": "containers", "process": "processes"}
"""By the mark of a test; the others run on fakes."""


@dataclass(frozen=True)
class Promise:
    """One of them, with the fault that puts it to the test."""

    title: str
    fault: str
    containers: bool = False
    """Whether it has to be kept on real containers too."""


PROMISES = {
    1: Promise("nothing is left behind", "SIGINT, SIGTERM or SIGKILL of the harness in any phase", True),
    2: Promise("a power cut heals", "what dead owners left behind, and process numbers that are used again"),
    3: Promise("what is not ours is never touched", "a user's stopped containers and untagged images", True),
    4: Promise("the journal survives", "cut, or a bit flipped, at every byte; garbage behind it"),
    5: Promise("manifest and report are whole or absent", "no space, or an interrupt, while one is written"),
    6: Promise("a full disk costs nothing but the trial under way", "no space for results"),
    7: Promise("a resumed run is as one that was never interrupted", "killed after each of its trials"),
    8: Promise("a finished run is left alone", "run again with --resume"),
    9: Promise("Ctrl-C once ends in a report, twice at once", "one interrupt, two interrupts"),
    10: Promise(
        "every wait is bounded", "servers and agents that never get ready, answer half, or do not stop"
    ),
    11: Promise("time is monotonic", "the wall clock set by an hour; a machine that was suspended"),
    12: Promise("ports do not collide", "ports that are taken, many that are reserved at once", True),
    13: Promise("one failed build is one failed variant", "a requirement that cannot be had", True),
    14: Promise("out of memory is a result", "a small limit, a worker that leaks", True),
    15: Promise("the death of a worker is seen", "a worker killed under load", True),
    16: Promise("wrong answers never win", "500s, wrong bodies, truncated answers, fast 404s"),
    17: Promise(
        "the generator is never the limit unnoticed", "a generator without CPU, a server that is too fast"
    ),
    18: Promise("an engine that restarts costs one trial", "the engine gone in mid-trial", True),
    19: Promise("no image changes during a run", "a tag moved meanwhile", True),
    20: Promise("one run a host", "a second run"),
    21: Promise("containers can do nothing but serve", "capabilities, privileges, writes, open ports", True),
    22: Promise("text from apps, logs and names is inert", "markup and control codes in all of them"),
    23: Promise("secrets are stored nowhere", "a canary in every place that takes one"),
    24: Promise("hostile input is refused in a sentence", "huge, deep, escaping and ambiguous files"),
}


@dataclass(frozen=True)
class _Ran:
    promise: int
    test: str
    where: str
    outcome: str


class _Kept:
    """Collects what became of the marked tests of a session."""

    def __init__(self, into: Path) -> None:
        self._into = into
        self._ran: list[_Ran] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        passed_so_far = report.when != "call" and report.passed
        if passed_so_far:
            return
        told = dict(report.user_properties)
        for number in str(told.get(MARK, "")).split():
            self._ran.append(_Ran(int(number), report.nodeid, str(told["where"]), report.outcome))

    def pytest_sessionfinish(self) -> None:
        self._into.write_text(_page(self._ran), encoding="utf-8")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--promises", metavar="FILE", help="Write what became of the promises' tests.")


def pytest_configure(config: pytest.Config) -> None:
    is_worker = hasattr(config, "workerinput")
    if (into := config.getoption("--promises")) and not is_worker:
        config.pluginmanager.register(_Kept(Path(into)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        numbers = sorted({number for mark in item.iter_markers(MARK) for number in mark.args})
        if unknown := [number for number in numbers if number not in PROMISES]:
            raise pytest.UsageError(f"{item.nodeid}: no promise {unknown[0]}")
        if numbers:
            where = next((WHERE[mark] for mark in WHERE if item.get_closest_marker(mark)), "fakes")
            item.user_properties += [(MARK, " ".join(map(str, numbers))), ("where", where)]


def _page(ran: list[_Ran]) -> str:
    by_promise: dict[int, dict[str, list[_Ran]]] = defaultdict(lambda: defaultdict(list))
    for one in ran:
        by_promise[one.promise][one.test.partition("[")[0]].append(one)
    rows = "\n".join(_row(number, promise, by_promise[number]) for number, promise in PROMISES.items())
    return f"""# Promises under faults

Written by `make promises` from the tests that ran, each of which injects its fault: {len(ran)}, on Linux
{platform.release().partition("-")[0]}, {_engine()}. A promise is kept when every test of it passed.

| # | promise | fault | kept | tests |
|---|---|---|---|---|
{rows}
"""


def _row(number: int, promise: Promise, tests: dict[str, list[_Ran]]) -> str:
    cells = []
    for test, runs in sorted(tests.items()):
        path, _, name = test.partition("::")
        words = name.removeprefix("test_").replace("_", " ")
        failed = sum(one.outcome == "failed" for one in runs)
        skipped = sum(one.outcome == "skipped" for one in runs)
        count = f", {len(runs)} cases" if len(runs) > 1 else ""
        told = f" **{failed} failed**" if failed else " (skipped)" if skipped else ""
        cells.append(f"[{words}](../{path}) ({runs[0].where}{count}){told}")
    return (
        f"| {number} | {promise.title} | {promise.fault} | {_kept(promise, tests)} | {'<br>'.join(cells)} |"
    )


def _kept(promise: Promise, tests: dict[str, list[_Ran]]) -> str:
    runs = [one for all_of_it in tests.values() for one in all_of_it]
    if any(one.outcome == "failed" for one in runs):
        return "**no**"
    passed = [one for one in runs if one.outcome == "passed"]
    if not passed:
        return "not tested"
    if promise.containers and not any(one.where == "containers" for one in passed):
        return "not tested on containers"
    return "yes"


def _engine() -> str:
    from harness.adapters.docker_client import connect
    from harness.errors import EnvironmentProblem

    try:
        version = connect().version()
    except EnvironmentProblem:
        return "without an engine"
    return f"{version.get('Platform', {}).get('Name') or 'Docker'} {version['Version']}".strip()
