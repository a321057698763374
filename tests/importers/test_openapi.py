"""Importing an OpenAPI document: that of a real FastAPI app, and what odd and hostile ones give."""

# ruff: noqa: E501  documents in one line are easier to read here

from __future__ import annotations

import json
from typing import Annotated, Any
from uuid import UUID

import jsonschema
import pytest
from fastapi import Depends, FastAPI, Header, Query
from fastapi.security import OAuth2PasswordBearer
from fastapi.testclient import TestClient
from pydantic import BaseModel, Field

from harness.errors import ConfigurationError
from harness.importers.imported import Imported
from harness.importers.openapi import from_openapi, parsed


class Part(BaseModel):
    name: str
    parts: list[Part] = []


class Order(BaseModel):
    id: UUID
    sku: str = Field(min_length=3, examples=["a-1"])
    note: str | None = None
    part: Part | None = None


class NewOrder(BaseModel):
    sku: str = Field(min_length=3, examples=["a-1"])
    quantity: int = Field(ge=2)


class Page(BaseModel):
    items: list[Order]


LOGIN = OAuth2PasswordBearer(tokenUrl="login")
ORDER = Order(id=UUID(int=7), sku="a-1")


def shop() -> FastAPI:
    app = FastAPI()

    @app.get("/orders")
    def orders(q: str | None = None) -> list[Order]:
        return [ORDER]

    @app.get("/orders/{order_id}")
    def order(order_id: UUID, x_tenant: Annotated[str, Header(examples=["north"])]) -> Order:
        return ORDER

    @app.post("/orders", status_code=201)
    def create(new: NewOrder) -> Order:
        return ORDER

    @app.delete("/orders/{order_id}")
    def delete(order_id: UUID) -> None: ...

    @app.get("/pages")
    def pages() -> Page:
        return Page(items=[ORDER])

    @app.get("/pages/{id}/lines")
    def lines(id: UUID, size: Annotated[int, Query(ge=5)]) -> list[str]:
        return ["a"]

    @app.get("/things/{thing_id}")
    def thing(thing_id: int) -> dict[str, int]:
        return {"id": thing_id}

    @app.get("/me")
    def me(token: Annotated[str, Depends(LOGIN)]) -> str:
        return "kim"

    return app


def document(**paths: Any) -> dict[str, Any]:
    return {"openapi": "3.1.0", "paths": {"/ok": {"get": {}}, **paths}}


def found(imported: Imported) -> dict[tuple[str, str], Any]:
    return {(spec.method, spec.path): spec for spec in imported.requests}


def test_a_fastapi_app_answers_every_request_as_its_own_document_says() -> None:
    app = shop()
    imported = from_openapi(app.openapi(), where="openapi.json", writes=True)
    client = TestClient(app)
    kept: dict[str, Any] = {}
    for step in imported.before:
        answer: Any = client.get(step.path).json()
        for name, where in step.keep.items():
            value = answer
            for key in where.removeprefix("json:").split("."):
                value = value[int(key)] if isinstance(value, list) else value[key]
            kept[name] = value

    answered = set()
    for spec in imported.requests:
        path = spec.path.format(**kept)
        response = client.request(spec.method, path, headers=dict(spec.headers), json=spec.json)
        if spec.path == "/me":  # what it needs is said in a warning
            assert response.status_code == 401
            continue
        assert response.status_code == spec.expect.status, (path, response.text)
        assert spec.expect.json_schema is not None
        jsonschema.Draft202012Validator(spec.expect.json_schema).validate(response.json())
        answered.add((spec.method, spec.path))

    assert answered == {
        ("GET", "/orders"),
        ("GET", "/orders/{order_id}"),
        ("GET", "/pages"),
        ("GET", "/pages/{id}/lines?size=5"),
        ("GET", "/things/1"),
        ("POST", "/orders"),
    }
    assert {step.path: dict(step.keep) for step in imported.before} == {
        "/orders": {"order_id": "json:0.id"},
        "/pages": {"id": "json:items.0.id"},
    }


def test_schemas_of_answers_hold_no_references_and_refuse_what_is_wrong() -> None:
    spec = found(from_openapi(shop().openapi(), where="o"))["GET", "/orders"]

    assert "$ref" not in json.dumps(spec.expect.json_schema)
    check = jsonschema.Draft202012Validator(spec.expect.json_schema)
    check.validate([{"id": "7", "sku": "a-1", "part": {"name": "x", "parts": [{"name": "y"}]}}])
    assert not check.is_valid([{"id": "7", "sku": 1}])
    assert not check.is_valid([{"sku": "a-1"}])


def test_writes_opt_in_and_deletes_are_never_repeated() -> None:
    said = from_openapi(shop().openapi(), where="o").warnings
    opted_in = from_openapi(shop().openapi(), where="o", writes=True)

    assert any("POST /orders: left out" in words and "--writes" in words for words in said)
    assert found(opted_in)["POST", "/orders"].json == {"sku": "a-1", "quantity": 2}
    assert any("DELETE /orders/{order_id}: left out" in words for words in opted_in.warnings)


def test_guesses_and_logins_are_named_with_the_remedy() -> None:
    said = "\n".join(from_openapi(shop().openapi(), where="o").warnings)

    assert "GET /things/{thing_id}: thing_id = '1': guessed. Fix:" in said
    assert "GET /me: need security scheme 'OAuth2PasswordBearer'" in said
    assert 'path = "/login", form = { username' in said
    assert 'keep = { token = "json:access_token" }' in said


def test_two_lists_may_give_ids_of_one_name() -> None:
    listed = {"responses": {"200": {"content": {"application/json": {"schema": {
        "type": "array", "items": {"properties": {"id": {}}}}}}}}}  # fmt: skip
    one = {"get": {"parameters": [{"in": "path", "name": "id", "required": True}]}}
    paths = {"/a": {"get": listed}, "/a/{id}": one, "/b": {"get": listed}, "/b/{id}": one}

    imported = from_openapi(document(**paths), where="o")

    assert {"/a/{id}", "/b/{b_id}"} <= {spec.path for spec in imported.requests}
    assert [dict(step.keep) for step in imported.before] == [{"id": "json:0.id"}, {"b_id": "json:0.id"}]


def test_examples_come_first_and_their_braces_are_no_variables() -> None:
    operation = {
        "parameters": [
            {
                "in": "query",
                "name": "q",
                "required": True,
                "example": "{env:HOME}",
                "schema": {"enum": ["no"]},
            },
            {"in": "query", "name": "page", "schema": {"type": "integer"}},
            {"in": "header", "name": "X-Tag", "required": True, "schema": {"default": "{uuid}"}},
            {"in": "path", "name": "p", "required": True, "examples": {"one": {"value": "{a}/b"}}},
        ],
        "requestBody": {"content": {"application/json": {"example": {"text": "{name}", "password": "x"}}}},
    }

    imported = from_openapi(document(**{"/a{b/{p}": {"post": operation}}), where="o", writes=True)

    spec = imported.requests[1]
    assert spec.path == "/a%7Bb/%7Ba%7D%2Fb?q=%7Benv%3AHOME%7D"
    assert dict(spec.headers) == {"x-tag": "{{uuid}}"}
    assert spec.json == {"text": "{{name}}", "password": "x"}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "integer", "minimum": 10, "maximum": 12}, 10),
        ({"type": "integer", "exclusiveMaximum": 0}, -1),
        ({"type": "string", "minLength": 9}, "exampleee"),
        ({"type": "string", "maxLength": 2}, "ex"),
        ({"type": "string", "format": "date"}, "2025-01-31"),
        ({"type": ["null", "boolean"]}, True),
        ({"anyOf": [{"type": "null"}, {"enum": ["a", "b"]}]}, "a"),
        ({"allOf": [{"properties": {"a": {"type": "string"}}, "required": ["a"]}, {"type": "object"}]}, {"a": "example"}),
        ({"type": "array", "items": {"type": "number"}, "minItems": 2}, [1, 1]),
    ],
)  # fmt: skip
def test_values_are_the_simplest_that_the_schema_allows(schema: dict[str, Any], expected: Any) -> None:
    body = {"requestBody": {"content": {"application/json": {"schema": {"type": "object", "required": ["v"],
            "properties": {"v": schema}}}}}}  # fmt: skip

    imported = from_openapi(document(**{"/v": {"post": body}}), where="o", writes=True)

    assert found(imported)["POST", "/v"].json == {"v": expected}


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        ({"parameters": [{"in": "query", "name": "q", "required": True, "schema": {"pattern": "^a+$", "type": "string"}}]}, "matches '^a+$'. Fix: pip install 'harness[openapi]'"),
        ({"parameters": [{"in": "cookie", "name": "sid", "required": True}]}, "it needs a cookie"),
        ({"parameters": [{"in": "query", "name": "q", "required": True}]}, "without a type"),
        ({"requestBody": {"required": True, "content": {"multipart/form-data": {}}}}, "multipart/form-data"),
        ({"requestBody": {"content": {"application/json": {"example": "{env:HOME}"}}}}, "read as a secret"),
    ],
)  # fmt: skip
def test_an_operation_without_values_is_left_out_and_named(operation: dict[str, Any], words: str) -> None:
    imported = from_openapi(document(**{"/bad": {"post": operation}}), where="o", writes=True)

    assert [spec.path for spec in imported.requests] == ["/ok"]
    assert any(words in warning for warning in imported.warnings), imported.warnings


def test_a_schema_of_openapi_3_0_becomes_json_schema() -> None:
    schema = {
        "type": "object",
        "properties": {
            "title": {"type": "string", "nullable": True},
            "n": {"type": "number", "minimum": 0, "exclusiveMinimum": True},
            "kind": {"enum": ["a", None]},
            "not": {"not": {"type": "string"}, "x-order": 1, "example": 3},
        },
    }
    answer = {"responses": {"200": {"content": {"application/json": {"schema": schema}}}}}

    spec = found(from_openapi(document(**{"/s": {"get": answer}}), where="o"))["GET", "/s"]

    assert spec.expect.json_schema == {
        "type": "object",
        "properties": {
            "title": {"type": ["string", "null"]},
            "n": {"type": "number", "minimum": 0},
            "kind": {},
            "not": {},
        },
    }


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ([], "no object"),
        ({"swagger": "2.0", "paths": {}}, "Swagger 2"),
        ({"openapi": "2"}, "not an OpenAPI 3 document"),
        ({"openapi": "3.1.0", "paths": []}, "no paths"),
        ({"openapi": "3.1.0", "paths": {}}, "no operation"),
        ({"openapi": "3.1.0", "paths": {"a": {"get": {}}, "/b": 1, "/c": {"get": 7}, 3: {}}}, "no operation"),
    ],
)
def test_what_is_no_openapi_document_is_refused(bad: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        from_openapi(bad, where="openapi.json")


def test_wrong_types_anywhere_leave_the_rest_usable() -> None:
    odd: dict[str, Any] = {
        "parameters": [1, {"name": 7, "in": []}, {"$ref": "#/none"}, {"$ref": "http://x.test/#/a"}],
        "requestBody": "no",
        "responses": {"200": [], "2": 3},
        "security": "none",
    }
    api = {**document(**{"/odd": {"get": odd, "parameters": {}}}), "servers": [5], "components": []}

    assert {spec.path for spec in from_openapi(api, where="o").requests} == {"/ok", "/odd"}


def test_circles_of_references_end() -> None:
    api = document(**{"/c": {"get": {"responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}}}}}})  # fmt: skip
    loop = {"$ref": "#/components/schemas/B"}
    wide = {"properties": {str(n): {"$ref": "#/components/schemas/W"} for n in range(50)}}
    api["components"] = {
        "schemas": {"A": {"allOf": [loop, wide]}, "B": {"$ref": "#/components/schemas/B"}, "W": wide}
    }

    assert found(from_openapi(api, where="o"))["GET", "/c"].expect.status == 200


def test_yaml_is_read_with_its_dates_as_texts() -> None:
    text = "openapi: 3.0.3\npaths:\n  /a:\n    get:\n      parameters:\n      - {in: query, name: d, example: 2025-01-31}\n"

    assert from_openapi(parsed(text, where="o"), where="o").requests[0].path == "/a?d=2025-01-31"


@pytest.mark.parametrize(
    "text", ["a: [", "\x00", b"\xff\xfe\xff", "[" * 200_000, "!!python/object:os.system {}"]
)
def test_text_that_is_neither_json_nor_yaml_is_refused(text: str | bytes) -> None:
    with pytest.raises(ConfigurationError, match="neither JSON nor YAML"):
        parsed(text, where="o")


def test_files_and_documents_that_are_too_large_are_refused() -> None:
    laughs = "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
        f"{new}: &{new} [{','.join(f'*{old}' for _ in range(10))}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )  # fmt: skip
    deep: Any = {}
    for _ in range(5000):
        deep = {"a": deep}

    with pytest.raises(ConfigurationError, match="the most that is read"):
        parsed(" " * (50 * 2**20), where="o")
    for bad in (parsed("openapi: 3.1.0\npaths: {}\n" + laughs, where="o"), {**document(), "x": deep}):
        with pytest.raises(ConfigurationError, match="more than 500,000 values, or is nested"):
            from_openapi(bad, where="o")


def test_schemas_that_a_matrix_file_cannot_hold_are_cut_where_they_are_deepest() -> None:
    wide: dict[str, Any] = {"type": "string"}
    for _ in range(3):
        wide = {"type": "object", "required": ["p1"], "properties": {f"p{n}": wide for n in range(12)}}
    answer = {"responses": {"200": {"content": {"application/json": {"schema": wide}}}}}
    api = document(**{f"/{n}": {"get": answer} for n in range(40)})

    imported = from_openapi(api, where="o")

    schema = found(imported)["GET", "/0"].expect.json_schema
    assert schema["properties"]["p0"]["required"] == ["p1"]
    assert schema["properties"]["p0"]["properties"]["p0"] == {}
    assert sum(len(json.dumps(spec.expect.json_schema)) for spec in imported.requests) < 70_000
    assert any("a matrix file holds no more" in words for words in imported.warnings)
