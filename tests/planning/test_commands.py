from __future__ import annotations

import click
import pytest
import uvicorn

from harness.deployment import NetworkPath
from harness.model import Variant
from harness.planning.commands import impossible, processes, server_argv, server_env
from harness.planning.recipes import EXPECTED_STACK, RECIPES

UVICORN_TAIL = (
    "--no-access-log --timeout-keep-alive 5 --timeout-graceful-shutdown 10 --timeout-worker-healthcheck 30"
)
GUNICORN_TAIL = (
    "--keep-alive 5 --graceful-timeout 10 --timeout 30 --worker-tmp-dir /dev/shm --no-control-socket"
)
APP = "target_app.main:app"

COMMANDS = {
    "uvicorn-plain": f"uvicorn {APP} --host 127.0.0.1 --port {{port}} --workers 2 "
    f"--loop asyncio --http h11 {UVICORN_TAIL}",
    "uvicorn-standard": f"uvicorn {APP} --host 127.0.0.1 --port {{port}} --workers 2 "
    f"--loop uvloop --http httptools {UVICORN_TAIL}",
    "uvicorn-no-proxy-headers": f"uvicorn {APP} --host 127.0.0.1 --port {{port}} --workers 2 "
    f"--loop uvloop --http httptools {UVICORN_TAIL} --no-proxy-headers",
    "uvicorn-mounted": f"uvicorn {APP} --host 127.0.0.1 --port {{port}} --workers 2 "
    f"--loop uvloop --http httptools {UVICORN_TAIL}",
    "uvicorn-zttp": f"uvicorn {APP} --host 127.0.0.1 --port {{port}} --workers 2 "
    f"--loop uvloop --http zttp {UVICORN_TAIL}",
    "uvicorn-rloop": f"uvicorn {APP} --host 127.0.0.1 --port {{port}} --workers 2 "
    f"--loop rloop:new_event_loop --http httptools {UVICORN_TAIL}",
    "uvicorn-reload": f"uvicorn {APP} --host 127.0.0.1 --port {{port}} --reload --reload-dir target_app "
    f"--loop uvloop --http httptools {UVICORN_TAIL}",
    "fastapi-run": f"fastapi run --entrypoint {APP} --host 127.0.0.1 --port {{port}} --workers 2 "
    "--proxy-headers",
    "fastapi-run-no-proxy-headers": f"fastapi run --entrypoint {APP} --host 127.0.0.1 --port {{port}} "
    "--workers 2 --no-proxy-headers",
    "granian": f"granian {APP} --interface asgi --host 127.0.0.1 --port {{port}} --workers 2 "
    "--loop uvloop --http 1 --no-access-log --http1-header-read-timeout 5000 --workers-kill-timeout 10",
    "hypercorn": f"hypercorn {APP} --bind 127.0.0.1:{{port}} --workers 2 --worker-class uvloop "
    "--keep-alive 5 --graceful-timeout 10",
    "gunicorn-uvicorn-deprecated": f"gunicorn {APP} --bind 127.0.0.1:{{port}} --workers 2 "
    f"--worker-class uvicorn.workers.UvicornWorker {GUNICORN_TAIL}",
    "gunicorn-asgi-pure": f"gunicorn {APP} --bind 127.0.0.1:{{port}} --workers 2 --worker-class asgi "
    f"--asgi-loop uvloop --http-parser python --asgi-lifespan on {GUNICORN_TAIL}",
    "gunicorn-sync": f"gunicorn {APP} --bind 127.0.0.1:{{port}} --workers 2 --worker-class sync "
    f"{GUNICORN_TAIL}",
    "gunicorn-uvicorn": f"gunicorn {APP} --bind 127.0.0.1:{{port}} --workers 2 "
    f"--worker-class uvicorn_worker.UvicornWorker {GUNICORN_TAIL}",
    "gunicorn-asgi": f"gunicorn {APP} --bind 127.0.0.1:{{port}} --workers 2 --worker-class asgi "
    f"--asgi-loop uvloop --http-parser fast --asgi-lifespan on {GUNICORN_TAIL}",
    "uvicorn-tls": f"uvicorn {APP} --host 127.0.0.1 --port {{port}} --workers 2 "
    f"--loop uvloop --http httptools {UVICORN_TAIL} "
    f"--ssl-keyfile {{tls}}/key.pem --ssl-certfile {{tls}}/cert.pem",
    "nginx-plain": "python -m front.nginx",
    "nginx-tls": "python -m front.nginx",
    "nginx-replicas": "python -m front.nginx",
}


def test_every_recipe_has_a_command_here() -> None:
    assert set(COMMANDS) == set(RECIPES) == set(EXPECTED_STACK)


@pytest.mark.parametrize("recipe", COMMANDS)
def test_default_levels_are_spelled_out_alike(recipe: str) -> None:
    workers = 1 if "workers" in RECIPES[recipe].fixed else 2
    assert " ".join(server_argv(Variant(recipe=recipe, workers=workers))) == COMMANDS[recipe]


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize(
    ("network", "host"),
    [("shared", "127.0.0.1"), ("host", "127.0.0.1"), ("bridge", "0.0.0.0"), ("published", "0.0.0.0")],
)
def test_only_load_from_another_namespace_opens_more_than_loopback(
    recipe: str, network: NetworkPath, host: str
) -> None:
    first, *behind = processes(Variant(recipe=recipe, workers=1, network=network))
    words = " ".join((*first.argv, *first.env.values())).split()
    bound = {word.removesuffix(":{port}") for word in words if word.startswith(("127.0.0.1", "0.0.0.0"))}
    # A proxy dials the servers behind it, which nobody else is to reach.
    assert bound - {f"127.0.0.1:{{port{n}}}" for n, _ in enumerate(behind, start=1)} == {host}
    for process in behind:
        assert process.argv[process.argv.index("--host") + 1] == "127.0.0.1"


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ("uvicorn-plain", ["--access-log"]),
        ("gunicorn-uvicorn", ["--access-logfile", "-"]),
        ("hypercorn", ["--access-logfile", "-"]),
        ("granian", ["--access-log"]),
    ],
)
def test_the_access_log_is_a_level(recipe: str, words: list[str]) -> None:
    quiet = server_argv(Variant(recipe=recipe, workers=1))
    loud = server_argv(Variant(recipe=recipe, workers=1, access_log=True))
    assert [word for word in loud if word not in quiet] == words


def test_the_app_hears_its_own_name_and_the_log_level() -> None:
    variant = Variant(recipe="fastapi-run", workers=2, access_log=True)
    assert server_env(variant) == {"TARGET_VARIANT_ID": "fastapi-run.w2.log", "TARGET_ACCESS_LOG": "true"}
    assert server_env(Variant(recipe="fastapi-run", workers=2))["TARGET_ACCESS_LOG"] == "false"


@pytest.mark.parametrize(
    ("variant", "says"),
    [
        (Variant(recipe="uvicorn", workers=1), "unknown recipe 'uvicorn'"),
        (Variant(recipe="uvicorn-plain", workers=0), "at least 1"),
        (Variant(recipe="nginx-plain", workers=1, cpu_quota=0.5), "each of its containers"),
        (Variant(recipe="nginx-replicas", workers=2, memory_mib=256), "each of its containers"),
        (Variant(recipe="fastapi-run", workers=1, keep_alive_s=2), "keep_alive_s = 2, but"),
        (Variant(recipe="fastapi-run", workers=1, graceful_timeout_s=3), "graceful_timeout_s = 3, but"),
        (Variant(recipe="fastapi-run", workers=1, worker_timeout_s=3), "leave worker_timeout_s at 30"),
        (Variant(recipe="granian", workers=1, keep_alive_s=61), "granian takes 60 at most"),
        (Variant(recipe="hypercorn", workers=1, worker_timeout_s=3), "worker_timeout_s = 3, but hypercorn"),
        (Variant(recipe="uvicorn-reload", workers=2), "workers = 2, but uvicorn-reload has no option for it"),
    ],
)
def test_an_impossible_variant_is_named_and_never_started(variant: Variant, says: str) -> None:
    problem = impossible(variant)
    assert problem is not None
    assert says in problem
    with pytest.raises(ValueError, match=says.split("'")[0]):
        server_argv(variant)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_takes_every_level_that_is_not_fixed(recipe: str) -> None:
    levels = {"workers": 3, "keep_alive_s": 7, "graceful_timeout_s": 8, "worker_timeout_s": 9}
    free = {level: value for level, value in levels.items() if level not in RECIPES[recipe].fixed}
    variant = Variant(recipe=recipe, access_log=True, **{"workers": 1, **free})
    assert impossible(variant) is None
    first, *behind = processes(variant)
    # granian counts keep-alive in ms
    words = {word.removesuffix("000") for process in (behind or [first]) for word in process.argv}
    assert {str(value) for value in free.values()} <= {*words, str(len(behind))}


def test_what_is_no_recipe_has_the_settings_of_its_name_and_level_alone() -> None:
    assert set(server_env(Variant(recipe="redis", workers=1))) == {"TARGET_VARIANT_ID", "TARGET_ACCESS_LOG"}


def test_a_setting_that_makes_a_recipe_reaches_the_app() -> None:
    assert server_env(Variant(recipe="uvicorn-mounted", workers=1))["TARGET_MOUNTED"] == "true"
    assert "TARGET_MOUNTED" not in server_env(Variant(recipe="uvicorn-standard", workers=1))


@pytest.mark.parametrize("recipe", ["uvicorn-plain", "uvicorn-standard"])
@pytest.mark.parametrize("access_log", [False, True])
def test_uvicorn_itself_accepts_the_command(recipe: str, access_log: bool) -> None:
    argv = server_argv(Variant(recipe=recipe, workers=2, access_log=access_log, keep_alive_s=7))
    words = ["8000" if word == "{port}" else word for word in argv]
    with uvicorn.main.make_context(words[0], words[1:]) as context:
        assert isinstance(context, click.Context)
        assert context.params["workers"] == 2
        assert context.params["access_log"] is access_log
        assert context.params["timeout_keep_alive"] == 7
        assert context.params["timeout_graceful_shutdown"] == 10
        assert context.params["timeout_worker_healthcheck"] == 30


def test_simplicity_orders_the_recipes_and_plain_uvicorn_is_simplest() -> None:
    ranks = [recipe.simplicity for recipe in RECIPES.values()]
    assert len(set(ranks)) == len(ranks)
    assert min(RECIPES, key=lambda name: RECIPES[name].simplicity) == "uvicorn-plain"
