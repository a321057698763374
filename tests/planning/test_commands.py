from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
import uvicorn

from harness.deployment import NetworkPath
from harness.model import OWN_COMMAND, Variant
from harness.planning.commands import deployed, impossible, processes, server_argv, server_env
from harness.planning.example import EXAMPLE, example
from harness.recipes import EXPECTED_STACK, RECIPES
from harness.recipes.recipe import WRAPPER

UVICORN_TAIL = (
    "--no-access-log --timeout-keep-alive 5 --timeout-graceful-shutdown 10 --timeout-worker-healthcheck 30"
)
GUNICORN_TAIL = (
    "--keep-alive 5 --graceful-timeout 10 --timeout 30 --worker-tmp-dir /dev/shm --no-control-socket"
)
APP = WRAPPER

OURS = tuple(recipe for recipe in RECIPES if recipe != OWN_COMMAND)

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
    assert set(COMMANDS) == set(OURS) == set(EXPECTED_STACK)


@pytest.mark.parametrize("recipe", COMMANDS)
def test_default_levels_are_spelled_out_alike(recipe: str) -> None:
    workers = 1 if "workers" in RECIPES[recipe].fixed else 2
    assert " ".join(server_argv(Variant(recipe=recipe, workers=workers), EXAMPLE)) == COMMANDS[recipe]


@pytest.mark.parametrize("recipe", OURS)
@pytest.mark.parametrize(
    ("network", "host"),
    [("shared", "127.0.0.1"), ("host", "127.0.0.1"), ("bridge", "0.0.0.0"), ("published", "0.0.0.0")],
)
def test_only_load_from_another_namespace_opens_more_than_loopback(
    recipe: str, network: NetworkPath, host: str
) -> None:
    first, *behind = processes(Variant(recipe=recipe, workers=1, network=network), EXAMPLE, EXAMPLE.env)
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
    quiet = server_argv(Variant(recipe=recipe, workers=1), EXAMPLE)
    loud = server_argv(Variant(recipe=recipe, workers=1, access_log=True), EXAMPLE)
    assert [word for word in loud if word not in quiet] == words


def test_the_wrapper_hears_app_variant_and_log_level_and_the_app_its_settings() -> None:
    variant = Variant(recipe="fastapi-run", workers=2, access_log=True)
    assert server_env(variant, EXAMPLE, {"TARGET_STAGE": "test"}) == {
        "HARNESS_APP": "target_app.main:app",
        "HARNESS_VARIANT_ID": "fastapi-run.w2.log",
        "HARNESS_ACCESS_LOG": "true",
        "TARGET_STAGE": "test",
    }
    quiet = Variant(recipe="fastapi-run", workers=2)
    assert server_env(quiet, EXAMPLE, {})["HARNESS_ACCESS_LOG"] == "false"


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
    problem = impossible(variant, EXAMPLE)
    assert problem is not None
    assert says in problem
    with pytest.raises(ValueError, match=says.split("'")[0]):
        server_argv(variant, EXAMPLE)


@pytest.mark.parametrize("recipe", OURS)
def test_a_recipe_takes_every_level_that_is_not_fixed(recipe: str) -> None:
    levels = {"workers": 3, "keep_alive_s": 7, "graceful_timeout_s": 8, "worker_timeout_s": 9}
    free = {level: value for level, value in levels.items() if level not in RECIPES[recipe].fixed}
    variant = Variant(recipe=recipe, access_log=True, **{"workers": 1, **free})
    assert impossible(variant, EXAMPLE) is None
    first, *behind = processes(variant, EXAMPLE, EXAMPLE.env)
    # granian counts keep-alive in ms
    words = {word.removesuffix("000") for process in (behind or [first]) for word in process.argv}
    assert {str(value) for value in free.values()} <= {*words, str(len(behind))}


@pytest.mark.parametrize("bare", [False, True])
def test_a_setting_that_makes_a_recipe_reaches_the_app(bare: bool) -> None:
    mounted = Variant(recipe="uvicorn-mounted", workers=1, bare=bare)
    assert server_env(mounted, EXAMPLE, {})["TARGET_MOUNTED"] == "true"
    assert "TARGET_MOUNTED" not in server_env(replace(mounted, recipe="uvicorn-standard"), EXAMPLE, {})


def test_the_app_has_the_last_word_on_its_environment() -> None:
    variant = Variant(recipe="uvicorn-mounted", workers=1)
    assert server_env(variant, EXAMPLE, {"TARGET_MOUNTED": "false"})["TARGET_MOUNTED"] == "false"


@pytest.mark.parametrize("recipe", ["uvicorn-plain", "uvicorn-standard"])
@pytest.mark.parametrize("access_log", [False, True])
def test_uvicorn_itself_accepts_the_command(recipe: str, access_log: bool) -> None:
    argv = server_argv(Variant(recipe=recipe, workers=2, access_log=access_log, keep_alive_s=7), EXAMPLE)
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


def test_the_example_is_a_target_like_any_other() -> None:
    target = example(Path("/somewhere"))
    assert (target.context, target.app, target.ready) == (
        "/somewhere",
        "target_app.main:app",
        "/health/ready",
    )
    assert replace(target, context="") == EXAMPLE


FACTORY = replace(EXAMPLE, name="orders", app="orders.main:create_app()", env={})

BARE = {
    "uvicorn-standard": "uvicorn orders.main:create_app --factory --host",
    "uvicorn-reload": "uvicorn orders.main:create_app --factory --host",
    "gunicorn-asgi": "gunicorn orders.main:create_app() --bind",
    "gunicorn-uvicorn": "gunicorn orders.main:create_app() --bind",
    "granian": "granian orders.main:create_app --factory --interface",
    "hypercorn": "hypercorn orders.main:create_app() --bind",
}
BARE_IN_DIRECTORY = {
    "uvicorn-standard": "uvicorn orders.main:create_app --factory --app-dir src --host",
    "gunicorn-asgi": "gunicorn orders.main:create_app() --pythonpath src --bind",
    "granian": "granian orders.main:create_app --factory --working-dir src --interface",
    "hypercorn": "hypercorn src/orders.main:create_app() --bind",
}


@pytest.mark.parametrize("recipe", BARE)
def test_without_the_wrapper_a_factory_is_called_in_each_servers_own_way(recipe: str) -> None:
    (server,) = processes(Variant(recipe=recipe, workers=1, bare=True), FACTORY, {"A": "b"})
    assert " ".join(server.argv).startswith(BARE[recipe])
    assert server.env == {"A": "b"}


@pytest.mark.parametrize("recipe", BARE_IN_DIRECTORY)
def test_without_the_wrapper_the_server_looks_where_the_app_is(recipe: str) -> None:
    target = replace(FACTORY, app_dir="src")
    bare = Variant(recipe=recipe, workers=1, bare=True)
    assert " ".join(server_argv(bare, target)).startswith(BARE_IN_DIRECTORY[recipe])
    wrapped = replace(bare, bare=False)
    assert "src" not in " ".join(server_argv(wrapped, target))
    assert server_env(wrapped, target, {})["HARNESS_APP_DIR"] == "src"


def test_a_front_stands_before_the_bare_app_as_well() -> None:
    _, server = processes(Variant(recipe="nginx-plain", workers=1, bare=True), FACTORY, {"A": "b"})
    assert server.argv[:3] == ("uvicorn", "orders.main:create_app", "--factory")
    assert server.env == {"A": "b"}


@pytest.mark.parametrize(
    ("recipe", "changes", "says"),
    [
        ("fastapi-run", {"app": "orders.main:create_app()"}, "takes no factory"),
        ("fastapi-run", {"app": "main:app", "app_dir": "src"}, "in the working directory only"),
        ("fastapi-run", {"app": "main:app"}, "has no option for the access log"),
        ("gunicorn-asgi", {"app": "main:service.app"}, "takes no dotted name"),
        ("uvicorn-plain", {"app": None}, "names no app"),
        (OWN_COMMAND, {}, "no wrapper that could be left out"),
    ],
)
def test_what_a_server_cannot_do_with_an_app_alone_is_said(
    recipe: str, changes: dict[str, str | None], says: str
) -> None:
    target = replace(EXAMPLE, **changes)
    assert says in (impossible(Variant(recipe=recipe, workers=1, bare=True), target) or "")
    if target.app:
        assert impossible(Variant(recipe=recipe, workers=1), target) is None


def test_what_a_team_deploys_is_the_app_alone_whatever_could_be_measured_of_it() -> None:
    (server,) = deployed(Variant(recipe="fastapi-run", workers=2), EXAMPLE, EXAMPLE.env)
    assert server.argv[:4] == ("fastapi", "run", "--entrypoint", "target_app.main:app")
    assert server.env == EXAMPLE.env


@pytest.mark.parametrize(
    ("app", "app_dir", "watched"),
    [
        ("orders.main:app", "", "orders"),
        ("orders.api.main:app", "/srv/src", "/srv/src/orders"),
        ("main:app", "", "."),
        ("main:app", "src", "src"),
    ],
)
def test_a_reload_watches_where_the_app_is(app: str, app_dir: str, watched: str) -> None:
    argv = server_argv(
        Variant(recipe="uvicorn-reload", workers=1), replace(EXAMPLE, app=app, app_dir=app_dir)
    )
    assert argv[argv.index("--reload-dir") + 1] == watched


@pytest.mark.parametrize("command", [(), ("node", "server.js")])
def test_a_black_box_runs_its_own_command_in_its_own_environment(command: tuple[str, ...]) -> None:
    target = replace(EXAMPLE, app=None, command=command)
    (server,) = processes(Variant(recipe=OWN_COMMAND, workers=1), target, {"A": "b"})
    assert (server.argv, server.env) == (command, {"A": "b"})
    assert "workers = 2" in (impossible(Variant(recipe=OWN_COMMAND, workers=2), target) or "")


@pytest.mark.parametrize(
    ("recipe", "levels", "options"),
    [
        ("uvicorn-standard", {"backlog": 64}, "--backlog 64"),
        ("uvicorn-standard", {"limit_concurrency": 50}, "--limit-concurrency 50"),
        ("gunicorn-uvicorn", {"preload": True, "max_requests": 9, "backlog": 1}, None),
        ("gunicorn-asgi", {"preload": True}, "--preload"),
        ("granian", {"backlog": 128}, "--backlog 128"),
        ("hypercorn", {"backlog": 5, "max_requests": 7}, "--backlog 5 --max-requests 7"),
    ],
)
def test_a_level_is_an_option_of_the_server(recipe: str, levels: dict[str, Any], options: str | None) -> None:
    options = options or "--preload --backlog 1 --max-requests 9"
    plain = server_argv(Variant(recipe=recipe, workers=2), EXAMPLE)
    argv = server_argv(Variant(recipe=recipe, workers=2, **levels), EXAMPLE)
    assert argv == (*plain, *options.split())


def test_a_uvicorn_that_replaces_its_workers_looks_at_them_as_often_as_deployed() -> None:
    plain = server_argv(Variant(recipe="uvicorn-standard", workers=2), EXAMPLE)
    argv = server_argv(Variant(recipe="uvicorn-standard", workers=2, max_requests=1000), EXAMPLE)
    assert plain[-2:] == ("--timeout-worker-healthcheck", "30")
    assert argv == (*plain[:-2], "--limit-max-requests", "1000")


@pytest.mark.parametrize(
    ("recipe", "levels", "says"),
    [
        ("uvicorn-standard", {"preload": True}, "preload = True, but uvicorn-standard has no option"),
        ("fastapi-run", {"backlog": 64}, "backlog = 64, but fastapi-run has no option"),
        ("granian", {"max_requests": 9}, "max_requests = 9, but granian has no option"),
        ("granian", {"backlog": 127}, "granian takes 128 at least"),
        ("gunicorn-asgi", {"backlog": 64}, "asgi worker listens with 100 whatever --backlog says"),
        ("gunicorn-asgi-pure", {"backlog": 64}, "asgi worker listens with 100"),
        ("hypercorn", {"limit_concurrency": 9}, "limit_concurrency = 9, but hypercorn has no option"),
        ("gunicorn-asgi", {"limit_concurrency": 9}, "but gunicorn-asgi has no option"),
        ("nginx-plain", {"backlog": 64}, "but nginx-plain has no option"),
        ("nginx-replicas", {"max_requests": 9}, "one uvicorn process ends after them"),
        ("uvicorn-plain", {"max_requests": 9, "workers": 1}, "one uvicorn process ends after them"),
        ("uvicorn-plain", {"threads": 9, "bare": True}, "threads = 9 is set by the wrapper"),
        (OWN_COMMAND, {"threads": 9, "workers": 1}, "threads = 9, but own-command has no option"),
    ],
)
def test_a_level_that_a_server_lacks_is_refused(recipe: str, levels: dict[str, Any], says: str) -> None:
    variant = Variant(**{"recipe": recipe, "workers": 2, **levels})
    assert says in (impossible(variant, EXAMPLE) or "")


def test_threads_and_named_sets_go_into_the_environment() -> None:
    variant = Variant(
        recipe="uvicorn-plain", workers=1, threads=80, env_name="arena2", env=(("MALLOC_ARENA_MAX", "2"),)
    )
    assert variant.id == "uvicorn-plain.w1.t80.env-arena2"
    env = server_env(variant, EXAMPLE, {"MALLOC_ARENA_MAX": "8", "A": "b"})
    assert env["HARNESS_THREADS"] == "80"
    assert (env["MALLOC_ARENA_MAX"], env["A"]) == ("2", "b")
    behind = processes(replace(variant, recipe="nginx-plain"), EXAMPLE, {})[1]
    assert behind.env["MALLOC_ARENA_MAX"] == "2"
    own = server_env(replace(variant, recipe=OWN_COMMAND), EXAMPLE, {})
    assert own == {"MALLOC_ARENA_MAX": "2"}
