"""The apps in examples/ and the page that shows them: pinned, complete, no figure left to fill in."""

from __future__ import annotations

import csv
import importlib.util
import re
import struct
import tomllib
import zlib
from pathlib import Path
from typing import Any

import pytest

from harness.adapters.config_file import load_matrix

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
PAGE = ROOT / "docs" / "your-app.md"
APPS = sorted(path.name for path in EXAMPLES.iterdir() if (path / "harness.toml").is_file())
MOST_COMMANDS = 5


def matrix(app: str) -> dict[str, Any]:
    return tomllib.loads((EXAMPLES / app / "harness.toml").read_text("utf-8"))


def requests(app: str) -> list[dict[str, Any]]:
    return [request for scenario in matrix(app)["scenarios"] for request in scenario["requests"]]


def commands(app: str) -> list[str]:
    section = PAGE.read_text("utf-8").split(f"\n## {app}\n")[1]
    return re.findall(r"(?m)^    (\S.*)$", section.split("\n## ")[0])


def test_the_apps_of_the_page_are_here() -> None:
    assert APPS == ["nginx", "node", "prefect", "tipg", "titiler"]


@pytest.mark.parametrize("app", APPS)
def test_few_commands_lead_to_a_verdict(app: str) -> None:
    shown = commands(app)

    assert shown[0] == f"cd examples/{app}"
    assert shown[-1] == "harness run"
    assert len(shown) <= MOST_COMMANDS
    assert f"| [{app}](#{app}) |" in PAGE.read_text("utf-8")
    assert re.search(rf"\(#{app}\).*\| {len(shown)} \|", PAGE.read_text("utf-8"))


@pytest.mark.parametrize("app", APPS)
def test_a_matrix_names_files_that_are_there(app: str) -> None:
    target = matrix(app)["target"]
    named = [target[key] for key in ("requirements", "dockerfile", "env_file") if key in target]
    named += [request["data"] for request in requests(app) if "data" in request]

    assert [name for name in named if not (EXAMPLES / app / name).is_file()] == []


@pytest.mark.parametrize("app", APPS)
def test_variables_have_a_column_or_a_step_behind_them(app: str) -> None:
    for scenario in matrix(app)["scenarios"]:
        kept = {name for step in scenario.get("before", []) for name in step.get("keep", {})}
        for request in scenario["requests"]:
            columns = set[str]()
            if "data" in request:
                with (EXAMPLES / app / request["data"]).open(newline="") as rows:
                    columns = set(next(csv.reader(rows)))
            used = set(re.findall(r"\{([a-z_]+)\}", request["path"]))
            assert used <= columns | kept


@pytest.mark.parametrize("app", [app for app in APPS if "requirements" in matrix(app)["target"]])
def test_an_app_is_pinned(app: str) -> None:
    lines = (EXAMPLES / app / matrix(app)["target"]["requirements"]).read_text("utf-8").splitlines()

    assert lines
    assert all(re.fullmatch(r"[\w.-]+(\[[\w,-]+\])?==[\w.]+", line) for line in lines)


@pytest.fixture(scope="module")
def raster() -> bytes:
    path = EXAMPLES / "titiler" / "make_raster.py"
    spec = importlib.util.spec_from_file_location("make_raster", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written: bytes = module.content()
    return written


def directories(content: bytes) -> list[dict[int, list[float]]]:
    order, magic, at = struct.unpack_from("<2sHI", content)
    assert (order, magic) == (b"II", 42)
    found = []
    while at:
        (count,) = struct.unpack_from("<H", content, at)
        tags: dict[int, list[float]] = {}
        for number in range(count):
            entry = at + 2 + 12 * number
            tag, kind, length = struct.unpack_from("<HHI", content, entry)
            letter = {3: "H", 4: "I", 12: "d"}[kind]
            size = struct.calcsize(letter) * length
            where = entry + 8 if size <= 4 else struct.unpack_from("<I", content, entry + 8)[0]
            tags[tag] = list(struct.unpack_from(f"<{length}{letter}", content, where))
        found.append(tags)
        (at,) = struct.unpack_from("<I", content, at + 2 + 12 * count)
    return found


def test_the_raster_holds_every_tile_of_itself_and_of_its_overviews(raster: bytes) -> None:
    found = directories(raster)

    assert [(tags[256], tags[257]) for tags in found] == [([2048], [2048]), ([1024], [1024]), ([512], [512])]
    for tags in found:
        assert len(tags[324]) == (tags[256][0] / 256) ** 2
        for offset, length in zip(tags[324], tags[325], strict=True):
            assert len(zlib.decompress(raster[int(offset) : int(offset + length)])) == 256 * 256 * 2


def test_every_tile_asked_for_lies_inside_the_raster() -> None:
    world, metres = 40_075_016.68, 2_000_000
    with (EXAMPLES / "titiler" / "tiles.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            size = world / 2 ** int(row["z"])
            left, top = int(row["x"]) * size - world / 2, world / 2 - int(row["y"]) * size
            assert 0 <= left <= left + size <= metres
            assert -1 <= top - size <= top <= metres  # metres: rounding


def test_no_figure_is_left_to_fill_in() -> None:
    assert re.findall(r"TODO\([^)]*\)|TODO", PAGE.read_text("utf-8")) == []


@pytest.mark.parametrize("app", APPS)
def test_a_matrix_is_accepted_as_it_stands(app: str) -> None:
    resolved = load_matrix(
        EXAMPLES / app / "harness.toml", project=ROOT, server_cpus=(1,), generator_cpus=(0,), environ={}
    )

    assert resolved.name == app
    assert len(resolved.variants) > 1
    assert all(scenario.requests for scenario in resolved.scenarios)
