"""The links of the OpenAPI document: each names a route, its parameters, and values that the answer has."""

from typing import Any

import pytest

from tests.api_contract import read_document

pytestmark = pytest.mark.django_db


def operations():
    return {
        operation["operationId"]: (path, operation) for path, methods in read_document()["paths"].items() for operation in methods.values()
    }


def links():
    for source, (_path, operation) in operations().items():
        for status, answer in operation["responses"].items():
            for name, link in answer.get("links", {}).items():
                yield source, answer, name, link, status


def shape_at(pointer: str, shape: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of the part of an answer that a JSON pointer names."""
    components = read_document()["components"]["schemas"]
    for step in pointer.split("/")[1:]:
        shape = components[shape["$ref"].rpartition("/")[2]] if "$ref" in shape else shape
        shape = shape["items"] if step.isdigit() else shape["properties"][step]
    return shape


def test_each_value_of_a_link_is_in_the_answer_or_the_address():
    for source, answer, _name, link, _status in links():
        for value in (*link.get("parameters", {}).values(), *link.get("requestBody", {}).values()):
            if value.startswith("$response.body#"):
                assert shape_at(value.removeprefix("$response.body#"), answer["content"]["application/json"]["schema"])
            elif value.startswith("$request.path."):
                assert f"{{{value.removeprefix('$request.path.')}}}" in operations()[source][0]


def test_each_link_gives_all_that_the_address_of_its_route_needs():
    for _source, _answer, name, link, _status in links():
        path, operation = operations()[link["operationId"]]
        named = {(parameter["in"], parameter["name"]) for parameter in operation.get("parameters", ())}
        named |= {("header", "X-Order-Key")} if any("orderKey" in way for way in operation.get("security", ())) else set()
        given = {tuple(key.split(".")) if "." in key else ("path", key) for key in link.get("parameters", {})}
        assert given <= named, name
        assert {key for place, key in named if place == "path"} == {key for place, key in given if place == "path"}, path


def test_what_is_made_leads_to_the_routes_of_it():
    found = {(source, name) for source, _answer, name, _link, _status in links()}
    assert found >= {
        ("place_order", "get_order"),
        ("place_order", "cancel_my_order"),
        ("place_order", "get_payment_of_order"),
        ("place_order", "get_status_of_invoice"),
        ("create_product", "get_product"),
        ("create_product", "update_product"),
        ("create_product", "delete_product"),
        ("upload_product_image", "delete_product_image"),
        ("make_webhook_endpoint", "send_test_event"),
        ("make_webhook_endpoint", "list_webhook_deliveries"),
    }
    assert ("create_product", "delete_product_image") not in found  # a product's id is not a picture's


def test_a_guests_order_is_read_by_the_key_of_its_answer():
    answers = {name: link for source, _answer, name, link, _status in links() if source == "place_order"}
    assert answers["get_order"]["parameters"]["header.X-Order-Key"] == "$response.body#/data/accessKey"
    assert "header.X-Order-Key" not in answers["change_status_of_order"]["parameters"]
