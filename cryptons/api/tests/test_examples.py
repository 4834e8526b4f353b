"""The examples of the OpenAPI document: for each body and each answer, allowed by its schema, with a value for each field."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cryptons.api.examples import UNKNOWN, values
from tests.api_contract import read_document, validate

pytestmark = pytest.mark.django_db


def contents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what stands in the document for each JSON that the shop sends, after its name."""
    document = read_document()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                if status.startswith("2") and "application/json" in answer.get("content", {}):
                    yield f"{method} {path} {status}", answer["content"]["application/json"]
    for name, methods in document["webhooks"].items():
        yield name, methods["post"]["requestBody"]["content"]["application/json"]


def test_each_answer_and_each_webhook_has_an_example_that_its_schema_allows():
    document = read_document()
    problems = {name: found for name, content in contents() if (found := validate(document, content["schema"], content["example"]))}
    assert problems == {}


def test_each_text_of_an_example_has_a_value_of_its_own():
    assert [name for name, content in contents() if UNKNOWN in json.dumps(content["example"], ensure_ascii=False)] == []


def test_each_body_has_an_example():
    schemas = read_document()["components"]["schemas"]
    for path, methods in read_document()["paths"].items():
        for method, operation in methods.items():
            for kind, content in operation.get("requestBody", {}).get("content", {}).items():
                name = content["schema"].get("$ref", "").rpartition("/")[2]
                assert kind != "application/json" or not name or "examples" in schemas[name], (method, path)


def test_the_values_of_examples_are_those_of_fields_that_there_are():
    fields = set()

    def collect(shape: Any, component: str) -> None:
        if isinstance(shape, list):
            for part in shape:
                collect(part, component)
        elif isinstance(shape, dict):
            for field in shape["properties"] if isinstance(shape.get("properties"), dict) else ():
                fields.update((field, f"{component}.{field}"))
            for part in shape.values():
                collect(part, component)

    for component, shape in read_document()["components"]["schemas"].items():
        collect(shape, component)
    for _name, content in contents():
        collect(content["schema"], "")
    assert set(values()) - fields == set()


def test_an_error_has_an_example():
    document = read_document()
    (example,) = document["components"]["schemas"]["Error"]["examples"]
    assert validate(document, {"$ref": "#/components/schemas/Error"}, example) == []
