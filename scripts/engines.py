"""Writes docs/engines.md from what `make test-engines` left: `python scripts/engines.py DIRECTORY`."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "engines.md"
HEADER = """# Engines

Written by `make test-engines` from the tests of engines that ran: {where}.

"""


@dataclass(frozen=True)
class Engine:
    """An engine, and what became of the tests on it."""

    name: str
    facts: dict[str, str]
    passed: int
    failed: tuple[str, ...]
    skipped: int


def engines_in(directory: Path) -> list[Engine]:
    return [_engine(path) for path in sorted(directory.glob("*.xml"))]


def _engine(path: Path) -> Engine:
    name = path.stem
    version = json.loads(path.with_name(f"{name}.version.json").read_text())["Server"]
    info = json.loads(path.with_name(f"{name}.info.json").read_text())
    outcomes: dict[str, list[str]] = defaultdict(list)
    # Our own tests wrote it.
    for case in ElementTree.parse(path).iter("testcase"):
        bad = case.find("failure") is not None or case.find("error") is not None
        outcome = "failed" if bad else "skipped" if case.find("skipped") is not None else "passed"
        outcomes[outcome].append(f"{case.get('classname', '').rpartition('.')[2]}: {case.get('name')}")
    return Engine(
        name=name,
        facts={
            "engine": f"{version.get('Platform', {}).get('Name') or name} {version['Version']}",
            "kernel": str(info["KernelVersion"]),
            "cgroup": f"v{info.get('CgroupVersion', '1')} ({info['CgroupDriver']})",
            "images": str(info["Driver"]),
        },
        passed=len(outcomes["passed"]),
        failed=tuple(outcomes["failed"]),
        skipped=len(outcomes["skipped"]),
    )


def page(engines: list[Engine]) -> str:
    """The document."""
    keys = list(engines[0].facts)
    rows = [
        f"| {' | '.join(engine.facts[key] for key in keys)} | {engine.passed} | {len(engine.failed)} |"
        for engine in engines
    ]
    table = [f"| {' | '.join(keys)} | passed | failed |", f"|{'---|' * (len(keys) + 2)}", *rows, ""]
    failures = [f"- {engine.name}: {test}" for engine in engines for test in engine.failed]
    told = ["", "What failed:", "", *failures, ""] if failures else []
    return HEADER.format(where=", ".join(engine.facts["engine"] for engine in engines)) + "\n".join(
        table + told
    )


if __name__ == "__main__":
    found = engines_in(Path(sys.argv[1]))
    PAGE.write_text(page(found), encoding="utf-8")
