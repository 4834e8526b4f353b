"""A cart becomes an order: everything is written, or nothing."""

import uuid
from decimal import Decimal

import pytest

from accounts.tests.factories import UserFactory
from cryptons.events.models import Event
from cryptons.mail.models import Mail
from payments.errors import NetworkNotOffered, NodeUnavailable, RateUnavailable
from payments.models import Invoice, Option
from payments.networks.sandbox.network import SandboxNetwork
from shop.cart.contents import read_cart
from shop.checkout import placing
from shop.checkout.placing import order_products, place_order
from shop.errors import CartBlocked, CartChanged, NotSold, OrderMoved, OutOfRange, OutOfStock
from shop.models import CartItem, Order, OrderLine, Product
from shop.tests.factories import ADDRESS, NOW, CartFactory, CartItemFactory, ProductFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def cart():
    """Two kettles of ten."""
    return CartItemFactory(product__sku="KETTLE", quantity=2).cart


def place(cart, **more):
    return place_order(cart, **{"email": "ada@example.com", "user": None, "address": ADDRESS, "network": "BTC", "at": NOW, **more}).order


def nothing_was_written():
    return not any(model.objects.exists() for model in (Order, OrderLine, Invoice, Option, Event, Mail)) and CartItem.objects.exists()


def test_an_order_copies_the_names_and_prices_of_its_products(cart):
    order = place(cart)

    Product.objects.update(name="Iron Kettle", price_minor=1)
    line = order.lines.get()
    assert (line.name, line.sku, line.price_minor, line.quantity) == ("Copper Kettle", "KETTLE", 4_999, 2)
    assert (order.total_minor, order.currency, order.status, order.payment_status) == (9_998, "USD", "pending", "unpaid")
    assert order.shipping_address == ADDRESS


def test_placing_an_order_holds_stock_and_empties_the_cart(cart):
    order = place(cart)
    assert Product.objects.get().stock == 8
    assert order.holds_stock
    assert not CartItem.objects.exists()


def test_placing_an_order_opens_an_invoice(cart):
    order = place(cart)
    invoice = Invoice.objects.get()
    assert (invoice.subject_id, invoice.label, invoice.price_minor, invoice.status) == (order.pk, f"order_{order.number}", 9_998, "new")
    assert Option.objects.get().minor_per_coin == Decimal(6_500_000)


def test_placing_an_order_records_one_event_and_sends_one_mail(cart):
    order = place(cart)

    event = Event.objects.get(subject_id=order.pk)
    mail = Mail.objects.get()
    assert (event.type, event.seq, event.data["status"]) == ("order.placed", 1, "pending")
    assert (mail.key, mail.to) == (f"order-received:{order.pk}", "ada@example.com")
    assert mail.subject == f"We received your order {order.number}"
    for text in (mail.text, mail.html):
        assert f"http://127.0.0.1:8000/orders/{order.access_token}/" in text
        assert f"http://127.0.0.1:8000/pay/{Invoice.objects.get().pk}/" in text
        assert "2 × Copper Kettle" in text
        assert "$99.98" in text


def test_the_mail_of_an_order_carries_nothing_that_a_stranger_typed(cart):
    """Who orders names the address that is mailed: the shop must not deliver their text to anybody before it is paid."""
    typed = {name: f"typed {name}" for name in ("name", "street", "street2", "city", "region", "postalCode")}
    place(cart, address={**typed, "country": "GB"})
    mail = Mail.objects.get()
    assert "typed" not in mail.subject + mail.text + mail.html
    assert mail.text.startswith("Hello,\n")


def test_an_order_belongs_to_the_user_who_placed_it(cart):
    ada = UserFactory()
    assert place(cart, user=ada).user == ada


@pytest.mark.parametrize("error", [NodeUnavailable("away"), RateUnavailable("no rate")])
def test_nothing_is_written_when_the_node_or_the_rate_is_unavailable(cart, monkeypatch, error):
    def fail(self, request):
        raise error

    monkeypatch.setattr(SandboxNetwork, "open_destination", fail)

    with pytest.raises(type(error)):
        place(cart)

    assert nothing_was_written()
    assert Product.objects.get().stock == 10


def test_a_coin_that_the_shop_does_not_take_is_refused(cart):
    with pytest.raises(NetworkNotOffered):
        place(cart, network="DOGE")
    assert nothing_was_written()


def test_ordering_an_empty_cart_is_refused():
    with pytest.raises(CartBlocked):
        place(CartFactory())


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"stock": 1}, OutOfStock),
        ({"is_listed": False}, NotSold),
        ({"price_minor": 0}, OutOfRange),
        ({"price_minor": 1}, OutOfRange),
        ({"price_minor": 10**15}, OutOfRange),
    ],
)
def test_nothing_is_written_when_a_product_cannot_be_ordered(cart, change, error):
    Product.objects.update(**change)
    with pytest.raises(error):
        place(cart)
    assert nothing_was_written()


def test_a_price_that_the_buyer_has_not_seen_must_be_confirmed(cart):
    agreed = read_cart(cart).agreed
    Product.objects.update(price_minor=5_999)

    with pytest.raises(CartChanged):
        place(cart, agreed=agreed)

    assert nothing_was_written()
    assert place(cart, agreed=read_cart(cart).agreed).total_minor == 11_998


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "change",
    [
        lambda: Product.objects.update(price_minor=5_999),
        lambda: Product.objects.update(is_listed=False),
        lambda: CartItem.objects.update(quantity=3),
        lambda: CartItem.objects.all().delete(),
    ],
)
def test_a_cart_that_changes_while_the_node_is_asked_must_be_confirmed(cart, monkeypatch, change):
    prepare = placing.prepare_offers

    def prepare_slowly(*args, **more):
        change()
        return prepare(*args, **more)

    monkeypatch.setattr(placing, "prepare_offers", prepare_slowly)
    with pytest.raises(CartChanged):
        place(cart)
    assert not Order.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", [{"price_minor": 5_999}, {"is_listed": False}])
def test_products_that_change_while_the_node_is_asked_must_be_confirmed_also_without_a_cart(monkeypatch, change):
    kettle, prepare = ProductFactory(), placing.prepare_offers

    def prepare_slowly(*args, **more):
        Product.objects.update(**change)
        return prepare(*args, **more)

    monkeypatch.setattr(placing, "prepare_offers", prepare_slowly)
    with pytest.raises(CartChanged):
        order_products({kettle.pk: 1}, email="a@example.com", user=None, address=ADDRESS, network="BTC", at=NOW)
    assert not Order.objects.exists()
    assert Product.objects.get().stock == 10


@pytest.mark.django_db(transaction=True)
def test_an_order_takes_all_its_products_or_none_and_names_those_that_are_short(monkeypatch):
    kettle, cup, pan = ProductFactory(), ProductFactory(name="Tin Cup"), ProductFactory(name="Iron Pan")
    prepare = placing.prepare_offers

    def sell_meanwhile(*args, **more):
        Product.objects.filter(pk=cup.pk).update(stock=0)
        Product.objects.filter(pk=pan.pk).update(stock=1)
        return prepare(*args, **more)

    monkeypatch.setattr(placing, "prepare_offers", sell_meanwhile)
    with pytest.raises(OutOfStock) as refusal:
        order_products({one.pk: 2 for one in (pan, kettle, cup)}, email="a@b.org", user=None, address=ADDRESS, network="BTC", at=NOW)
    short = {(shortage.name, shortage.left, shortage.product_id) for shortage in refusal.value.shortages}
    assert short == {("Tin Cup", 0, cup.pk), ("Iron Pan", 1, pan.pk)}
    assert Product.objects.get(pk=kettle.pk).stock == 10


@pytest.mark.django_db(transaction=True)
def test_stock_that_is_sold_while_the_node_is_asked_is_not_sold_twice(cart, monkeypatch):
    prepare = placing.prepare_offers

    def sell_meanwhile(*args, **more):
        Product.objects.update(stock=1)
        return prepare(*args, **more)

    monkeypatch.setattr(placing, "prepare_offers", sell_meanwhile)
    with pytest.raises(OutOfStock):
        place(cart)
    assert nothing_was_written()
    assert Product.objects.get().stock == 1


def test_placing_an_order_again_with_the_same_token_returns_the_same_order(cart):
    token = uuid.uuid4()
    order = place(cart, token=token)

    assert place(cart, token=token) == order

    assert Order.objects.count() == 1
    assert Product.objects.get().stock == 8


@pytest.mark.django_db(transaction=True)
def test_two_simultaneous_presses_of_the_button_make_one_order(cart, monkeypatch):
    token, prepare = uuid.uuid4(), placing.prepare_offers

    def press_again(*args, **more):
        monkeypatch.setattr(placing, "prepare_offers", prepare)
        twins.append(place(cart, token=token))
        CartItemFactory(cart=cart, product=Product.objects.get(), quantity=2)  # as the first press saw it
        return prepare(*args, **more)

    twins = []
    monkeypatch.setattr(placing, "prepare_offers", press_again)
    monkeypatch.setattr(placing, "check_contents", lambda contents: None)

    assert place(cart, token=token) == twins[0]

    assert Order.objects.count() == Invoice.objects.count() == Mail.objects.count() == 1
    assert Product.objects.get().stock == 8


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("repeated", [1, 3])
def test_an_address_that_another_invoice_has_is_replaced_by_a_new_one(cart, monkeypatch, repeated):
    place(CartItemFactory().cart)
    address = Option.objects.get().destination
    answers = iter([*[address] * repeated, "bcrt1qanother"])
    real = SandboxNetwork.open_destination

    def give(self, request):
        return type(real(self, request))(next(answers))

    monkeypatch.setattr(SandboxNetwork, "open_destination", give)
    order = place(cart)

    assert Option.objects.get(invoice__subject_id=order.pk).destination == "bcrt1qanother"


@pytest.mark.django_db(transaction=True)
def test_the_token_of_another_user_places_no_order(cart):
    token = uuid.uuid4()
    place(CartItemFactory().cart, token=token, user=UserFactory())
    with pytest.raises(OrderMoved):
        place(cart, token=token)
    assert Order.objects.count() == 1


def test_products_can_be_ordered_without_a_cart():
    kettle = ProductFactory()
    placed = order_products(
        {kettle.pk: 3}, email="ada@example.com", user=UserFactory(), address=ADDRESS, network="LTC", at=NOW, token=uuid.uuid4()
    )
    kettle.refresh_from_db()
    assert (placed.order.total_minor, placed.order.network, kettle.stock) == (14_997, "LTC", 7)


def test_ordering_an_unlisted_product_is_not_found():
    kettle = ProductFactory(is_listed=False)
    with pytest.raises(Product.DoesNotExist):
        order_products({kettle.pk: 1}, email="a@example.com", user=None, address=ADDRESS, network="BTC", at=NOW, token=uuid.uuid4())
