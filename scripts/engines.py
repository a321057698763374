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

Written by `make test-engines` from the tests of engines that ran: {where}. They run in a virtual machine,
in software, on Debian 13: whether things work is seen there, how fast is not. Docker 20.10 on cgroup v1 is
what `make test` runs on.

"""
FOOTER = """
## What the program does where

- It asks the engine that the docker program would ask: DOCKER_HOST, DOCKER_CONTEXT, or the context in use.
- **For the server, an engine on another machine is refused**, Docker Desktop, ssh:// and tcp:// among them:
  from here its cores cannot be chosen, nor its steal and neighbours be seen. Run harness on that machine. For
  the load there is `--load-context`.
- **Podman**, through its Docker API (`systemctl start podman.socket` and
  `DOCKER_HOST=unix:///run/podman/podman.sock`): images from archives are found under localhost/, logs go to
  its k8s-file driver.
- Memory that can be dropped (page cache) is read from the container's own cgroup files. Where these are out
  of reach and the engine does not tell, the trial is refused rather than measured with too large a figure.

## What was not seen

Docker 27 to 29 with the containerd image store, rootless engines, Docker Desktop, arm64.
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
            "engine": f"{name.capitalize()} {version['Version']}",
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
    where = ", ".join(engine.facts["engine"] for engine in engines)
    return HEADER.format(where=where) + "\n".join(table + told) + FOOTER


if __name__ == "__main__":
    found = engines_in(Path(sys.argv[1]))
    PAGE.write_text(page(found), encoding="utf-8")
