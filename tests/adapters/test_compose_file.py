"""Compose files as teams write them, and as nobody should."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.adapters.compose_file import read_compose
from harness.errors import ConfigurationError


def read(directory: Path, text: str) -> Any:
    path = directory / "compose.yaml"
    path.write_text(text, encoding="utf-8")
    return read_compose(path)


def test_values_stay_the_texts_that_they_are(tmp_path: Path) -> None:
    text = "ports: [22:22]\nenvironment: {A: no, B: 1.10, C: , D: '', E: 0x1f, F: null}\n"
    assert read(tmp_path, text) == {
        "ports": ["22:22"],
        "environment": {"A": "no", "B": "1.10", "C": None, "D": "", "E": "0x1f", "F": None},
    }


def test_what_is_shared_is_merged_as_compose_does(tmp_path: Path) -> None:
    text = "x-a: &a {k: 1, l: 1}\nx-b: &b {k: 2, m: 2}\ns: {<<: [*a, *b], l: 3}\nt: {<<: *b}\n"
    document = read(tmp_path, text)
    assert document["s"] == {"k": "1", "l": "3", "m": "2"}
    assert document["t"] == {"k": "2", "m": "2"}


def test_an_empty_file_is_an_empty_table(tmp_path: Path) -> None:
    assert read(tmp_path, "# nothing\n") == {}


def test_tags_of_python_make_no_objects(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    document = read(tmp_path, f"a: !!python/object/apply:os.system ['touch {marker}']\n")
    assert not marker.exists()
    assert document == {"a": [f"touch {marker}"]}


def bomb(start: str, line: str) -> str:
    return start + "".join(line.format(name=chr(98 + n), ref=f"*{chr(97 + n)}") for n in range(20))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (bomb("a: &a [x, x]\n", "{name}: &{name} [{ref}, {ref}, {ref}, {ref}, {ref}]\n"), "anchors"),
        (bomb("a: &a {{k: v}}\n".format(), "{name}: &{name} {{k: {ref}, l: {ref}, <<: {ref}}}\n"), "anchors"),
        ("a: &a [*a]\n", "anchors"),
        ("a: &a {<<: *a}\n", "anchors"),
        ("[" * 50_000, "nested too deeply"),
        ("a: [\n", "not valid YAML"),
        ("a: *nothing\n", "not valid YAML"),
        ("a: 1\n---\nb: 2\n", "not valid YAML"),
        ("a: \x01\n", "not valid YAML"),
    ],
)
def test_bombs_and_broken_files_are_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        read(tmp_path, text)


def test_a_file_of_50_mb_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    with path.open("wb") as file:
        file.truncate(50_000_000)
    with pytest.raises(ConfigurationError, match="larger than 256,000 bytes"):
        read_compose(path)


def test_what_is_no_readable_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        read_compose(tmp_path / "compose.yaml")
    (tmp_path / "latin").write_bytes(b"a: \xff\n")
    for path in (tmp_path, tmp_path / "latin"):
        with pytest.raises(ConfigurationError, match="cannot be read"):
            read_compose(path)
