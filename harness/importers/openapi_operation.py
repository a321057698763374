"""One operation of an OpenAPI document as a request."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from harness.importers.literals import CONTROL, escaped, fits_matrix, hidden
from harness.importers.openapi_samples import NoSample, documented, sample
from harness.importers.openapi_schema import Document
from harness.workload import Expectation, RequestSpec

FORM = "application/x-www-form-urlencoded"
PLACEHOLDER = re.compile(r"\{([^{}/]+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenapiValues:
    """Generated values of one operation: parameters by (place, name), and the body's JSON value."""

    parameters: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    body: Any = None


class Operation:
    """What is said of one method on one path."""

    def __init__(self, document: Document, path: str, method: str, item: Mapping[str, Any]) -> None:
        self.path, self.method = path, method
        self._document = document
        self._said: Mapping[str, Any] = item[method.lower()]
        own = [*_list(item.get("parameters")), *_list(self._said.get("parameters"))]
        # An operation's own parameters replace those of its path.
        found = {
            (str(one.get("in")), str(one.get("name"))): one
            for one in map(document.resolved, own)
            if one.get("name")
        }
        self.parameters: Mapping[tuple[str, str], Mapping[str, Any]] = found

    def __str__(self) -> str:
        return f"{self.method} {CONTROL.sub('?', self.path)[:120]}"

    def path_parameters(self) -> tuple[str, ...]:
        return tuple(PLACEHOLDER.findall(self.path))

    def security(self) -> Iterator[str]:
        """The schemes of the first way to be let in; none where no way is needed too."""
        ways = self._said.get("security")
        ways = ways if isinstance(ways, list) else self._document.security()
        if ways and all(isinstance(way, Mapping) and way for way in ways):
            yield from map(str, ways[0])

    def response(self) -> tuple[int, Any]:
        """The lowest status of success that is said, and the schema of its JSON."""
        responses = self._document.resolved(self._said.get("responses"))
        found = sorted(str(status) for status in responses if re.fullmatch(r"2(\d\d|XX)", str(status)))
        if not found:
            return 200, None
        said = self._document.resolved(
            next(answer for status, answer in responses.items() if str(status) == found[0])
        )
        status = int(found[0].replace("XX", "00"))
        for mime, media in self._document.resolved(said.get("content")).items():
            if _is_json(str(mime)):
                return status, self._document.resolved(media).get("schema")
        return status, None

    def request(
        self, known: Mapping[str, str], made: OpenapiValues | None = None
    ) -> tuple[RequestSpec, tuple[str, ...]]:
        """The request, and what of it is a guess. `known` are path parameters that steps before fetch.

        Raises NoSample.
        """
        guessed: list[str] = []
        path = self._path(known, made, guessed)
        body = self._body(made)
        status, schema = self.response()
        expect = Expectation(status=status, json_schema=self._document.inlined(schema))
        headers = {**dict(self._headers(made)), **body.pop("headers", {})}
        spec = RequestSpec(method=self.method, path=path, headers=headers, expect=expect, **body)
        words = (f"{', '.join(guessed)}: guessed. Fix: put what exists.",) if guessed else ()
        return spec, words

    def _is_guess(self, name: str) -> bool:
        """Whether neither an example nor a list of all values stands behind a path parameter's value."""
        parameter = self.parameters.get(("path", name), {})
        schema = self._document.resolved(parameter.get("schema"))
        return not documented(parameter, self._document) and "enum" not in schema

    def _path(self, known: Mapping[str, str], made: OpenapiValues | None, guessed: list[str]) -> str:
        def filled(found: re.Match[str]) -> str:
            name = found[1]
            value = self._value("path", name, made)
            if made is None and self._is_guess(name):
                guessed.append(f"{CONTROL.sub('?', name)[:40]} = {str(value)[:60]!a}")
            return quote(_text(value), safe="")

        pieces = []
        end = 0
        for found in PLACEHOLDER.finditer(self.path):
            literal = self.path[end : found.start()]
            # Variables are put in after all else is percent-encoded, so that they alone keep their braces.
            pieces += [quote(literal, safe="/:@!$&'()*+,;=-._~%"), known.get(found[1]) or filled(found)]
            end = found.end()
        pieces.append(quote(self.path[end:], safe="/:@!$&'()*+,;=-._~%"))
        query = urlencode(list(self._query(made)))
        return "".join(pieces) + (f"?{query}" if query else "")

    def _query(self, made: OpenapiValues | None) -> Iterator[tuple[str, str]]:
        for name in self._sent("query"):
            value = self._value("query", name, made)
            for one in value if isinstance(value, list) else [value]:
                yield name, _text(one)

    def _headers(self, made: OpenapiValues | None) -> Iterator[tuple[str, str]]:
        if any(self._sent("cookie")):
            raise NoSample("it needs a cookie: log in by a step before", can_generate=False)
        for name in self._sent("header"):
            if name.lower() not in ("accept", "content-type", "authorization"):
                yield name.lower(), escaped(CONTROL.sub("", _text(self._value("header", name, made))))

    def _sent(self, place: str) -> Iterator[str]:
        """The parameters of a place that must be sent, or that have an example."""
        for (found, name), parameter in self.parameters.items():
            given = "example" in parameter or parameter.get("examples")
            if found == place and (parameter.get("required") is True or given):
                yield name

    def _value(self, place: str, name: str, made: OpenapiValues | None) -> Any:
        parameter = self.parameters.get((place, name), {})
        given = documented(parameter, self._document)
        if given:
            return given[0]
        if made is not None and (place, name) in made.parameters:
            return made.parameters[place, name]
        try:
            return sample(parameter.get("schema"), self._document)
        except NoSample as error:
            raise NoSample(f"its {place} parameter {name[:40]!a} needs {error}") from error

    def _body(self, made: OpenapiValues | None) -> dict[str, Any]:
        """The fields of a RequestSpec that say the body. Raises NoSample."""
        said = self._document.resolved(self._said.get("requestBody"))
        content = self._document.resolved(said.get("content"))
        if not content:
            return {}
        for mime, media in content.items():
            if _is_json(str(mime)):
                return _json_body(self._body_value(self._document.resolved(media), made), str(mime))
        if FORM in content:
            value = self._body_value(self._document.resolved(content[FORM]), made)
            fields = value if isinstance(value, Mapping) else {}
            return {"form": {str(key): escaped(_text(item)) for key, item in fields.items()}}
        if said.get("required") is not True:
            return {}
        raise NoSample(
            f"its body is {str(next(iter(content)))[:60]}, of which no example is made", can_generate=False
        )

    def _body_value(self, media: Mapping[str, Any], made: OpenapiValues | None) -> Any:
        given = documented(media, self._document)
        if given:
            return given[0]
        if made is not None:
            return made.body
        try:
            return sample(media.get("schema"), self._document)
        except NoSample as error:
            raise NoSample(f"its body needs {error}") from error


def _json_body(value: Any, mime: str) -> dict[str, Any]:
    headers = {} if mime == "application/json" else {"headers": {"content-type": mime}}
    safe = hidden(value, None)
    if fits_matrix(safe):
        return {"json": safe, **headers}
    return {"body": json.dumps(safe, default=str), "headers": {"content-type": mime}}


def _is_json(mime: str) -> bool:
    kind = mime.partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def _text(value: Any) -> str:
    """As it stands in a URL, a header or a form."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
