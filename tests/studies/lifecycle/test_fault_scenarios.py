"""What probes do in which order, and that they count what servers lose: no more, no less."""

from __future__ import annotations

from pathlib import Path

import pytest

from studies.lifecycle import command_form, graceful_stop, reload, worker_killed
from tests.studies.lifecycle.fakes import FakeRig

IDLE, IN_FLIGHT = graceful_stop.IDLE, graceful_stop.IN_FLIGHT
NEW = len(graceful_stop.NEWCOMERS_AT_S)
FIRST_NEW = IDLE + IN_FLIGHT + 1
LIVED = ["startup", "startup", "shutdown", "shutdown"]


@pytest.fixture(autouse=True)
def _newcomers_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """All as soon as the stop has surely begun: the scripted server has no time in which to change."""
    monkeypatch.setattr(graceful_stop, "NEWCOMERS_AT_S", graceful_stop.NEWCOMERS_AT_S[:1] * NEW)


def seen_in(equipment: FakeRig, module: object, target: str) -> dict[str, object]:
    return {observation.quantity: observation for observation in module.observe(equipment, target)}


def test_a_stop_that_loses_nothing(tmp_path: Path) -> None:
    equipment = FakeRig(tmp_path, lambda _: "ok", repeats=2, events=LIVED)
    seen = seen_in(equipment, graceful_stop, "uvicorn-standard.w2")
    assert [container.story for container in equipment.containers] == [[("stop", IDLE + IN_FLIGHT)]] * 2
    for quantity, tries in {"lost_in_flight": IN_FLIGHT, "lost_new": NEW, "lost_idle": IDLE}.items():
        assert (seen[quantity].values, seen[quantity].of) == ((0, 0), 2 * tries)
    assert seen["refused_new"].values == seen["closed_idle"].values == (0, 0)
    assert seen["lifespan_shutdown"].values == (1, 1)


def test_every_kind_of_loss_is_counted_as_its_own(tmp_path: Path) -> None:
    """Ids are in the order of sending: idle connections' first use, in flight, newcomers, idle again."""

    def script(request_id: int) -> str:
        lost_in_flight, lost_new = IDLE + 1, (FIRST_NEW, FIRST_NEW + 1)
        lost_idle = FIRST_NEW + NEW
        lost = {lost_in_flight: "close", lost_new[0]: "close", lost_new[1]: "error", lost_idle: "truncated"}
        return lost.get(request_id, "ok")

    equipment = FakeRig(tmp_path, script, repeats=1, events=LIVED[:3])
    seen = seen_in(equipment, graceful_stop, "gunicorn-asgi.w2")
    assert {quantity: seen[quantity].values for quantity in ("lost_in_flight", "lost_new", "lost_idle")} == {
        "lost_in_flight": (1,),
        "lost_new": (2,),
        "lost_idle": (1,),
    }
    assert seen["lost_new"].note == "answered 2, closed 1, status 500 1"
    assert seen["lifespan_shutdown"].values == (0,)


def test_a_connection_ended_before_it_is_used_again_is_not_a_lost_request(tmp_path: Path) -> None:
    equipment = FakeRig(
        tmp_path, lambda request_id: "last" if request_id <= IDLE else "ok", repeats=1, events=LIVED
    )
    seen = seen_in(equipment, graceful_stop, "fastapi-run.w2")
    assert (seen["closed_idle"].values, seen["closed_idle"].of) == ((IDLE,), IDLE)
    assert (seen["lost_idle"].values, seen["lost_idle"].of) == ((None,), 0)


def test_a_worker_is_killed_while_requests_are_under_way(tmp_path: Path) -> None:
    equipment = FakeRig(
        tmp_path, lambda request_id: "close" if request_id == 1 else "ok", repeats=1, events=[]
    )
    seen = seen_in(equipment, worker_killed, "uvicorn-standard.w2")
    ((killed, _),) = equipment.containers[0].story
    assert killed == "SIGKILL to 8"
    assert seen["failed"].values == (1,)
    assert seen["failed"].of >= 1


def test_the_new_release_is_there_before_the_reload_and_must_be_what_is_served(tmp_path: Path) -> None:
    equipment = FakeRig(tmp_path, lambda _: "ok", repeats=1, events=[])
    seen = seen_in(equipment, reload, "gunicorn-asgi.w2")
    assert (tmp_path / reload.RELEASE_FILE).read_text() == reload.NEW
    assert [what for what, _ in equipment.containers[0].story] == ["SIGHUP"]
    assert seen["lost_in_flight"].values == seen["lost_keep_alive"].values == (0,)
    # The scripted server knows no releases.
    assert seen["new_code_served"].values == (0,)


def test_what_a_shell_form_loses_is_counted_over_the_whole_stop(tmp_path: Path) -> None:
    equipment = FakeRig(tmp_path, lambda _: "close", repeats=3, events=[])
    seen = seen_in(equipment, command_form, "shell-form")
    assert seen["stop_s"].values == (0.5, 0.5, 0.5)
    assert sum(seen["lost_in_flight"].values) == seen["lost_in_flight"].of > 0
