"""For every claim, a world in which it is true and one in which it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from harness.model import OpenLoad
from studies.claims.claim_evidence import ClaimEvidence
from studies.observations import Observation
from tests.studies.claims.worlds import a_run, evidence, scenario, seen, speeds, variant

World = Callable[[bool], ClaimEvidence]
"""The evidence of a world in which the claim is true, or false."""

LIFE = partial(seen, "lifecycle")
IMAGE = partial(seen, "images")
NEWCOMERS = ("granian", "hypercorn", "uvicorn_zttp", "uvicorn_rloop")
STANDARD, GUNICORN = "uvicorn-standard.w2", "gunicorn-uvicorn.w2"


def lost(requests: int, nothing: bool) -> list[int]:
    """What each of 20 repeats lost."""
    return [0 if nothing else requests] * 20


def servers(**by_variant: float) -> ClaimEvidence:
    return evidence(speeds("servers", uvicorn_standard__w1=1.0, **by_variant))


def sized(probe: str, one: str, other: str, *quantities: str) -> Callable[[bool], list[Observation]]:
    """Two images, the first of them the smaller one or not."""

    def world(true: bool) -> list[Observation]:
        return [
            IMAGE(probe, side, quantity, size, unit="bytes")
            for quantity in quantities
            for side, size in ((one, 50e6), (other, 90e6 if true else 50e6))
        ]

    return world


def timed(probe: str, one: str, other: str, quantity: str, true: bool) -> list[Observation]:
    slow = (9.0, 9.2, 9.1) if true else (1.01, 1.0, 1.02)
    return [
        IMAGE(probe, one, quantity, 1.0, 1.01, 1.02, unit="s"),
        IMAGE(probe, other, quantity, *slow, unit="s"),
    ]


def s1(true: bool) -> ClaimEvidence:
    images = sized("plain-or-standard", "plain", "standard", "unpacked_bytes")(true)
    return evidence(
        speeds("servers", uvicorn_standard__w1=1.0, uvicorn_plain__w1=1.0 if true else 0.6), *images
    )


def s3(true: bool) -> ClaimEvidence:
    more = 1.5 if true else 0.9
    return evidence(
        speeds("servers", uvicorn_standard__w1=1.0, uvicorn_standard__w2=more),
        speeds("workers-all-cpus", uvicorn_standard__w1=1.0, uvicorn_standard__w2=more),
        LIFE("worker-killed", STANDARD, "replaced_s", 1.0 if true else None),
    )


def s4(true: bool) -> ClaimEvidence:
    speed = 1.3 if true else 0.9
    return evidence(
        speeds(
            "servers",
            uvicorn_standard__w1=1.0,
            gunicorn_uvicorn__w1=speed,
            gunicorn_uvicorn_deprecated__w1=speed,
        ),
        *(
            LIFE(probe, target, "replaced_s", value)
            for probe in ("worker-killed", "stuck-blocked-loop")
            for target, value in ((GUNICORN, 1.0), (STANDARD, None if true else 1.0))
        ),
    )


def s7(true: bool) -> ClaimEvidence:
    broken = ("gunicorn-sync.w1",) if true else ()
    return evidence(speeds("wsgi-mismatch", gunicorn_uvicorn__w1=1.0, gunicorn_sync__w1=1.0, broken=broken))


def s8(true: bool) -> ClaimEvidence:
    speed = 1.0 if true else 0.7
    names = {"uvicorn_standard__w2": 1.0, "uvicorn_standard__w4": 1.0}
    return evidence(speeds("replicas", **names, nginx_replicas__w2=speed, nginx_replicas__w4=speed))


def s9(true: bool) -> ClaimEvidence:
    worse = {"throughput_per_s": 700.0, "working_set_peak_bytes": 90e6} if true else {}
    cells = {
        variant("uvicorn-standard"): {},
        variant("uvicorn-reload"): {"items": worse, "fan_out": worse},
    }
    return evidence(a_run("reload", cells))


def s10(true: bool) -> ClaimEvidence:
    changed = {"throughput_per_s": 1300.0, "cpu_ms_per_request": 0.1} if true else {"throughput_per_s": 700.0}
    cells = {variant("uvicorn-tls"): {}, variant("nginx-tls"): {"items": changed, "fan_out": changed}}
    return evidence(a_run("tls", cells))


def pair(preset: str, first: str, second: str, when_true: float, when_false: float) -> World:
    return lambda true: evidence(speeds(preset, **{first: 1.0, second: when_true if true else when_false}))


def i5(true: bool) -> ClaimEvidence:
    other = ("bytecode" if true else "no-bytecode",)
    return evidence(
        *sized("slim-base", "slim", "full", "unpacked_bytes")(true),
        IMAGE("user", "non-root", "user_id", 10001 if true else 0, unit="id"),
        *timed("unbuffered", "unbuffered", "buffered", "log_delay_s", true),
        *sized("no-bytecode", "no-bytecode", "bytecode", "unpacked_bytes")(true),
        *timed("no-bytecode", "no-bytecode" if true else "bytecode", *other, "start_s", True),
    )


def workers(claim_id: str) -> World:
    """The rule's two workers are best on every workload in both budgets, or far behind one worker."""

    def world(true: bool) -> ClaimEvidence:
        rate = {"throughput_per_s": 1500.0 if true else 600.0}
        runs = []
        for preset, quota in (("worker-heuristics", None), ("workers-quota-05", 0.5)):
            names = ("async_io", "sync_io", "cpu_bound", "mixed")
            two = variant("uvicorn-standard.w2", cpu_quota=quota, rules=(f"{claim_id} a rule",))
            cells = {
                variant("uvicorn-standard.w1", cpu_quota=quota): {},
                two: dict.fromkeys(names, rate),
            }
            runs.append(a_run(preset, cells, scenarios=[scenario(name) for name in names]))
        return evidence(*runs)

    return world


def c1(true: bool) -> ClaimEvidence:
    loads = [scenario(f"{name}_{n}", name, n) for name in ("async_io", "cpu_bound") for n in (1, 64)]
    grown = {"throughput_per_s": 9000.0}
    cells = {variant("uvicorn-standard"): {"async_io_64" if true else "cpu_bound_64": grown}}
    both = {"cpu_bound": {"throughput_per_s": 1900.0 if true else 1000.0}}
    all_cpus = {variant("uvicorn-standard.w1"): {}, variant("uvicorn-standard.w2"): both}
    return evidence(
        a_run("concurrency-clients", cells, scenarios=loads),
        a_run("workers-all-cpus", all_cpus, scenarios=[scenario("cpu_bound")]),
    )


def c2(true: bool) -> ClaimEvidence:
    slow, quick = {"latency_p95_s": 0.060}, {"latency_p95_s": 0.006}
    cells = {
        "beside_async": slow if true else quick,
        "beside_thread": quick,
        "beside_process": quick,
    }
    loads = [scenario(name) for name in ("alone", *cells)]
    return evidence(a_run("concurrency-victim", {variant("uvicorn-standard"): cells}, scenarios=loads))


def c3(true: bool) -> ClaimEvidence:
    loads = [scenario(f"sync_{n}", "sync_wait", n) for n in (10, 80)]
    rates = {
        "sync_10": {"throughput_per_s": 100.0},
        "sync_80": {"throughput_per_s": 400.0 if true else 800.0},
    }
    return evidence(a_run("concurrency-pool", {variant("uvicorn-standard"): rates}, scenarios=loads))


def c4(true: bool) -> ClaimEvidence:
    loads = [
        replace(scenario(f"rate_{rate}", "long_wait"), load=OpenLoad(rate_per_s=rate)) for rate in (10, 1000)
    ]
    slow = 2.05 if true else 5.0
    waits = {
        "rate_10": {"latency_p50_s": 2.0, "latency_p95_s": 2.0},
        "rate_1000": {"latency_p50_s": 2.0, "latency_p95_s": slow},
    }
    return evidence(a_run("concurrency-waiting", {variant("uvicorn-standard"): waits}, scenarios=loads))


def l1(true: bool) -> ClaimEvidence:
    return evidence(
        LIFE("command-form", "exec-form", "exit_code", 0 if true else 137, unit="id"),
        LIFE("command-form", "exec-form", "lost_in_flight", *lost(3, true)),
        LIFE("command-form", "shell-form", "exit_code", 137 if true else 0, unit="id"),
        LIFE("command-form", "script-form", "exit_code", 137 if true else 0, unit="id"),
    )


def l2(true: bool) -> ClaimEvidence:
    losses = ("lost_in_flight", "lost_new", "lost_idle")
    return evidence(
        *(LIFE("graceful-stop", STANDARD, quantity, *lost(2, true)) for quantity in losses),
        LIFE("graceful-stop", STANDARD, "lifespan_shutdown", 1 if true else 0, unit="yes"),
        LIFE("graceful-stop", STANDARD, "exit_code", 0 if true else 137, unit="id"),
    )


def l4(true: bool) -> ClaimEvidence:
    probes = ("stuck-blocked-loop", "stuck-held-gil", "stuck-sigstop", "stuck-starting")
    return evidence(*(LIFE(probe, GUNICORN, "replaced_s", 3.0 if true else None) for probe in probes))


def l5(true: bool) -> ClaimEvidence:
    return evidence(
        LIFE("process-killed", "restart-always", "back_s", 1.0 if true else None, unit="s"),
        LIFE("process-killed", "restart-no", "back_s", None if true else 1.0, unit="s"),
    )


def l6(true: bool) -> ClaimEvidence:
    codes = {
        ("dependency-down", "ready_status"): (503, 200),
        ("dependency-down", "live_status"): (200, 503),
        ("dependency-hung", "ready_status"): (503, 200),
        ("dependency-hung", "live_status"): (200, 503),
        ("dependency-back", "ready_status"): (200, 503),
        ("dependency-back", "live_status"): (200, 503),
    }
    return evidence(
        *(LIFE(*key, code[0] if true else code[1], unit="id") for key, code in _with_target(codes))
    )


def _with_target(
    codes: dict[tuple[str, str], tuple[int, int]],
) -> list[tuple[tuple[str, str, str], tuple[int, int]]]:
    return [((probe, "uvicorn-standard.w1", quantity), code) for (probe, quantity), code in codes.items()]


def l7(true: bool) -> ClaimEvidence:
    losses = ("lost_keep_alive", "lost_new", "lost_in_flight")
    return evidence(
        *(LIFE("reload-hup", GUNICORN, quantity, *lost(2, true)) for quantity in losses),
        LIFE("reload-hup", GUNICORN, "new_code_served", 1 if true else 0, unit="yes"),
    )


def l8(true: bool) -> ClaimEvidence:
    runs = {"entrypoint/": 1 if true else 2, "lifespan/": 2 if true else 1}
    return evidence(
        *(
            LIFE("previous-step", f"{place}{STANDARD}", quantity, value)
            for place, count in runs.items()
            for quantity, value in (("runs", count), ("workers", 2))
        )
    )


def l9(true: bool) -> ClaimEvidence:
    sizes = (50e6, 100e6, 150e6, 200e6) if true else (50e6, 60e6, 200e6, 210e6)
    return evidence(
        *(
            LIFE("memory-per-worker", f"uvicorn-standard.w{n}", "pss_bytes", size, unit="bytes")
            for n, size in enumerate(sizes, start=1)
        ),
        LIFE("memory-limit", "uvicorn-standard", "predicted_workers", 5, 8),
        LIFE("memory-limit", "uvicorn-standard", "killed_at_workers", 5 if true else None, 9 if true else 20),
    )


def l10(true: bool) -> ClaimEvidence:
    return evidence(
        LIFE("missing-setting", STANDARD, "exit_s", 1.0 if true else None, unit="s"),
        LIFE("missing-setting", STANDARD, "exit_code", 3 if true else 0, unit="id"),
        LIFE("missing-setting", STANDARD, "names_setting", 1 if true else 0, unit="yes"),
    )


def l11(true: bool) -> ClaimEvidence:
    wanted = {"trusted": 1, "stranger": 0, "off": 0, "trusted/gunicorn-asgi.w2": 1}
    speed = 1.0 if true else 0.8
    return evidence(
        speeds("proxy-headers", uvicorn_no_proxy_headers__w1=1.0, uvicorn_standard__w1=speed),
        *(
            LIFE("proxy-headers", target, f"{what}_forwarded", value if true else 1 - value, unit="yes")
            for target, value in wanted.items()
            for what in ("scheme", "client")
        ),
    )


def images(*of: list[Observation]) -> ClaimEvidence:
    return evidence(*(one for some in of for one in some))


BOTH_SIZES = ("unpacked_bytes", "compressed_bytes")


def both_sizes(probe: str, one: str, other: str) -> World:
    world = sized(probe, one, other, *BOTH_SIZES)
    return lambda true: images(world(true))


def i3(true: bool) -> ClaimEvidence:
    kept = IMAGE("no-cache-dir", "cache-kept", "pip_cache_bytes", 40e6, unit="bytes")
    return images([kept], sized("no-cache-dir", "no-cache-dir", "cache-kept", *BOTH_SIZES)(true))


WORLDS: dict[str, World] = {
    "S1": s1,
    "S2": lambda true: servers(uvicorn_plain__w1=0.7 if true else 1.0),
    "S3": s3,
    "S4": s4,
    "S5": lambda true: servers(
        **dict.fromkeys(("gunicorn_asgi__w1", "gunicorn_asgi_pure__w1"), 1.0 if true else 0.8)
    ),
    "S6": lambda true: servers(fastapi_run__w1=1.0 if true else 0.8),
    "S7": s7,
    "S8": s8,
    "S9": s9,
    "S10": s10,
    "S11": pair("mounting", "uvicorn_standard__w1", "uvicorn_mounted__w1", 0.8, 1.0),
    "S12": lambda true: servers(**dict.fromkeys((f"{name}__w1" for name in NEWCOMERS), 1.4 if true else 0.8)),
    "I1": both_sizes("multi-stage", "multi-stage", "single-stage"),
    "I2": lambda true: images(
        timed("requirements-first", "requirements-first", "source-first", "rebuild_s", true)
    ),
    "I3": i3,
    "I4": both_sizes("plain-or-standard", "plain", "standard"),
    "I5": i5,
    "I6": lambda true: images(
        sized("dockerignore", "with", "without", "context_bytes", "unpacked_bytes")(true)
    ),
    **{f"W{number}": workers(f"W{number}") for number in range(1, 8)},
    "C1": c1,
    "C2": c2,
    "C3": c3,
    "C4": c4,
    "L1": l1,
    "L2": l2,
    "L3": lambda true: evidence(LIFE("worker-killed", STANDARD, "replaced_s", 1.0 if true else None)),
    "L4": l4,
    "L5": l5,
    "L6": l6,
    "L7": l7,
    "L8": l8,
    "L9": l9,
    "L10": l10,
    "L11": l11,
}
