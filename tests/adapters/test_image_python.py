"""Which interpreter and which user an image is taken for."""

from __future__ import annotations

from typing import Any

import pytest

from harness.adapters.docker_containers import with_harness
from harness.adapters.docker_services import is_listening, port_of
from harness.adapters.image_python import ImageFacts, find_python, owner_options, runtime_user

SYSTEM = "/usr/local/bin/python"


def facts(**config: Any) -> ImageFacts:
    return ImageFacts.of({"Env": ["PATH=/usr/local/bin:/usr/bin"], **config})


@pytest.mark.parametrize(
    ("config", "wanted", "there", "found"),
    [
        ({}, None, {SYSTEM}, SYSTEM),
        ({}, None, {"/usr/bin/python3"}, "/usr/bin/python3"),
        ({"WorkingDir": "/srv"}, None, {SYSTEM, "/srv/.venv/bin/python"}, "/srv/.venv/bin/python"),
        ({"Env": ["VIRTUAL_ENV=/v"]}, None, {SYSTEM, "/v/bin/python"}, "/v/bin/python"),
        ({"Entrypoint": ["/v/bin/uvicorn"]}, None, {SYSTEM, "/v/bin/python3"}, "/v/bin/python3"),
        ({"Cmd": ["uvicorn", "a:b"]}, None, {SYSTEM}, SYSTEM),
        ({}, "/opt/py/bin/python", {SYSTEM, "/opt/py/bin/python"}, "/opt/py/bin/python"),
        ({}, "python3.12", {SYSTEM, "/usr/bin/python3.12"}, "/usr/bin/python3.12"),
        ({}, "/opt/py/bin/python", {SYSTEM}, None),
        ({}, None, set(), None),
    ],
)
def test_the_interpreter_of_the_app_is_found(
    config: dict[str, Any], wanted: str | None, there: set[str], found: str | None
) -> None:
    assert find_python(facts(**config), wanted, there.__contains__) == found


@pytest.mark.parametrize(
    ("wanted", "image", "user"),
    [
        (None, "", "10001:10001"),
        (None, "root", "10001:10001"),
        (None, "0:0", "10001:10001"),
        (None, "web", "web"),
        (None, "1234:5", "1234:5"),
        ("0:0", "web", "0:0"),
    ],
)
def test_an_app_runs_as_its_image_says_but_as_root_only_where_that_is_wanted(
    wanted: str | None, image: str, user: str
) -> None:
    assert runtime_user(wanted, facts(User=image)) == user


def test_a_layer_s_user_was_chosen_when_it_was_built() -> None:
    assert runtime_user(None, facts(User="0:0", Labels={"harness.recipe": "granian"})) == "0:0"


def test_a_team_s_path_does_not_hide_the_wrapper() -> None:
    env = {"PYTHONPATH": "/app/src", "PATH": "/v/bin", "WORD": "x"}
    assert with_harness(env, layer=False) == env
    assert with_harness(env, layer=True) == {
        "PYTHONPATH": "/app/src:/opt/harness",
        "PATH": "/opt/harness/bin:/v/bin",
        "WORD": "x",
    }


def test_a_writable_directory_belongs_to_the_user_by_number() -> None:
    passwd = "root:x:0:0:root:/root:/bin/sh\nweb:x:1234:1235::/home/web:/bin/sh\n"
    assert owner_options("web:web", passwd) == ",uid=1234"
    assert owner_options("20000:20000", "") == ",uid=20000"
    assert owner_options("", passwd) == owner_options("unknown", passwd) == ""


HEAD = "  sl  local_address rem_address   st tx_queue\n"


@pytest.mark.parametrize(
    ("line", "listens"),
    [
        ("   0: 00000000:1538 00000000:0000 0A 0", True),
        ("   0: 00000000000000000000000000000000:1538 00000000000000000000000000000000:0000 0A 0", True),
        ("   0: 020011AC:1538 00000000:0000 0A 0", True),
        ("   0: 0100007F:1538 00000000:0000 0A 0", False),
        ("   0: 00000000000000000000000001000000:1538 00000000000000000000000000000000:0000 0A 0", False),
        ("   0: 00000000:1538 0100007F:9999 01 0", False),
        ("   0: 00000000:1539 00000000:0000 0A 0", False),
        ("", False),
    ],
)
def test_a_service_listens_where_others_can_reach_it(line: str, listens: bool) -> None:
    assert is_listening(f"{HEAD}{line}\n{HEAD}", 5432) is listens


def test_only_a_port_is_waited_for() -> None:
    assert port_of("tcp:5432") == 5432
    for wrong in ("5432", "tcp:", "udp:53", "tcp:http"):
        with pytest.raises(ValueError, match="neither"):
            port_of(wrong)
