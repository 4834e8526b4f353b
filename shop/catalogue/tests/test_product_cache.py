"""What Redis keeps of a product, here kept by the process; that it is JSON there, tests/stack/test_outages.py sees."""

import pytest
from django.core.cache import caches

from cryptons.db import in_transaction
from shop.catalogue import product_cache
from shop.catalogue.changes import product_changed
from shop.catalogue.reads import find_shown
from shop.catalogue.version import catalogue_changed
from shop.models import Product
from shop.orders.stock import hold_stock
from shop.tests.factories import OrderLineFactory, ProductFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _with_a_cache(settings):
    settings.CACHES = {**settings.CACHES, "products": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "products"}}
    yield
    caches["products"].clear()


def read(client, product):
    answer = client.get(f"/api/products/{product.pk}", headers={"Authorization": "Bearer x"})  # so these bytes are not kept ready
    assert answer.status_code == 200
    return answer.content


def test_a_cached_product_is_read_without_a_query(client, django_assert_num_queries):
    product = ProductFactory()
    first = read(client, product)

    with django_assert_num_queries(0):
        assert read(client, product) == first
    assert caches["products"].get(f"product:{product.pk}")["product"]["sku"] == product.sku


def test_a_change_of_a_product_deletes_it_from_the_cache(client):
    product = ProductFactory(name="Copper Kettle")
    read(client, product)
    product.name = "Steel Kettle"
    product.save()

    product_changed([product.pk])

    assert caches["products"].get(product_cache.key(product.pk)) is None
    assert b"Steel Kettle" in read(client, product)


@pytest.mark.parametrize("change", [lambda product: catalogue_changed(), lambda product: product_changed([product.pk])])
def test_a_product_that_was_read_before_a_change_is_not_served_from_the_cache(change):
    product = ProductFactory()
    before = product_cache.version(product.pk)
    change(product)

    product_cache.keep(product.pk, {"name": "old"}, version=before)

    assert product_cache.read(product.pk) is None


def test_an_order_leaves_other_products_in_the_cache(client, django_assert_num_queries):
    product, order = ProductFactory(), OrderLineFactory(product=ProductFactory(stock=2)).order
    first = read(client, product)

    in_transaction(lambda: hold_stock(order))  # the other one is sold out now

    with django_assert_num_queries(0):
        assert read(client, product) == first


def test_a_change_during_a_read_is_shown_by_the_next_read(client, monkeypatch):
    product = ProductFactory(name="Copper Kettle")

    def find_and_change(**known):
        row = find_shown(**known)
        Product.objects.update(name="Steel Kettle")
        product_changed([product.pk])
        return row

    with monkeypatch.context() as patch:
        patch.setattr("shop.api.products.find_shown", find_and_change)
        assert b"Copper Kettle" in read(client, product)

    assert b"Steel Kettle" in read(client, product)
