"""What a manifest says of its run may be handed on."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.adapters.provenance import provenance
from tests.fakes import FakeClock, FakeEngine


@pytest.mark.parametrize(("matrix", "named"), [("sub/m.toml", "sub/m.toml"), ("../other/m.toml", None)])
def test_the_matrix_is_named_as_it_is_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, matrix: str, named: str | None
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    path = (here / matrix).resolve()
    path.parent.mkdir()
    path.touch()
    facts = provenance(path, here, FakeEngine(clock=FakeClock()), images={}, failed_builds={})
    assert facts["command"] == f"harness run --matrix {named or path}"
