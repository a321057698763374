"""Values that schemathesis makes for schemas that no example fits."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest

from harness.importers.openapi import from_openapi
from harness.importers.openapi_generate import generator

SKU = {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}$"}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "shop", "version": "1"},
    "paths": {
        "/orders/{sku}": {
            "post": {
                "parameters": [
                    {"in": "path", "name": "sku", "required": True, "schema": SKU},
                    {
                        "in": "query",
                        "name": "step",
                        "required": True,
                        "schema": {"type": "integer", "multipleOf": 7},
                    },
                ],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {"type": "object", "properties": {"sku": SKU}, "required": ["sku"]}
                        }
                    },
                },
                "responses": {"201": {"description": "made"}},
            }
        }
    },
}


def test_patterns_and_multiples_are_met_and_the_same_each_time() -> None:
    found = [
        from_openapi(DOCUMENT, where="o", writes=True, generate=generator(DOCUMENT)).requests
        for _ in range(2)
    ]

    assert found[0] == found[1]
    (spec,) = found[0]
    path = re.fullmatch(r"/orders/[A-Z]{3}-[0-9]{4}\?step=(-?\d+)", spec.path)
    assert path is not None, spec.path
    assert int(path[1]) % 7 == 0
    assert re.fullmatch(SKU["pattern"], spec.json["sku"])
    assert spec.expect.status == 201


def test_an_operation_that_schemathesis_cannot_read_is_left_out() -> None:
    broken = {**DOCUMENT, "paths": {**DOCUMENT["paths"], "/ok": {"get": {}}}}
    generate = generator({**broken, "paths": {}})
    assert generate is not None

    imported = from_openapi(broken, where="o", writes=True, generate=generate)

    assert [spec.path for spec in imported.requests] == ["/ok"]
    assert "POST /orders/{sku}: left out" in imported.warnings[0]


def test_without_the_extra_there_is_no_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "schemathesis", None)

    assert generator(DOCUMENT) is None
