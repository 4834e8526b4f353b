"""A user's cart over the API."""

import uuid

import pytest

from accounts.tests.factories import ApiClient, UserFactory
from shop.api.tests.api_calls import assert_error, put_json
from shop.cart.contents import cart_of
from shop.models import CartItem, Product
from shop.tests.factories import CartItemFactory, ProductFactory

pytestmark = pytest.mark.django_db

WEIRD = [0, -1, 1.5, 10**12, "1", True, None, "\x00", "😀", "‮", {"$ne": None}, [1], 2**63, 10**30]


@pytest.fixture
def item(ada):
    """Two kettles of ten."""
    return CartItemFactory(cart=cart_of(ada), quantity=2)


def test_a_user_has_an_empty_cart_before_adding_anything(api, ada):
    cart = api.get("/api/cart").json()["data"]
    assert set(cart) == {"id", "userId", "items", "subtotal", "discount", "voucher", "total", "updatedAt"}
    assert (cart["id"], cart["userId"], cart["items"], cart["total"]) == (str(cart_of(ada).pk), str(ada.pk), [], "0.00")


def test_adding_a_product_again_adds_to_its_quantity(api):
    kettle = ProductFactory()

    api.post("/api/cart/items", {"productId": str(kettle.pk), "quantity": 1})
    answer = api.post("/api/cart/items", {"productId": str(kettle.pk), "quantity": 2})

    cart = answer.json()["data"]
    item = CartItem.objects.get()
    assert answer.status_code == 201
    assert cart["total"] == "149.97"
    assert [{**row, "addedAt": None} for row in cart["items"]] == [
        {"id": str(item.pk), "productId": str(kettle.pk), "name": "Copper Kettle", "price": "49.99", "quantity": 3, "addedAt": None}
    ]


def test_adding_more_than_the_stock_is_refused(api, item):
    error = assert_error(api.post("/api/cart/items", {"productId": str(item.product_id), "quantity": 9}), 409, "INSUFFICIENT_STOCK")
    assert error["message"] == "Only 10 of Copper Kettle are left; your cart has 2 already."
    assert_error(put_json(api, f"/api/cart/items/{item.pk}", {"quantity": 11}), 409, "INSUFFICIENT_STOCK")
    item.refresh_from_db()
    assert item.quantity == 2


def test_the_quantity_of_a_cart_item_can_be_changed(api, item):
    assert put_json(api, f"/api/cart/items/{item.pk}", {"quantity": 5}).json()["data"]["items"][0]["quantity"] == 5


def test_setting_the_quantity_to_zero_removes_the_item(api, item):
    assert put_json(api, f"/api/cart/items/{item.pk}", {"quantity": 0}).json()["data"]["items"] == []


def test_a_cart_item_can_be_deleted(api, item):
    assert api.delete(f"/api/cart/items/{item.pk}").status_code == 204
    assert_error(api.delete(f"/api/cart/items/{item.pk}"), 404, "NOT_FOUND")


@pytest.mark.parametrize("item_id", ["nonsense", "00000000-0000-0000-0000-000000000000", "😀", "%00", "../orders"])
def test_an_unknown_cart_item_is_not_found(api, item_id):
    assert_error(put_json(api, f"/api/cart/items/{item_id}", {"quantity": 1}), 404, "NOT_FOUND")


def test_the_cart_item_of_another_user_is_not_found(api):
    theirs = CartItemFactory(cart=cart_of(UserFactory()), quantity=2)
    assert_error(put_json(api, f"/api/cart/items/{theirs.pk}", {"quantity": 1}), 404, "NOT_FOUND")
    assert_error(api.delete(f"/api/cart/items/{theirs.pk}"), 404, "NOT_FOUND")
    assert CartItem.objects.get().quantity == 2


def test_adding_an_unlisted_product_is_not_found(api):
    kettle = ProductFactory(is_listed=False)
    assert_error(api.post("/api/cart/items", {"productId": str(kettle.pk), "quantity": 1}), 404, "NOT_FOUND")
    assert_error(api.post("/api/cart/items", {"productId": str(uuid.uuid4()), "quantity": 1}), 404, "NOT_FOUND")


@pytest.mark.parametrize("quantity", WEIRD)
def test_a_cart_item_with_an_invalid_quantity_is_refused(api, item, quantity):
    error = assert_error(api.post("/api/cart/items", {"productId": str(item.product_id), "quantity": quantity}), 400, "VALIDATION_ERROR")
    assert [row["field"] for row in error["details"]] == ["quantity"]
    if quantity != 0:
        assert_error(put_json(api, f"/api/cart/items/{item.pk}", {"quantity": quantity}), 400, "VALIDATION_ERROR")


@pytest.mark.parametrize("product_id", [*WEIRD, "nonsense", ""])
def test_a_malformed_product_id_is_refused(api, product_id):
    error = assert_error(api.post("/api/cart/items", {"productId": product_id, "quantity": 1}), 400, "VALIDATION_ERROR")
    assert [row["field"] for row in error["details"]] == ["productId"]


def test_a_cart_item_with_an_unknown_field_is_refused(api, item):
    assert_error(api.post("/api/cart/items", {"productId": str(item.product_id), "price": "0.01"}), 400, "VALIDATION_ERROR")


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '"\\ud800"', "[" * 5_000, '{"productId": NaN}'])
def test_a_cart_request_whose_body_is_not_an_object_is_refused(api, body):
    assert_error(api.generic("POST", "/api/cart/items", body), 400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/api/cart"), ("POST", "/api/cart/items"), ("PUT", "/api/cart/items/x"), ("DELETE", "/api/cart/items/x")]
)
def test_the_cart_api_needs_a_login(method, path):
    assert_error(ApiClient().generic(method, path, "{}"), 401, "UNAUTHORIZED")


def test_a_product_that_is_no_longer_sold_is_shown_without_a_price(api, item):
    Product.objects.update(is_listed=False)
    cart = api.get("/api/cart").json()["data"]
    assert (cart["items"][0]["price"], cart["total"]) == ("0.00", "0.00")
    assert_error(put_json(api, f"/api/cart/items/{item.pk}", {"quantity": 1}), 409, "CONFLICT")


def test_a_long_cart_needs_as_few_queries_as_a_short_one(api, ada, django_assert_max_num_queries):
    CartItemFactory.create_batch(20, cart=cart_of(ada))
    api.get("/api/cart")
    with django_assert_max_num_queries(4):
        assert len(api.get("/api/cart").json()["data"]["items"]) == 20
