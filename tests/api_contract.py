"""Holds every answer that Django's test client gets from /api/ against the OpenAPI document. Loaded by pytest as a plugin.

An answer that the document does not describe fails the test that asked for it: an unknown status, a missing header, a field too many, a
field too few, a value of another type.
"""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator, FormatChecker

Document = dict[str, Any]
NOT_DESCRIBED = {"api_schema", "api_docs"}
"""The names of the routes that serve the document itself."""

ERROR = {"$ref": "#/components/schemas/Error"}
formats = FormatChecker(())


@formats.checks("date-time", raises=ValueError)
def _has_time_zone(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@formats.checks("uuid", raises=ValueError)
def _is_uuid(value: object) -> bool:
    return not isinstance(value, str) or str(UUID(value)) == value


def close_objects(schema: Any) -> Any:
    """Copy a part of the document, with objects that may have no other properties than those it names."""
    if isinstance(schema, list):
        return [close_objects(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: close_objects(value) for name, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        closed.setdefault("additionalProperties", False)
    return closed


@cache
def read_document() -> Document:
    from drf_spectacular.generators import SchemaGenerator
    from drf_spectacular.renderers import OpenApiJsonRenderer

    plain = SchemaGenerator(urlconf="cryptons.urls").get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    document: Document = close_objects(json.loads(OpenApiJsonRenderer().render(plain, renderer_context={})))
    return document


def validate(document: Document, schema: dict[str, Any], value: Any) -> list[str]:
    """Return one sentence for each difference between the value and the schema."""
    validator = Draft202012Validator({**schema, "components": document["components"]}, format_checker=formats)
    return [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(value)]


def find_path(document: Document, path: str) -> str | None:
    """Return the path of the document that a request's path belongs to, or None for an unknown route."""
    from django.urls import Resolver404, resolve

    try:
        route = resolve(path, urlconf="cryptons.urls").route
    except Resolver404:
        return None
    described = "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route).replace("api/v1/", "api/", 1)
    return described if described in document["paths"] else None


def compare(document: Document, method: str, path: str, response: Any) -> list[str]:
    """Return one sentence for each thing of the response that the document does not say."""
    described = document["paths"].get(find_path(document, path), {})
    operation = described.get({"HEAD": "get"}.get(method, method.lower()))
    status = response.status_code
    if operation is not None:
        expected = operation["responses"].get(str(status))
    else:  # the middleware's limit and the handlers of unknown routes and methods answer here
        known = {429, 405 if described else 404}
        expected = {"content": {"application/json": {"schema": ERROR}}} if status in known else None
    if expected is None:
        return [f"the document does not know the status {status}"]
    missing = [f"the header {name} is missing" for name in expected.get("headers", {}) if name not in response.headers]
    if status == 429 and "Retry-After" not in response.headers:
        missing.append("a 429 without Retry-After")
    return missing + compare_body(document, method, expected, response)


def compare_body(document: Document, method: str, expected: dict[str, Any], response: Any) -> list[str]:
    content = expected.get("content", {})
    if method == "HEAD" or not content:
        body = b"" if response.streaming else response.content
        return [f"a body where none is described: {body[:100]!r}"] if body else []
    kind = response.headers.get("Content-Type", "").partition(";")[0]
    if kind not in content:
        return [f"the content type {kind!r} is not one of {', '.join(content)}"]
    if kind != "application/json":
        return []
    return validate(document, content[kind]["schema"], json.loads(response.content))


def is_described(method: str, path: str) -> bool:
    from django.urls import Resolver404, resolve

    if not path.startswith("/api/") or method == "OPTIONS":
        return False
    try:
        return resolve(path, urlconf="cryptons.urls").url_name not in NOT_DESCRIBED
    except Resolver404:
        return True


@pytest.fixture(scope="session", autouse=True)
def _compare_answers_with_document() -> Iterator[None]:
    from django.test import Client

    ask = Client.request

    def ask_and_compare(self: Any, **request: Any) -> Any:
        response = ask(self, **request)
        method, path = request.get("REQUEST_METHOD", "GET"), request.get("PATH_INFO", "/")
        if is_described(method, path):
            problems = compare(read_document(), method, path, response)
            assert not problems, f"{method} {path} answers {response.status_code} otherwise than the OpenAPI document says:\n" + "\n".join(
                f"  - {problem}" for problem in problems
            )
        return response

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Client, "request", ask_and_compare)
        yield
