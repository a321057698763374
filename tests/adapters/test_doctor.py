from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from harness.adapters import doctor
from harness.adapters.doctor import GIB, Check, checks

Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent.sock")


def by_name(results: Path) -> dict[str, Check]:
    return {check.name: check for check in checks(results)}


def test_every_check_says_why_and_how(tmp_path: Path) -> None:
    found = checks(tmp_path)
    assert len({check.name for check in found}) == len(found)
    assert all(check.why and check.detail for check in found)
    assert all(check.fix for check in found if not check.ok)


def test_without_an_engine_the_required_checks_fail(tmp_path: Path) -> None:
    found = by_name(tmp_path)
    for name in ("Docker engine", "base image"):
        assert found[name].required
        assert not found[name].ok
        assert "scripts/setup-" in found[name].fix


def test_another_user_than_root_is_told_and_not_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    memory = by_name(tmp_path)["memory maps"]
    assert not memory.ok
    assert not memory.required


def test_a_single_cpu_is_told_and_does_not_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0})
    cpus = by_name(tmp_path)["separate CPUs"]
    assert not cpus.ok
    assert not cpus.required


def test_both_places_need_room_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = tmp_path / "docker"
    images.mkdir()
    free = {tmp_path: 2 * GIB, images: 2 * GIB}
    monkeypatch.setattr(doctor, "IMAGES", images)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, free[path]))
    found = by_name(tmp_path / "results" / "not" / "there" / "yet")
    assert found["disk for results"].ok
    assert not found["disk for images"].ok
    assert found["disk for images"].required
    assert f"2.0 GiB free at {images}, 3 GiB needed" in found["disk for images"].detail


def test_images_kept_elsewhere_are_not_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "IMAGES", tmp_path / "nowhere")
    assert "disk for images" not in by_name(tmp_path)
