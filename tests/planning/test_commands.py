from __future__ import annotations

import click
import pytest
import uvicorn

from harness.model import NetworkPath, Variant
from harness.planning.commands import EXPECTED_STACK, RECIPES, impossible, processes, server_argv, server_env

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
    "fastapi-run": f"fastapi run --entrypoint {APP} --host 127.0.0.1 --port {{port}} --workers 2",
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
    assert " ".join(server_argv(Variant(recipe=recipe, workers=2))) == COMMANDS[recipe]


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
    [("uvicorn-plain", ["--access-log"]), ("gunicorn-uvicorn", ["--access-logfile", "-"])],
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
        (Variant(recipe="fastapi-run", workers=1, keep_alive_s=2), "no --timeout-keep-alive"),
        (Variant(recipe="fastapi-run", workers=1, graceful_timeout_s=3), "no --timeout-graceful-shutdown"),
        (Variant(recipe="fastapi-run", workers=1, worker_timeout_s=3), "no --timeout-worker-healthcheck"),
    ],
)
def test_an_impossible_variant_is_named_and_never_started(variant: Variant, says: str) -> None:
    problem = impossible(variant)
    assert problem is not None
    assert says in problem
    with pytest.raises(ValueError, match=says.split("'")[0]):
        server_argv(variant)


@pytest.mark.parametrize("recipe", set(RECIPES) - {"fastapi-run"})
def test_other_recipes_take_every_level(recipe: str) -> None:
    variant = Variant(
        recipe=recipe, workers=3, access_log=True, keep_alive_s=7, graceful_timeout_s=8, worker_timeout_s=9
    )
    assert impossible(variant) is None
    first, *behind = processes(variant)
    assert {"7", "8", "9"} <= {word for process in (behind or [first]) for word in process.argv}
    assert len(behind) == 3 or any("3" in process.argv for process in (first, *behind))


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
