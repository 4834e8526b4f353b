"""What a voucher takes off, when one is refused, and how its uses are counted through the life of an order."""

from datetime import timedelta

import pytest

from accounts.tests.factories import UserFactory
from cryptons.mail.models import Mail
from payments.invoices.settlement import settle
from payments.models import Invoice
from shop.cart.contents import read_cart, set_voucher
from shop.checkout.placing import place_order
from shop.checkout.requoting import requote_order
from shop.errors import CartChanged, OutOfStock, VoucherRefused
from shop.figures.counting import count_orders
from shop.figures.models import Figure
from shop.models import Cart, CartItem, Category, Order, OrderLine, Product, Voucher, VoucherGoods, VoucherPerson
from shop.orders.lifecycle import cancel_own_order, release_hold
from shop.orders.reconciliation import check_orders
from shop.pricing.vouchers import new_code
from shop.tests.factories import ADDRESS, NOW, CartItemFactory, CategoryFactory, ProductFactory
from shop.tests.paying import newest_option, pay, run_out

pytestmark = pytest.mark.django_db
rolled_back = pytest.mark.django_db(transaction=True)
"""For an error that ends a transaction."""


def voucher(code="SPRING", **more):
    return Voucher.objects.create(code=code, **({"percent": 10} | more))


def cart_with(code="SPRING", **item):
    """Two kettles at 49.99, and the voucher."""
    cart = CartItemFactory(**{"quantity": 2, **item}).cart
    Cart.objects.filter(pk=cart.pk).update(voucher_code=code)
    cart.refresh_from_db()
    return cart


def place(cart, *, email="ada@example.com", user=None, **more):
    return place_order(cart, email=email, user=user, address=ADDRESS, network="BTC", at=NOW, **more).order


def uses():
    return Voucher.objects.get().uses


def test_a_voucher_lowers_what_the_invoice_asks_for():
    voucher()

    order = place(cart_with())

    assert (order.subtotal_minor, order.discount_minor, order.total_minor, order.voucher_code) == (9_998, 1_000, 8_998, "SPRING")
    assert Invoice.objects.get().price_minor == 8_998
    assert OrderLine.objects.get().discount_minor == 1_000
    assert uses() == 1
    assert check_orders(NOW, NOW + timedelta(days=1)) == []


def test_an_order_empties_its_cart_of_the_voucher():
    voucher()
    cart = cart_with()
    place(cart)
    assert Cart.objects.get(pk=cart.pk).voucher_code == ""


def test_an_amount_is_taken_off_once():
    voucher(percent=0, amount_minor=500)
    assert place(cart_with()).total_minor == 9_498


def test_the_figures_of_products_add_up_to_the_revenue():
    voucher()
    cart = cart_with(product__sku="KETTLE")
    CartItemFactory(cart=cart, product__sku="CUP", product__price_minor=333)
    pay(place(cart))

    count_orders()

    revenue = dict(Figure.objects.filter(of__in=("all", "product"), revenue_minor__gt=0).values_list("key", "revenue_minor"))
    assert revenue == {"": 9_298, "KETTLE": 8_998, "CUP": 300}


def test_a_voucher_takes_nothing_off_products_that_it_is_not_for():
    spring = voucher(percent=50)
    cart = cart_with()
    cup = CartItemFactory(cart=cart, product__price_minor=1_000).product
    VoucherGoods.objects.create(voucher=spring, product=cup)

    order = place(cart)

    assert (order.discount_minor, order.total_minor) == (500, 10_498)


def test_a_voucher_for_a_category_is_for_those_below_it_too():
    parent = CategoryFactory()
    spring = voucher()
    VoucherGoods.objects.create(voucher=spring, category=parent)

    cart = cart_with(product__category=CategoryFactory(parent=parent))

    assert read_cart(cart, at=NOW).discount_minor == 1_000


@pytest.mark.parametrize("model", [Product, Category])
def test_a_voucher_does_not_become_one_for_all_when_what_it_was_for_is_deleted(model):
    row = ProductFactory() if model is Product else CategoryFactory()
    VoucherGoods.objects.create(voucher=voucher(), **{model.__name__.lower(): row})
    row.delete()

    applied = read_cart(cart_with(), at=NOW).applied

    assert applied.refusal == "Voucher SPRING is not valid for these products."


@pytest.mark.parametrize(
    ("terms", "refusal"),
    [
        ({"code": "SUMMER"}, "There is no voucher with the code SPRING."),
        ({"is_active": False}, "There is no voucher with the code SPRING."),
        ({"ends_at": NOW}, "Voucher SPRING has expired."),
        ({"starts_at": NOW + timedelta(days=1)}, "Voucher SPRING is valid from "),
        ({"most_uses": 3, "uses": 3}, "Voucher SPRING has been used up."),
        (
            {"minimum_minor": 9_999},
            "Voucher SPRING needs products worth $99.99 or more that it is valid for. Yours are worth $99.98.",
        ),
        ({"percent": 100}, "Voucher SPRING would leave nothing to pay, and an order must cost something. Please add another product."),
        (
            {"percent": 0, "amount_minor": 9_998},
            "Voucher SPRING would leave nothing to pay, and an order must cost something. Please add another product.",
        ),
    ],
)
def test_a_voucher_that_is_refused_takes_nothing_off_and_blocks_the_order_with_a_reason(terms, refusal):
    voucher(**terms)
    cart = cart_with()

    contents = read_cart(cart, at=NOW)

    assert (contents.discount_minor, contents.total_minor, contents.can_be_ordered) == (0, 9_998, False)
    assert contents.problems[0].startswith(refusal)
    with pytest.raises(VoucherRefused) as caught:
        place(cart)
    assert str(caught.value).startswith(refusal)
    assert not Order.objects.exists()
    assert CartItem.objects.exists()


@pytest.mark.parametrize("terms", [{"starts_at": NOW}, {"ends_at": NOW + timedelta(seconds=1)}, {"minimum_minor": 9_998}, {"most_uses": 1}])
def test_a_voucher_is_accepted_up_to_its_limits(terms):
    voucher(**terms)
    assert place(cart_with()).discount_minor == 1_000


def test_the_last_use_is_given_once():
    voucher(most_uses=1)
    first, second = cart_with(), cart_with()
    place(first)
    with pytest.raises(VoucherRefused, match="used up"):
        place(second)
    assert uses() == 1


@rolled_back
def test_a_use_that_another_order_takes_after_the_cart_was_read_is_refused(monkeypatch):
    voucher(most_uses=1)
    monkeypatch.setattr("shop.checkout.placing.check_person", lambda *_, **__: Voucher.objects.update(uses=1))

    with pytest.raises(VoucherRefused, match="used up"):
        place(cart_with())

    assert (uses(), Order.objects.count(), Product.objects.get().stock) == (1, 0, 10)


@rolled_back
def test_an_order_is_refused_when_the_voucher_changes_in_between(monkeypatch):
    voucher()
    monkeypatch.setattr("shop.checkout.placing.check_person", lambda *_, **__: Voucher.objects.update(percent=5))
    with pytest.raises(CartChanged):
        place(cart_with())
    assert uses() == 0


@rolled_back
def test_an_order_that_is_not_placed_uses_no_voucher(monkeypatch):
    voucher()
    monkeypatch.setattr("shop.checkout.placing.check_person", lambda *_, **__: Product.objects.update(stock=1))
    with pytest.raises(OutOfStock):
        place(cart_with())
    assert uses() == 0


def test_a_buyer_agrees_to_the_discount():
    voucher()
    cart = cart_with()
    agreed = read_cart(cart, at=NOW).agreed
    Voucher.objects.update(percent=5)
    with pytest.raises(CartChanged):
        place(cart, agreed=agreed)


def test_cancelling_an_order_gives_its_use_back_once():
    voucher(is_once_a_person=True)
    order = place(cart_with())
    cancel_own_order(order.pk, at=NOW)
    assert uses() == 0
    assert place(cart_with()).discount_minor == 1_000


def test_the_use_of_an_unpaid_order_is_given_to_others_when_its_quote_expires():
    voucher(most_uses=1)
    order = place(cart_with())
    run_out(order)
    assert uses() == 0


def test_an_order_that_is_paid_late_uses_its_voucher_again_even_after_the_voucher_ended():
    voucher(most_uses=1, is_once_a_person=True)
    order = place(cart_with())
    run_out(order)
    Voucher.objects.update(ends_at=NOW, is_active=False)

    pay(order)

    assert (order.status, order.total_minor, uses()) == ("processing", 8_998, 1)
    assert set(VoucherPerson.objects.values_list("order", flat=True)) == {order.pk}


@rolled_back
def test_an_order_that_is_paid_after_others_used_its_voucher_up_waits_for_staff():
    voucher(most_uses=1)
    late = place(cart_with(product__sku="KETTLE"))
    run_out(late)
    place(cart_with(), email="grace@example.com")

    pay(late)

    assert (late.status, late.payment_status, late.on_hold, late.holds_stock) == ("processing", "paid", True, False)
    assert late.hold_reason == (
        "Paid, but others have used its voucher. Let more orders use it, or refund this one. Voucher SPRING has been used up."
    )
    assert (uses(), Product.objects.get(sku="KETTLE").stock) == (1, 10)
    with pytest.raises(VoucherRefused, match="used up"):
        release_hold(late.pk, actor="grace", at=NOW)
    Voucher.objects.update(most_uses=2)
    assert not release_hold(late.pk, actor="grace", at=NOW).on_hold
    assert (uses(), Product.objects.get(sku="KETTLE").stock) == (2, 8)


@rolled_back
def test_a_new_quote_is_refused_after_others_used_the_voucher_up():
    voucher(most_uses=1)
    late = place(cart_with(product__sku="KETTLE"))
    run_out(late)
    place(cart_with(), email="grace@example.com")

    with pytest.raises(VoucherRefused, match="used up"):
        requote_order(late.pk, at=NOW + timedelta(minutes=30))

    assert Product.objects.get(sku="KETTLE").stock == 10


def test_an_order_whose_stock_is_gone_takes_no_use_again():
    voucher(is_once_a_person=True)
    order = place(cart_with())
    run_out(order)
    Product.objects.update(stock=0)

    pay(order)

    assert (order.on_hold, uses()) == (True, 0)
    assert not VoucherPerson.objects.exclude(order=None).exists()


def test_a_deleted_voucher_leaves_its_orders_as_they_were():
    voucher()
    order = place(cart_with())
    run_out(order)
    Voucher.objects.all().delete()

    pay(order)

    assert (order.status, order.total_minor, order.voucher_code) == ("processing", 8_998, "SPRING")


@pytest.mark.parametrize("email", ["ada@example.com", "ADA@example.com"])
def test_a_voucher_for_once_a_person_is_refused_to_the_same_mail_address(email):
    voucher(is_once_a_person=True)
    place(cart_with())
    with pytest.raises(VoucherRefused, match="once by each person"):
        place(cart_with(), email=email)
    assert uses() == 1


def test_a_voucher_for_once_a_person_is_refused_to_the_same_account():
    voucher(is_once_a_person=True)
    ada = UserFactory()
    place(cart_with(), user=ada)
    with pytest.raises(VoucherRefused, match="once by each person"):
        place(cart_with(), email="other@example.com", user=ada)
    assert place(cart_with(), email="other@example.com", user=UserFactory()).discount_minor == 1_000


@rolled_back
def test_of_two_orders_of_one_person_at_once_the_second_is_refused(monkeypatch):
    """Both pass the check before either is written."""
    voucher(is_once_a_person=True)
    place(cart_with())
    monkeypatch.setattr("shop.checkout.placing.check_person", lambda *_, **__: None)

    with pytest.raises(VoucherRefused, match="once by each person"):
        place(cart_with())

    assert (uses(), Order.objects.count()) == (1, 1)


def test_a_late_order_of_a_person_who_used_the_voucher_for_another_one_waits_for_staff():
    voucher(is_once_a_person=True)
    late = place(cart_with())
    run_out(late)
    other = place(cart_with())

    settle(newest_option(late).invoice_id, at=NOW)
    pay(late)

    assert (late.on_hold, uses()) == (True, 1)
    assert set(VoucherPerson.objects.values_list("order", flat=True)) == {other.pk}


def test_a_refused_voucher_is_not_kept_in_the_cart():
    cart = cart_with(code="")
    with pytest.raises(VoucherRefused):
        set_voucher(cart, "SPRING", at=NOW)
    assert Cart.objects.get().voucher_code == ""


def test_mails_show_what_the_voucher_took_off():
    voucher()
    place(cart_with())
    mail = Mail.objects.get()
    assert "Subtotal: $99.98\nVoucher SPRING: −$10.00\nTotal: $89.98" in mail.text
    for words in ("Subtotal", "Voucher SPRING", "−$10.00", "$89.98"):
        assert words in mail.html


def test_codes_that_are_made_cannot_be_guessed():
    codes = {new_code() for _ in range(100)}
    assert len(codes) == 100
    assert {len(code) for code in codes} == {10}
