"""What one visitor can hold without paying: a few open orders and a share of the stock, on pages and in the API."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError
from django.utils import timezone

from accounts.tests.factories import ApiClient, UserFactory
from cryptons.api.limits import forget_counts
from cryptons.mail.models import Mail
from payments.errors import QuoteRefused
from payments.networks.sandbox.network import SandboxNetwork
from shop.cart.contents import SESSION_KEY
from shop.checkout import placing
from shop.checkout.placing import place_order
from shop.checkout.requoting import requote_order
from shop.checkout.tests.test_checkout_pages import order as order_on_pages
from shop.checkout.unpaid_limits import Slots, TooManyUnpaid, Visitor, forget_closed_slots
from shop.errors import TooManyUnits
from shop.models import CartItem, Order, Product, UnpaidSlot
from shop.orders.lifecycle import cancel_own_order
from shop.tasks import sweep_orders
from shop.tests.factories import ADDRESS, NOW, CartItemFactory, ProductFactory
from shop.tests.paying import pay, run_out

pytestmark = pytest.mark.django_db(transaction=True)

SOON = NOW + timedelta(minutes=5)
LATER = NOW + timedelta(minutes=16)


@pytest.fixture(autouse=True)
def _limits(settings):
    settings.UNPAID_ORDERS = 2
    settings.UNPAID_SHARE = Decimal("0.5")


@pytest.fixture
def kettle():
    return ProductFactory(stock=20)


def place(product, number=0, *, quantity=1, at=NOW, email="", user=None, session="", address=""):
    """Place an order as a visitor of whom nothing is known that another order knows, but what is given."""
    visitor = Visitor(session or f"session-{number}", address or f"192.0.2.{number}")
    cart = CartItemFactory(product=product, quantity=quantity).cart
    email = email or f"buyer-{number}@example.com"
    return place_order(cart, email=email, user=user, address=ADDRESS, network="BTC", at=at, visitor=visitor).order


def never_asked(self, request):
    raise AssertionError("the node was asked")


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ({"session": "abc"}, {"session": "abc"}),
        ({"address": "192.0.2.9"}, {"address": "192.0.2.9"}),
        ({"address": "2001:db8:1:2::/64"}, {"address": "2001:db8:1:2::/64"}),
        ({"email": "ada@example.com"}, {"email": "ADA@Example.com"}),
    ],
)
def test_a_visitor_with_too_many_unpaid_orders_is_refused_before_the_node_is_asked(kettle, monkeypatch, first, again):
    place(kettle, 1, **first)
    place(kettle, 2, **first)
    monkeypatch.setattr(SandboxNetwork, "open_destination", never_asked)

    with pytest.raises(TooManyUnpaid, match="2 unpaid orders"):
        place(kettle, 3, **again)

    assert Order.objects.count() == 2
    assert Product.objects.get().stock == 18


def test_an_account_with_too_many_unpaid_orders_is_refused(kettle):
    ada = UserFactory()
    place(kettle, 1, user=ada)
    place(kettle, 2, user=ada)
    with pytest.raises(TooManyUnpaid):
        place(kettle, 3, user=ada)


def test_other_visitors_still_order(kettle):
    place(kettle, 1)
    place(kettle, 1)
    assert place(kettle, 2).holds_stock


def test_without_a_limit_nothing_is_counted_or_stored(kettle, settings):
    settings.UNPAID_ORDERS = 0
    for _ in range(5):
        place(kettle, quantity=4)
    assert not UnpaidSlot.objects.exists()


def pay_it(order):
    pay(order, at=SOON, seen_at=SOON)


def cancel_it(order):
    cancel_own_order(order.pk, at=SOON)


@pytest.mark.parametrize("free", [pay_it, cancel_it])
def test_an_order_that_is_paid_or_cancelled_makes_room_for_another(kettle, free):
    order = place(kettle)
    place(kettle)

    free(order)

    assert place(kettle, at=SOON).holds_stock
    with pytest.raises(TooManyUnpaid):
        place(kettle, at=SOON)


def test_ordering_and_cancelling_again_and_again_does_not_use_up_the_wallets_addresses(kettle, monkeypatch):
    for _ in range(6):
        cancel_it(place(kettle))
    monkeypatch.setattr(SandboxNetwork, "open_destination", never_asked)
    with pytest.raises(TooManyUnpaid, match="Please order again after 12:15 UTC"):
        place(kettle, at=SOON)

    monkeypatch.undo()
    assert place(kettle, at=LATER)


def test_an_order_whose_quote_expired_makes_room_for_another(kettle):
    place(kettle)
    place(kettle)
    assert place(kettle, at=LATER)


def test_requests_at_the_same_time_do_not_pass_the_limit(kettle, monkeypatch):
    """Another request of the visitor takes the last place while this one waits for the node."""
    place(kettle)
    ask, answers = placing.prepare_offers, []

    def meet(*args, **more):
        monkeypatch.setattr(placing, "prepare_offers", ask)
        answers.append(place(kettle))
        return ask(*args, **more)

    monkeypatch.setattr(placing, "prepare_offers", meet)
    with pytest.raises(TooManyUnpaid):
        place(kettle)

    assert len(answers) == 1
    assert (Order.objects.count(), Product.objects.get().stock) == (2, 18)


def test_the_database_refuses_the_same_place_twice(kettle):
    order, other = place(kettle), place(kettle, 2)
    slots = list(UnpaidSlot.objects.filter(order=order).values_list("visitor", "number"))
    assert len(slots) == 3  # session, client address, mail address
    with pytest.raises(IntegrityError):
        Slots(tuple(slots)).take(other, until=order.created_at)


# --- The share of a product ---------------------------------------------------------------------------------------------------


def test_a_visitor_holds_at_most_the_share_of_a_product_in_all_unpaid_orders_together(kettle):
    with pytest.raises(TooManyUnits, match="at most 10 of Copper Kettle can be reserved"):
        place(kettle, quantity=11)
    place(kettle, quantity=6)
    with pytest.raises(TooManyUnits, match="at most 10 of Copper Kettle"):
        place(kettle, quantity=5)
    place(kettle, quantity=4)
    assert Product.objects.get().stock == 10


def test_requests_at_the_same_time_do_not_pass_the_share(kettle, monkeypatch):
    ask = placing.prepare_offers

    def meet(*args, **more):
        monkeypatch.setattr(placing, "prepare_offers", ask)
        place(kettle, quantity=10)
        return ask(*args, **more)

    monkeypatch.setattr(placing, "prepare_offers", meet)
    with pytest.raises(TooManyUnits):
        place(kettle, quantity=10)

    assert Product.objects.get().stock == 10


def test_pieces_of_an_order_placed_after_the_stock_was_read_count_once(kettle, monkeypatch):
    read = placing.read_cart

    def meet(*args, **named):
        contents = read(*args, **named)
        monkeypatch.setattr(placing, "read_cart", read)
        place(kettle, quantity=10)
        return contents

    monkeypatch.setattr(placing, "read_cart", meet)
    with pytest.raises(TooManyUnits):
        place(kettle, quantity=5)

    assert Product.objects.get().stock == 10


@pytest.mark.parametrize("stock", [1, 2, 3])
def test_one_piece_can_always_be_ordered(stock):
    assert place(ProductFactory(stock=stock)).holds_stock


def test_pieces_that_were_paid_for_count_no_more(kettle):
    pay_it(place(kettle, quantity=10))
    assert place(kettle, quantity=5, at=SOON)


# --- New quotes ---------------------------------------------------------------------------------------------------------------


def test_two_new_quotes_keep_the_stock_and_later_ones_must_take_it_again(kettle):
    order = place(kettle, quantity=10)
    requote_order(order.pk, "LTC", at=SOON)
    requote_order(order.pk, "XRP", at=SOON + timedelta(minutes=1))

    with pytest.raises(QuoteRefused, match="2 new quotes"):
        requote_order(order.pk, "BTC", at=SOON + timedelta(minutes=2))

    run_out(order, at=NOW + timedelta(minutes=22))
    assert Product.objects.get().stock == 20
    order = requote_order(order.pk, "BTC", at=NOW + timedelta(minutes=23))
    assert (order.holds_stock, Product.objects.get().stock) == (True, 10)


def test_a_new_quote_of_an_expired_order_needs_a_place_and_its_share(kettle):
    visitor = Visitor("session-0", "192.0.2.0")
    first = place(kettle, quantity=6)
    run_out(first, at=LATER)
    place(kettle, quantity=6, at=LATER)
    with pytest.raises(TooManyUnits):
        requote_order(first.pk, at=LATER, visitor=visitor)
    place(kettle, at=LATER)
    with pytest.raises(TooManyUnpaid):
        requote_order(first.pk, at=LATER, visitor=visitor)


def test_a_new_quote_keeps_the_places_of_its_order_until_it_expires(kettle):
    order = place(kettle)
    place(kettle)
    requote_order(order.pk, "LTC", at=SOON, visitor=Visitor("session-0", "192.0.2.0"))

    assert place(kettle, at=LATER)
    with pytest.raises(TooManyUnpaid):
        place(kettle, at=LATER)


# --- Mails --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("same", [{"email": "Victim@example.com"}, {"session": "abc"}])
def test_a_stranger_cannot_make_the_shop_mail_somebody_without_end(kettle, settings, same):
    forget_counts()
    settings.RATE_LIMIT_ORDER_MAILS = "2/day"
    for number in range(4):
        order = place(kettle, number, **same)
        cancel_it(order)

    assert (Order.objects.count(), Mail.objects.count()) == (4, 2)
    place(kettle, 9)
    assert Mail.objects.filter(to="buyer-9@example.com").exists()


# --- What is stored -----------------------------------------------------------------------------------------------------------


def test_neither_address_nor_session_of_a_visitor_can_be_read_in_the_database(kettle, settings):
    place(kettle, 7)
    stored = {slot.visitor for slot in UnpaidSlot.objects.all()}
    settings.SECRET_KEY = "another-key-" + "y" * 40
    place(kettle, 7)

    assert all(len(value) == 64 and "192.0.2.7" not in value and "session-7" not in value for value in stored)
    assert len({slot.visitor for slot in UnpaidSlot.objects.all()}) == 6


@pytest.mark.parametrize("close", [pay_it, cancel_it, lambda order: None])
def test_the_sweep_deletes_what_is_kept_of_an_order_that_is_no_longer_open(kettle, close):
    order = place(kettle)
    other = place(kettle, 2, at=LATER)

    close(order)
    forget_closed_slots(at=LATER)

    assert set(UnpaidSlot.objects.values_list("order", flat=True)) == {other.pk}
    sweep_orders()  # long after that
    assert not UnpaidSlot.objects.exists()


# --- Pages and API ------------------------------------------------------------------------------------------------------------


def fill_cart(client, product):
    session = client.session
    session[SESSION_KEY] = str(CartItemFactory(product=product).cart_id)
    session.save()


def test_the_page_says_what_is_open_and_links_the_visitors_own_orders_only(client, kettle):
    fill_cart(client, kettle)
    order_on_pages(client)
    mine = Order.objects.get()
    other = place(kettle, 5, email="ada@example.com", at=timezone.now())
    fill_cart(client, kettle)

    answer = order_on_pages(client)

    assert answer.status_code == 409
    assert "2 unpaid orders with your email address or from your connection are open already" in answer.text
    assert f"/orders/{mine.number}/" in answer.text
    assert other.number not in answer.text
    assert other.access_token not in answer.text
    assert Order.objects.count() == 2


def test_an_order_of_more_than_the_share_is_explained_on_the_cart_page(client, kettle):
    fill_cart(client, kettle)
    CartItem.objects.update(quantity=11)
    answer = order_on_pages(client)
    assert answer["Location"] == "/cart/"
    assert "at most 10 of Copper Kettle can be reserved for you" in client.get("/cart/").text


def test_the_api_names_the_open_orders_of_the_user(kettle):
    forget_counts()
    ada = UserFactory(email="ada@example.com")
    api = ApiClient(ada)
    body = {"items": [{"productId": str(kettle.pk), "quantity": 1}], "cryptocurrency": "BTC", "shippingAddress": ADDRESS}
    ids = [api.post("/api/orders", body).json()["data"]["id"] for _ in range(2)]

    answer = api.post("/api/orders", body)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (409, "CONFLICT")
    assert error["details"] == [{"field": "openOrders", "message": each} for each in ids]
    assert "2 unpaid orders" in error["message"]


def test_the_api_refuses_more_than_the_share(kettle):
    body = {"items": [{"productId": str(kettle.pk), "quantity": 11}], "cryptocurrency": "BTC", "shippingAddress": ADDRESS}
    answer = ApiClient(UserFactory()).post("/api/orders", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "CONFLICT")
