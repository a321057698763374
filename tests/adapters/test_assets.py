"""Where the files that ship are looked for, and where what is made from them goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.adapters import assets as module
from harness.adapters.assets import OVERRIDE, assets, base_image_remedy, engine_remedy, preset, workspace
from harness.errors import EnvironmentProblem

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As it is after the wheel was installed."""
    directory = tmp_path / "site-packages" / "harness" / "_shipped"
    (directory / "matrices").mkdir(parents=True)
    (directory / "matrices" / "quick.toml").touch()
    (directory / "Dockerfile.variants").touch()
    monkeypatch.setattr(module, "SHIPPED", directory)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return directory


def test_a_checkout_is_used_wherever_the_command_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert assets() == CHECKOUT
    assert workspace() == CHECKOUT / ".harness"


def test_what_a_wheel_brought_is_used_and_never_written_to(shipped: Path, tmp_path: Path) -> None:
    before = sorted(shipped.rglob("*"))
    assert assets() == shipped
    assert workspace() == tmp_path / "cache" / "harness"
    assert workspace().is_dir()
    assert sorted(shipped.rglob("*")) == before


def test_other_assets_bring_a_workspace_of_their_own(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "Dockerfile.variants").touch()
    monkeypatch.setenv(OVERRIDE, str(own))
    assert assets() == own
    assert workspace() == workspace(own) == own / ".harness"


def test_assets_that_are_not_there_are_an_error_with_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OVERRIDE, str(tmp_path))
    with pytest.raises(EnvironmentProblem, match=f"Dockerfile.variants(.|\n)*Fix: unset {OVERRIDE}"):
        assets()
    monkeypatch.delenv(OVERRIDE)
    monkeypatch.setattr(module, "SHIPPED", tmp_path)
    with pytest.raises(EnvironmentProblem, match="Fix: install harness again"):
        assets()


def test_a_workspace_that_cannot_be_made_is_an_error_with_a_way_out(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("no directory")
    with pytest.raises(EnvironmentProblem, match="Fix: set XDG_CACHE_HOME"):
        workspace()
    with pytest.raises(EnvironmentProblem, match="Fix: give this user the right"):
        workspace(tmp_path / "cache")


def test_remedies_are_commands_that_there_are(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "scripts/" not in engine_remedy() + base_image_remedy()
    monkeypatch.setenv(OVERRIDE, str(CHECKOUT))
    for remedy in (engine_remedy(), base_image_remedy()):
        assert (CHECKOUT / remedy.removeprefix("sudo ")).is_file()


def test_a_matrix_that_ships_is_found_by_its_name(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert preset(Path("quick"), shipped) == shipped / "matrices" / "quick.toml"
    for other in ("quick.toml", "matrices/quick", "quik"):
        assert preset(Path(other), shipped) == Path(other)
    Path("quick").touch()
    assert preset(Path("quick"), shipped) == Path("quick")
