"""Webhooks tell of a product's stock when it was written, and of nothing else that is done to a product."""

import pytest

from accounts.tests.factories import ApiClient, StaffFactory
from cryptons.db import in_transaction
from cryptons.events.models import WebhookDelivery
from cryptons.events.tests.receiver import make_endpoint
from shop.catalogue.changes import stock_changed
from shop.models import Product
from shop.tests.factories import ProductFactory
from shop.tests.forms import product_form

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _endpoint():
    make_endpoint("https://erp.example/hooks", ["stock.changed"])


@pytest.fixture
def staff():
    return StaffFactory(is_superuser=True)


@pytest.fixture
def api(staff):
    return ApiClient(staff)


@pytest.fixture
def admin(client, staff):
    client.force_login(staff)
    return client


def stocks():
    """Product and stock of each delivery, which are forgotten then."""
    rows = list(WebhookDelivery.objects.order_by("pk"))
    WebhookDelivery.objects.all().delete()
    return [(row.subject_id, int(row.body.partition('"stock":')[2].rstrip("}"))) for row in rows]


def test_an_edit_over_the_api_tells_of_the_stock_that_it_writes(api):
    product, path = ProductFactory(stock=10), "/api/products"
    made = api.post(path, {"name": "Pot", "sku": "POT", "price": "5.00", "category": str(product.category_id), "stock": 4}).json()["data"]
    assert [stock for _, stock in stocks()] == [4]

    json = "application/json"
    assert api.patch(f"{path}/{product.pk}", {"stock": 3}, json).status_code == 200
    rows = [{"id": str(product.pk), "stock": 2}, {"id": made["id"], "name": "Iron Pot"}]
    assert api.patch(path, {"products": rows}, json).status_code == 200
    assert stocks() == [(product.pk, 3), (product.pk, 2)]

    assert api.patch(f"{path}/{product.pk}", {"name": "Steel Kettle"}, json).status_code == 200
    assert api.patch(path, {"products": [{"id": str(product.pk), "price": "6.00"}]}, json).status_code == 200
    assert api.delete(f"{path}/{product.pk}").status_code == 204
    assert stocks() == []


def test_an_edit_in_the_admin_tells_of_the_stock_that_it_writes(admin):
    product, path = ProductFactory(stock=10), "/admin/shop/product/"
    assert admin.post(f"{path}{product.pk}/change/", product_form(product, stock=12)).status_code == 302
    assert stocks() == [(product.pk, 12)]

    product.refresh_from_db()
    assert admin.post(f"{path}{product.pk}/change/", product_form(product, name="Steel Kettle")).status_code == 302
    admin.post(path, {"action": "unlist_products", "_selected_action": [str(product.pk)]})
    assert not Product.objects.get().is_listed
    assert stocks() == []

    new = product_form(ProductFactory.build(category=product.category, sku="POT", stock=4))
    assert admin.post(f"{path}add/", new).status_code == 302
    assert [stock for _, stock in stocks()] == [4]


def test_a_sale_tells_of_the_stock_that_is_left():
    product = ProductFactory(stock=10)

    def sell():
        Product.objects.filter(pk=product.pk).update(stock=8)
        stock_changed({product.pk: -2})

    in_transaction(sell)
    assert stocks() == [(product.pk, 8)]
