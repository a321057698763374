from __future__ import annotations

import pytest

from target_app.settings import Settings, settings_or_exit


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TARGET_STAGE")


@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_variable_is_named_and_ends_the_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: str | None
) -> None:
    if value is not None:
        monkeypatch.setenv("TARGET_STAGE", value)
    with pytest.raises(SystemExit) as exit_:
        settings_or_exit()
    assert exit_.value.code == 3
    assert "TARGET_STAGE: Field required" in capsys.readouterr().err


def test_every_mistake_is_named_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TARGET_STAGE", "a\nb: c")
    monkeypatch.setenv("TARGET_FAULTS", "perhaps")
    monkeypatch.setenv("TARGET_DEPENDENCY", "nowhere")
    with pytest.raises(SystemExit):
        settings_or_exit()
    told = capsys.readouterr().err
    for name in ("TARGET_STAGE", "TARGET_FAULTS", "TARGET_DEPENDENCY"):
        assert f"  {name}: " in told


def test_defaults_and_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TARGET_STAGE", "staging")
    settings = settings_or_exit()
    assert str(settings.runtime_dir) == "/tmp/target"
    assert (settings.faults, settings.dependency) == (False, None)
    monkeypatch.setenv("TARGET_FAULTS", "true")
    monkeypatch.setenv("TARGET_DEPENDENCY", "db:5432")
    settings = Settings()  # type: ignore[call-arg]
    assert (settings.faults, settings.dependency) == (True, "db:5432")
