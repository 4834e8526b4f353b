"""Stock is taken for all lines or none, and put back once."""

import pytest

from cryptons.db import atomic, new_id
from shop.catalogue.version import catalogue_version, product_version
from shop.errors import OutOfStock
from shop.models import Order, Product
from shop.orders.stock import _quantities, hold_stock, release_stock, take_stock
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


def test_an_order_knows_whether_it_holds_its_stock(order):
    hold_stock(order)
    assert order.holds_stock is True
    release_stock(order)
    assert order.holds_stock is False


def test_an_order_whose_stock_is_refused_holds_nothing(order):
    Product.objects.filter(sku="CUP").update(stock=0)
    with atomic(), pytest.raises(OutOfStock):
        hold_stock(order)
    assert order.holds_stock is False
    assert release_stock(order) is False


def test_holding_and_releasing_the_stock_of_one_order_leaves_other_orders_and_products_alone(order):
    holding, waiting = OrderFactory(holds_stock=True), OrderFactory()
    OrderLineFactory(order=holding, product=ProductFactory(sku="PAN"))
    OrderLineFactory(order=waiting, product=Product.objects.get(sku="PAN"))

    def others():
        return [Order.objects.get(pk=other.pk).holds_stock for other in (holding, waiting)]

    hold_stock(order)
    assert (others(), stock()) == ([True, False], {"KETTLE": 8, "CUP": 0, "PAN": 10})
    release_stock(order)
    assert (others(), stock()) == ([True, False], {"KETTLE": 10, "CUP": 1, "PAN": 10})


def test_a_refused_order_leaves_other_orders_and_products_alone(order):
    holding = OrderFactory(holds_stock=True)
    Product.objects.filter(sku="CUP").update(stock=0)
    ProductFactory(sku="PAN", stock=7)
    with atomic(), pytest.raises(OutOfStock):
        hold_stock(order)
    assert Order.objects.get(pk=holding.pk).holds_stock
    assert stock() == {"KETTLE": 10, "CUP": 0, "PAN": 7}


def test_refusing_an_order_names_all_products_that_are_short(order):
    Product.objects.filter(sku="CUP").update(stock=0)
    Product.objects.filter(sku="KETTLE").update(stock=1)
    with atomic(), pytest.raises(OutOfStock) as refusal:
        hold_stock(order)
    ids = dict(Product.objects.values_list("name", "pk"))
    short = {(shortage.name, shortage.left, shortage.product_id) for shortage in refusal.value.shortages}
    assert short == {("Tin Cup", 0, ids["Tin Cup"]), ("Copper Kettle", 1, ids["Copper Kettle"])}


def test_a_product_that_is_deleted_while_its_stock_is_being_taken_is_sold_out(order, monkeypatch):
    """The line that was read still refers to it, but its row and name are gone."""
    cup = Product.objects.get(sku="CUP").pk
    monkeypatch.setattr("shop.orders.stock._quantities", lambda lines: {new_id(): 1, cup: 1})
    with atomic(), pytest.raises(OutOfStock, match=r"^A product is sold out\.$"):
        hold_stock(order)
    assert stock() == {"KETTLE": 10, "CUP": 1}


def test_a_refused_order_changes_no_product(order):
    Product.objects.filter(sku="CUP").update(stock=0)
    Product.objects.update(updated_at=NOW)
    with atomic(), pytest.raises(OutOfStock):
        hold_stock(order)
    assert set(Product.objects.values_list("updated_at", flat=True)) == {NOW}


def test_stock_dates_only_those_products_anew_that_are_sold_out_or_back(order):
    """The sweep finds them by that, because the search filters by it."""
    Product.objects.update(updated_at=NOW)
    hold_stock(order)
    assert [product.sku for product in Product.objects.exclude(updated_at=NOW)] == ["CUP"]

    Product.objects.update(updated_at=NOW)
    release_stock(order)
    assert [product.sku for product in Product.objects.exclude(updated_at=NOW)] == ["CUP"]


def test_the_last_pieces_of_a_product_can_be_held(order):
    Product.objects.filter(sku="KETTLE").update(stock=2)
    hold_stock(order)
    assert stock() == {"KETTLE": 0, "CUP": 0}


def test_products_are_taken_in_the_order_of_their_ids_whatever_the_order_of_the_lines():
    """Two orders of the same products would otherwise wait for each other."""
    first, second = sorted((ProductFactory(), ProductFactory()), key=lambda product: product.pk)
    order = OrderFactory()
    lines = [OrderLineFactory(order=order, product=second), OrderLineFactory(order=order, product=first, quantity=3)]
    lines.append(OrderLineFactory(order=order, product=second, quantity=1))
    assert list(_quantities(lines).items()) == [(first.pk, 3), (second.pk, 3)]


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


@pytest.mark.parametrize(("stock", "is_seen_in_lists"), [(10, False), (8, False), (7, True), (2, True)])
def test_selling_two_of_a_product_renews_it_and_lists_only_if_they_tell_how_many_are_left(
    stock, is_seen_in_lists, django_capture_on_commit_callbacks
):
    product = ProductFactory(stock=stock)
    line = OrderLineFactory.build(order=OrderFactory(), product=product, price_minor=product.price_minor, quantity=2)
    lists, renewed = catalogue_version(), product_version(product.slug)
    with django_capture_on_commit_callbacks(execute=True):
        take_stock([line])
    assert Product.objects.get().stock == stock - 2
    assert product_version(product.slug) != renewed
    assert (catalogue_version() != lists) == is_seen_in_lists


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


def test_holding_stock_updates_pages(order, django_capture_on_commit_callbacks):
    kettle = str(Product.objects.get(sku="KETTLE").pk)
    before = catalogue_version(), product_version(kettle)

    with django_capture_on_commit_callbacks(execute=True):
        hold_stock(order)

    assert catalogue_version() != before[0]
    assert product_version(kettle) != before[1]


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
