"""The page of a plan about a team's target and requests."""

from __future__ import annotations

from dataclasses import replace

from harness.model import ClosedLoad, Matrix, Scenario, Variant
from harness.planning.plan import cells_of, plan_blocks
from harness.reporting.plan import plan_text
from harness.target import Service, Target
from harness.workload import RequestSpec

TARGET = Target(
    name="orders",
    app="orders.main:app",
    app_dir="src",
    context="/home/team/orders",
    requirements="uv.lock",
    env={"LOG_LEVEL": "warning"},
    secret_env=("DATABASE_URL",),
    env_file=".env",
    writable=("/data",),
    services=(
        Service(name="db", image="postgres:17", ready="tcp:5432", setup=(("alembic", "upgrade", "head"),)),
        Service(name="mq", image="rabbit", ready=("rabbit", "ping"), life="block"),
    ),
)
SCENARIO = Scenario(
    name="checkout",
    locustfile="",
    load=ClosedLoad(clients=4),
    warmup_s=1.0,
    measure_s=2.0,
    slo_ms=100.0,
    requests=(
        RequestSpec(path="/orders/{id}", method="POST", json={"a": 1}, weight=3, data="orders.csv"),
        RequestSpec(path="/orders"),
    ),
    before=(
        RequestSpec(
            path="/login", method="POST", form={"password": "{env:BENCH_PASSWORD}"}, keep={"token": "json:t"}
        ),
    ),
    files_sha256={"orders.csv": "0123456789abcdef" * 4},
)


def text(target: Target, variant: Variant, *remarks: str) -> str:
    matrix = Matrix(
        name="m",
        description="",
        variants=(variant,),
        scenarios=(SCENARIO,),
        baseline_id=variant.id,
        blocks=1,
        seed=7,
        margin=0.03,
        budget_s=100.0,
        ready_timeout_s=30,
        server_cpus=(1,),
        generator_cpus=(0,),
        target=target,
    )
    return plan_text(matrix, plan_blocks(cells_of(matrix), blocks=1, seed=7), remarks=remarks)


def test_the_target_its_services_and_requests_are_shown() -> None:
    shown = text(TARGET, Variant(recipe="granian", workers=2), "a Dockerfile is there and was not used")
    for expected in (
        "target: orders\n  app          orders.main:app in src\n",
        "image        made from uv.lock and /home/team/orders",
        "ready        once the first request is answered as expected",
        "secrets      DATABASE_URL (from .env; values are not stored)",
        "service      db: postgres:17, kept for the whole run\n    ready      tcp:5432\n",
        "    set up by  alembic upgrade head",
        "service      mq: rabbit, fresh for each block\n    ready      rabbit ping",
        "note: a Dockerfile is there and was not used",
        "    evidence     wrapped",
        "    once a client  POST /login with form -> 200, keeps token",
        "    3 of 4  POST /orders/{id} with json -> 200, rows of orders.csv",
        "    1 of 4  GET /orders -> 200",
        "    secrets  BENCH_PASSWORD (values are not stored)",
        "    file  orders.csv  sha256 0123456789ab",
    ):
        assert expected in shown


def test_a_black_box_is_called_one() -> None:
    target = replace(TARGET, app=None, image="nginx:1", command=("nginx", "-g", "daemon off;"), port=80)
    shown = text(target, Variant(recipe="own-command", workers=1))
    for expected in (
        "app          none: a black box with its own command",
        "image        nginx:1",
        "command      nginx -g 'daemon off;' (port 80)",
        "evidence     black box",
        "workers      as the image starts them",
    ):
        assert expected in shown


def test_a_black_box_that_starts_by_its_image_alone_says_so() -> None:
    target = replace(TARGET, app=None, image="nginx:1", command=(), env={}, port=80)
    shown = text(target, Variant(recipe="own-command", workers=1))
    assert "    command      the image's own" in shown
    assert "environment" not in shown
    assert "instead of 8000" not in shown
