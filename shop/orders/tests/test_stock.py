"""Stock is taken for all lines or none, and put back once."""

import pytest

from cryptons.db import atomic
from shop.catalogue.version import catalogue_version
from shop.errors import OutOfStock
from shop.models import Order, Product
from shop.orders.stock import hold_stock, release_stock
from shop.tests.factories import NOW, OrderFactory, OrderLineFactory, ProductFactory

pytestmark = pytest.mark.django_db


def stock():
    return dict(Product.objects.values_list("sku", "stock"))


@pytest.fixture
def order():
    """Two kettles of ten, and one cup of one."""
    order = OrderFactory()
    OrderLineFactory(order=order, product=ProductFactory(sku="KETTLE"))
    OrderLineFactory(order=order, product=ProductFactory(sku="CUP", name="Tin Cup", stock=1), quantity=1)
    return order


def test_holding_stock_takes_the_quantities_of_all_lines(order):
    hold_stock(order)
    assert stock() == {"KETTLE": 8, "CUP": 0}
    assert Order.objects.get().holds_stock


def test_no_stock_is_taken_when_one_line_exceeds_it(order):
    Product.objects.filter(sku="CUP").update(stock=0)

    with atomic(), pytest.raises(OutOfStock, match=r"^Tin Cup is sold out\.$"):
        hold_stock(order)

    assert stock() == {"KETTLE": 10, "CUP": 0}
    assert not Order.objects.get().holds_stock


def test_holding_stock_twice_takes_it_once(order):
    hold_stock(order)
    hold_stock(Order.objects.get())
    assert stock() == {"KETTLE": 8, "CUP": 0}


def test_releasing_stock_twice_returns_it_once(order):
    hold_stock(order)

    assert release_stock(Order.objects.get())
    assert not release_stock(order)

    assert stock() == {"KETTLE": 10, "CUP": 1}
    assert not Order.objects.get().holds_stock


def test_two_lines_of_one_product_are_checked_together_against_the_stock(order):
    OrderLineFactory(order=order, product=Product.objects.get(sku="KETTLE"), quantity=9)
    with pytest.raises(OutOfStock, match=r"^Only 10 of Copper Kettle are left\.$"):
        hold_stock(order)
    assert stock() == {"KETTLE": 10, "CUP": 1}


def test_stock_of_a_deleted_product_cannot_be_held(order):
    Product.objects.filter(sku="CUP").delete()
    with pytest.raises(OutOfStock, match=r"^Tin Cup is sold out\.$"):
        hold_stock(order)
    assert stock() == {"KETTLE": 10}


def test_stock_of_an_order_with_a_deleted_product_can_be_released(order):
    hold_stock(order)
    Product.objects.filter(sku="CUP").delete()
    assert release_stock(order)
    assert stock() == {"KETTLE": 10}


def test_holding_stock_updates_pages_and_search(order, django_capture_on_commit_callbacks):
    Product.objects.update(updated_at=NOW)
    before = catalogue_version()

    with django_capture_on_commit_callbacks(execute=True):
        hold_stock(order)

    assert catalogue_version() != before
    assert all(updated > NOW for updated in Product.objects.values_list("updated_at", flat=True))


def test_releasing_stock_updates_pages_and_search(client, monkeypatch, django_capture_on_commit_callbacks):
    indexed: list[str] = []
    monkeypatch.setattr("shop.catalogue.changes.enqueue", lambda task, ids: indexed.extend(ids))
    cup = ProductFactory(slug="tin-cup", stock=1)
    order = OrderFactory()
    OrderLineFactory(order=order, product=cup, quantity=1)
    with django_capture_on_commit_callbacks(execute=True):
        hold_stock(order)
    assert b"Sold out" in client.get("/p/tin-cup/").content
    indexed.clear()

    with django_capture_on_commit_callbacks(execute=True):
        release_stock(order)

    assert b"Sold out" not in client.get("/p/tin-cup/").content
    assert indexed == [str(cup.pk)]
