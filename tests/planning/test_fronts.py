from __future__ import annotations

import pytest

from harness.model import Variant
from harness.planning.commands import processes, speaks_tls
from harness.planning.example import EXAMPLE
from harness.recipes import lock_of
from harness.recipes.nginx import CONFIG
from harness.recipes.placeholders import filled


def config_of(recipe: str, workers: int = 1, keep_alive_s: int = 5) -> str:
    """The words of nginx's configuration, one blank between them."""
    first, *_ = processes(
        Variant(recipe=recipe, workers=workers, keep_alive_s=keep_alive_s), EXAMPLE, EXAMPLE.env
    )
    return " ".join(first.env[CONFIG].split())


def test_a_replica_has_one_worker_and_a_port_of_its_own() -> None:
    front, *replicas = processes(Variant(recipe="nginx-replicas", workers=3), EXAMPLE, EXAMPLE.env)
    assert [process.name for process in (front, *replicas)] == ["nginx", "server-1", "server-2", "server-3"]
    for number, replica in enumerate(replicas, start=1):
        command = " ".join(replica.argv)
        assert f"--port {{port{number}}} --workers 1 " in command
        assert replica.env["HARNESS_VARIANT_ID"] == "nginx-replicas.w3"
        assert f"server 127.0.0.1:{{port{number}}} " in front.env[CONFIG]
    assert front.env[CONFIG].count("max_fails") == 3


@pytest.mark.parametrize("recipe", ["nginx-plain", "nginx-tls"])
def test_a_front_of_one_server_leaves_it_all_workers(recipe: str) -> None:
    _, server = processes(Variant(recipe=recipe, workers=3), EXAMPLE, EXAMPLE.env)
    assert "--workers 3 " in " ".join(server.argv)


@pytest.mark.parametrize("recipe", ["nginx-plain", "nginx-tls", "nginx-replicas"])
def test_only_the_proxy_is_believed_about_the_client(recipe: str) -> None:
    _, server = processes(Variant(recipe=recipe, workers=1), EXAMPLE, EXAMPLE.env)
    assert server.argv[-3:] == ("--proxy-headers", "--forwarded-allow-ips", "127.0.0.1")
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in config_of(recipe)
    assert "proxy_set_header X-Forwarded-Proto $scheme;" in config_of(recipe)


def test_the_proxy_sends_nothing_twice_and_keeps_connections() -> None:
    config = config_of("nginx-replicas", workers=2)
    assert "proxy_next_upstream off;" in config
    assert "proxy_http_version 1.1;" in config
    assert 'proxy_set_header Connection "";' in config


def test_the_proxy_closes_idle_connections_to_a_server_before_the_server_does() -> None:
    config = config_of("nginx-plain", keep_alive_s=7)
    assert "keepalive_timeout 7s;" in config
    assert "keepalive_timeout 5600ms;" in config


def test_tls_is_at_the_proxy_alone() -> None:
    _, server = processes(Variant(recipe="nginx-tls", workers=1), EXAMPLE, EXAMPLE.env)
    assert "listen 127.0.0.1:{port} ssl backlog=2048;" in config_of("nginx-tls")
    assert "ssl_certificate {tls}/cert.pem; ssl_certificate_key {tls}/key.pem;" in config_of("nginx-tls")
    assert "ssl" not in config_of("nginx-plain")
    assert not any("ssl" in word for word in server.argv)
    assert speaks_tls(Variant(recipe="nginx-tls", workers=1))
    assert not speaks_tls(Variant(recipe="nginx-plain", workers=1))


def test_placeholders_are_filled_each_with_its_own_port() -> None:
    text = "{port} {port1} {port10} {tls}/key.pem events { }"
    ports = [8000 + number for number in range(11)]
    assert filled(text, ports=ports, tls="/opt/tls") == "8000 8001 8010 /opt/tls/key.pem events { }"


def test_recipes_that_differ_in_their_front_share_a_lock() -> None:
    assert lock_of("nginx-tls") == lock_of("uvicorn-tls") == lock_of("uvicorn-standard") == "uvicorn-standard"
    assert lock_of("generator") == "generator"
