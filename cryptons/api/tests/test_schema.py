"""The OpenAPI document: whole, valid, and at its place."""

import json
import re

import pytest
from django.core.management import call_command

from tests.api_contract import read_document, validate

pytestmark = pytest.mark.django_db


def test_the_openapi_document_is_generated_without_errors_or_warnings(capsys):
    call_command("spectacular", "--validate", "--fail-on-warn", format="openapi-json")  # to write YAML takes longer than all else


_served = []


@pytest.fixture
def document(client):
    """As it is served, for the tests that only read it: to make it takes a second."""
    if not _served:
        _served.append(client.get("/api/schema").content)
    return json.loads(_served[0])


def test_the_openapi_document_is_served(client):
    answer = client.get("/api/schema")
    assert answer.status_code == 200
    assert answer.json()["openapi"].startswith("3.1")
    assert {"/api/products", "/api/auth/login", "/api/orders", "/api/cart", "/api/invoices/{invoice_id}"} <= set(answer.json()["paths"])


def test_every_operation_documents_its_error_responses(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert {"429", "500", "503"} <= set(operation["responses"]), (method, path)
            if operation.get("security"):
                assert "401" in operation["responses"], (method, path)


def test_each_response_schema_is_a_named_component(document):
    components = document["components"]["schemas"]
    assert {"Product", "Category", "Cart", "Order", "Invoice", "Payment", "Payout", "Rate", "Node", "User", "Error"} <= set(components)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                schema = answer.get("content", {}).get("application/json", {}).get("schema")
                if schema is not None:
                    assert set(schema) == {"$ref"}, (method, path, status)
                    name = schema["$ref"].rpartition("/")[2]
                    assert name == "Error" if status >= "400" else name.endswith("Answer"), (method, path, status)


def test_each_request_schema_refuses_unknown_fields(document):
    inputs = {name: schema for name, schema in document["components"]["schemas"].items() if name.endswith("Input")}
    assert {"OrderInput", "ProductInput", "LoginInput"} <= set(inputs)
    assert all(schema["additionalProperties"] is False for schema in inputs.values())


def test_the_docs_page_has_the_shops_frame_and_its_scripts_are_files_of_this_server(client):
    page = client.get("/api/docs").content.decode()
    assert 'class="site-header"' in page
    scripts = re.findall(r"<script\b[^>]*>([^<]*)</script>", page)
    assert len(scripts) == len(re.findall(r'<script src="/static/[^"]+" defer>', page)) == 4
    assert set(scripts) == {""}


def test_each_way_to_log_in_that_a_route_names_is_defined(document):
    named = {
        name
        for methods in document["paths"].values()
        for operation in methods.values()
        for way in operation.get("security", [])
        for name in way
    }
    assert "token" in named
    assert named <= set(document["components"]["securitySchemes"])
    assert document["components"]["securitySchemes"]["token"].items() >= {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}.items()


def test_the_document_is_also_served_under_v1(client, document):
    assert client.get("/api/v1/schema").json()["paths"].keys() == document["paths"].keys()
    assert b'data-schema="/api/schema"' in client.get("/api/v1/docs").content


def test_text_that_must_not_be_empty_and_empty_parameters_are_described(client, document):
    login = document["components"]["schemas"]["LoginInput"]["properties"]
    assert login["email"].items() >= {"minLength": 1, "pattern": r"\S"}.items()
    assert "pattern" not in login["password"]  # a password may be spaces
    assert {parameter["name"]: parameter.get("allowEmptyValue") for parameter in document["paths"]["/api/orders"]["get"]["parameters"]}[
        "since"
    ]
    assert client.get("/api/products?updatedSince=").status_code == 200


def test_the_examples_of_bodies_are_allowed_by_their_schemas():
    document = read_document()
    schemas = document["components"]["schemas"]
    assert {"OrderInput", "ProductInput", "LoginInput", "PayoutInput"} <= {name for name, schema in schemas.items() if "examples" in schema}
    for name, schema in schemas.items():
        for example in schema.get("examples", ()):
            assert validate(document, {"$ref": f"#/components/schemas/{name}"}, example) == [], name
