"""Requests written as TOML are read back as the same requests."""

from __future__ import annotations

import pytest

from harness.adapters.config_file import parse_matrix
from harness.planning.request_text import request_lines
from harness.planning.tables import scenario_of
from harness.workload import Expectation, FilePart, RequestSpec

HEAD = """
name = "written"
[target]
app = "main:app"
[factors]
recipe = ["uvicorn-standard"]
[[scenarios]]
name = "own"
load = { clients = 1 }
"""
SPECS = (
    RequestSpec(path="/"),
    RequestSpec(path="/a?b=%20c", method="HEAD", expect=Expectation(status=204), weight=7),
    RequestSpec(
        path="/orders/{order_id}",
        method="POST",
        headers={"Content-Type": "application/json", "X-Odd": 'a "quoted" \\ value'},
        json={"sku": "{sku}", "lines": [1, 2.5, True, {"deep": "é\t"}]},
        expect=Expectation(status=201, json={"state": "created"}, headers={"location": "/orders/1"}),
        data="orders.csv",
    ),
    RequestSpec(path="/form", method="PUT", form={"user": "bench", "pass word": "{env:PW}"}),
    RequestSpec(path="/raw", method="POST", body='line 1\nline 2 "x"', expect=Expectation(text="ok")),
    RequestSpec(
        path="/up", method="POST", files=(FilePart(field_name="f", path="a.bin", content_type="image/png"),)
    ),
    RequestSpec(path="/exact", expect=Expectation(json_exact=[1, "two"])),
    RequestSpec(path="/schema", expect=Expectation(json_schema={"type": "object", "required": ["id"]})),
)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.path)
def test_a_request_is_read_back_as_it_was(spec: RequestSpec) -> None:
    text = HEAD + "\n".join(request_lines(spec))
    (table,) = parse_matrix(text, where="written.toml", scenarios=()).scenarios
    assert scenario_of(table, {}).requests == (spec,)


def test_a_step_before_is_read_back_as_it_was() -> None:
    step = RequestSpec(path="/login", method="POST", json={"user": "a"}, keep={"token": "json:access"})
    text = HEAD + "\n".join([*request_lines(RequestSpec(path="/")), *request_lines(step, "before")])
    (table,) = parse_matrix(text, where="written.toml", scenarios=()).scenarios
    assert scenario_of(table, {}).before == (step,)
