"""`acceptedTerms` in the API: needed where the shop asks for it, kept with the order."""

import uuid

import pytest

from accounts.tests.factories import ApiClient, StaffFactory
from shop.api.tests.api_calls import assert_error, order_body
from shop.models import Order
from shop.settings.tests.terms_page import ask_for_terms, publish_terms

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_order_without_accepted_terms_is_a_400_that_names_the_field(api, kettle):
    ask_for_terms()

    for body in (order_body((kettle, 1)), order_body((kettle, 1), acceptedTerms=False)):
        error = assert_error(api.post("/api/orders", body), 400, "VALIDATION_ERROR")
        assert error["details"] == [{"field": "acceptedTerms", "message": "Please accept the terms and conditions to place the order."}]
    assert not Order.objects.exists()


def test_accepted_terms_are_those_of_now_and_their_version_is_in_the_order(api, kettle):
    version = ask_for_terms()

    placed = api.post("/api/orders", order_body((kettle, 1), acceptedTerms=True)).json()["data"]

    assert placed["termsVersionId"] == str(version)
    assert api.get(f"/api/orders/{placed['id']}").json()["data"]["termsVersionId"] == str(version)


def test_the_version_that_the_buyer_saw_must_be_the_one_of_now(api, kettle):
    old = ask_for_terms()
    new = publish_terms("Other words.")
    both = {"acceptedTerms": True, "termsVersionId": str(old)}

    assert_error(api.post("/api/orders", order_body((kettle, 1), **both)), 409, "CONFLICT")
    placed = api.post("/api/orders", order_body((kettle, 1), **{**both, "termsVersionId": str(new)}))
    assert placed.json()["data"]["termsVersionId"] == str(new)


def test_a_repeat_with_the_same_key_is_the_same_order_although_the_terms_have_changed(api, kettle):
    ask_for_terms()
    body, key = order_body((kettle, 1), acceptedTerms=True), {"Idempotency-Key": str(uuid.uuid4())}
    first = api.post("/api/orders", body, headers=key).json()["data"]
    publish_terms("Other words.")

    assert api.post("/api/orders", body, headers=key).json()["data"] == first


def test_a_shop_that_does_not_ask_takes_the_field_and_keeps_nothing(api, kettle):
    placed = api.post("/api/orders", order_body((kettle, 1), acceptedTerms=True)).json()["data"]

    assert placed["termsVersionId"] is None


def test_a_quote_names_the_terms_that_the_order_must_accept(api, kettle):
    body = {"items": order_body((kettle, 1))["items"]}
    assert api.post("/api/checkout/quote", body).json()["data"]["terms"] is None
    version = ask_for_terms()

    terms = api.post("/api/checkout/quote", body).json()["data"]["terms"]

    assert (terms["versionId"], terms["slug"], terms["version"]) == (str(version), "terms", 1)
    assert api.get("/api/pages/terms").json()["data"]["versionId"] == str(version)


def test_the_switch_is_a_setting_that_needs_a_published_page(kettle):
    staff = ApiClient(StaffFactory.create())
    send = {"path": "/api/settings", "data": {"asksForTerms": True}, "content_type": "application/json"}
    assert assert_error(staff.patch(**send), 400, "VALIDATION_ERROR")["details"][0]["field"] == "asksForTerms"
    publish_terms()

    assert staff.patch(**send).json()["data"]["asksForTerms"] is True
