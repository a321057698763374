from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness_probe import limits
from harness_probe.limits import cpu_counts, memory_limit_bytes, quota_cpus

V1 = "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n"
V2 = "0::/user.slice/app.scope\n"


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("proc_cgroup", "files", "quota"),
    [
        # In a container, v1: the path is the host's, the mount is the container's own.
        (V1, {"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 0.5),
        (V1, {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        # In a container, v2.
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        # On a host: the tightest of the nested groups counts, and the root has no file.
        (V2, {"user.slice/cpu.max": "20000 100000\n", "user.slice/app.scope/cpu.max": "max 100000\n"}, 0.2),
        (V2, {"user.slice/cpu.max": "90000 100000\n", "user.slice/app.scope/cpu.max": "3 10\n"}, 0.3),
        # A hybrid host: the v2 line has no cpu controller, the v1 line does.
        ("0::/\n1:cpu:/\n", {"cpu/cpu.cfs_quota_us": "200\n", "cpu/cpu.cfs_period_us": "100\n"}, 2.0),
        ("", {}, None),
    ],
)
def test_quota(tmp_path: Path, proc_cgroup: str, files: dict[str, str], quota: float | None) -> None:
    assert quota_cpus(proc_cgroup, tree(tmp_path, files)) == quota


@pytest.mark.parametrize(
    ("proc_cgroup", "files", "limit"),
    [
        (V1, {"memory/memory.limit_in_bytes": "268435456\n"}, 256 * 2**20),
        (V1, {"memory/memory.limit_in_bytes": "9223372036854771712\n"}, None),
        ("0::/\n", {"memory.max": "268435456\n"}, 256 * 2**20),
        ("0::/\n", {"memory.max": "max\n"}, None),
        (V2, {"user.slice/memory.max": "1000\n", "user.slice/app.scope/memory.max": "2000\n"}, 1000),
        ("", {}, None),
    ],
)
def test_memory(tmp_path: Path, proc_cgroup: str, files: dict[str, str], limit: int | None) -> None:
    assert memory_limit_bytes(proc_cgroup, tree(tmp_path, files)) == limit


@pytest.mark.parametrize(("limit", "quota"), [(None, 1.0), (0.25, 0.25), (64.0, 1.0)])
def test_the_quota_is_what_can_be_used(
    monkeypatch: pytest.MonkeyPatch, limit: float | None, quota: float
) -> None:
    monkeypatch.setattr(limits, "quota_cpus", lambda *_: limit)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert cpu_counts()._asdict() == {"host": 8, "affinity": 1, "quota": quota}
