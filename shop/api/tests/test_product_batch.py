"""Changing many products with one request: PATCH /products."""

from functools import partial

import pytest
from django.contrib.auth.models import Permission

from accounts.api_keys import make_key
from accounts.tests.factories import ApiClient, StaffFactory, UserFactory
from cryptons.audit.models import Entry
from shop.api.tests.api_calls import assert_error
from shop.catalogue import changes
from shop.models import Product
from shop.tests.factories import CategoryFactory, ProductFactory

pytestmark = pytest.mark.django_db(transaction=True)

NOBODYS_ID = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def staff():
    return ApiClient(StaffFactory(username="ada"))


def patch(client, *rows, **more):
    return client.patch("/api/products", {"products": list(rows)}, content_type="application/json", **more)


def row(product, **values):
    return {"id": str(product.pk), **values}


def test_many_products_change_at_once_and_keep_what_is_left_out(staff):
    kettle, pot = ProductFactory(price_minor=4_999, stock=10), ProductFactory(price_minor=1_000, stock=10)
    desk = CategoryFactory()

    answer = patch(staff, row(pot, stock=3), row(kettle, price="39.50", category=str(desk.pk), isListed=False))

    assert answer.status_code == 200
    assert [(line["id"], line["price"], line["stock"], line["isListed"]) for line in answer.json()["data"]] == [
        (str(pot.pk), "10.00", 3, True),
        (str(kettle.pk), "39.50", 10, False),
    ]
    kettle.refresh_from_db()
    assert (kettle.price_minor, kettle.category_id, kettle.is_listed, kettle.stock) == (3_950, desk.pk, False, 10)


def test_each_wrong_row_is_named_and_none_is_written(staff):
    first, second, third = ProductFactory.create_batch(3, price_minor=1_000)

    answer = patch(
        staff,
        row(first, price="5.00"),
        row(second, price="0", stock=-1),
        {"id": NOBODYS_ID, "price": "5.00"},
        row(third, category=NOBODYS_ID, colour="red"),
        {"price": "5.00"},
        "kettle",
        {"id": {"$ne": None}},
    )

    fields = [problem["field"] for problem in assert_error(answer, 400, "VALIDATION_ERROR")["details"]]
    assert sorted(fields) == [
        "products.1.price",
        "products.1.stock",
        "products.2.id",
        "products.3.category",
        "products.3.colour",
        "products.4.id",
        "products.5",
        "products.6.id",
    ]
    assert set(Product.objects.values_list("price_minor", flat=True)) == {1_000}


def test_each_sku_or_slug_that_is_taken_is_named_and_none_is_written(staff):
    first, second, third = (ProductFactory(sku=sku, slug=sku.lower()) for sku in ("ONE", "TWO", "THREE"))

    answer = patch(staff, row(first, sku="NEW"), row(second, sku="THREE", slug="one"), row(third, sku="NEW", slug="three"))

    fields = [problem["field"] for problem in assert_error(answer, 409, "CONFLICT")["details"]]
    assert fields == ["products.1.sku", "products.2.sku", "products.1.slug"]
    assert set(Product.objects.values_list("sku", flat=True)) == {"ONE", "TWO", "THREE"}


@pytest.mark.parametrize("body", [{}, {"products": []}, {"products": "all"}, {"products": {}}, [], {"products": [None] * 501}])
def test_a_body_without_rows_or_with_too_many_is_refused(staff, body):
    answer = staff.patch("/api/products", body, content_type="application/json")
    assert [problem["field"] for problem in assert_error(answer, 400, "VALIDATION_ERROR")["details"]] == ["products" if body != [] else ""]


def test_a_product_stands_in_one_row(staff):
    kettle = ProductFactory()
    error = assert_error(patch(staff, row(kettle, stock=1), row(kettle, stock=2)), 400, "VALIDATION_ERROR")
    assert error["details"] == [{"field": "products.1.id", "message": "Another row is about this product."}]


def test_many_rows_renew_pages_and_index_once(staff, monkeypatch, django_assert_max_num_queries):
    products = ProductFactory.create_batch(20, category=CategoryFactory())
    renewed = []
    monkeypatch.setattr(changes, "_renew_products", lambda ids, slugs: renewed.append(sorted(ids)))
    monkeypatch.setattr(changes, "_enqueue", lambda ids: renewed.append(sorted(ids)))

    with django_assert_max_num_queries(60):  # one for each row, and those that are the same for any number
        assert patch(staff, *(row(product, stock=7) for product in products)).status_code == 200

    ids = sorted(product.pk for product in products)
    assert renewed == [ids, sorted(map(str, ids))]
    assert set(Product.objects.values_list("stock", flat=True)) == {7}


def test_every_change_is_in_the_audit_log(staff):
    kettle, pot, desk = ProductFactory(price_minor=4_999), ProductFactory(stock=10), CategoryFactory()

    patch(staff, row(kettle, price="39.50", category=str(desk.pk)), row(pot, stock=10))

    entry = Entry.objects.get(object_type="product", action="change")
    assert (entry.object_id, entry.person, entry.way) == (str(kettle.pk), "ada", "api")
    assert entry.changes == {"price_minor": ["4999", "3950"], "category": [str(kettle.category_id), str(desk.pk)]}


def test_a_request_that_is_repeated_with_its_key_changes_nothing_again(staff):
    kettle = ProductFactory(stock=10)
    send = partial(patch, staff, row(kettle, stock=5), headers={"Idempotency-Key": "stock-1"})
    first = send()
    Product.objects.update(stock=4)  # one was sold

    assert send().json() == first.json()
    assert Product.objects.get().stock == 4
    assert patch(staff, row(kettle, stock=6), headers={"Idempotency-Key": "stock-1"}).status_code == 422


def test_changing_many_products_needs_the_right_to_change_products():
    kettle = ProductFactory(stock=10)
    for right in ("add_product", "delete_product", "view_product", "change_productimage"):
        person = UserFactory(is_staff=True)
        person.user_permissions.add(Permission.objects.get(codename=right))
        assert patch(ApiClient(person), row(kettle, stock=5)).status_code == 403
    reader = make_key(StaffFactory(), "ERP", ["products:read"])[1]
    assert patch(ApiClient(HTTP_AUTHORIZATION=f"Bearer {reader}"), row(kettle, stock=5)).status_code == 403
    assert patch(ApiClient(), row(kettle, stock=5)).status_code == 401
    assert Product.objects.get().stock == 10
