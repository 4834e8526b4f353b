"""Vouchers on the pages of the shop, in the API and in the admin."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from accounts.tests.factories import ApiClient, StaffFactory, UserFactory
from cryptons.api.limits import forget_counts
from cryptons.audit.models import Entry
from shop.cart.merging import merge_carts
from shop.checkout.tests.test_checkout_pages import fill_in, form_of
from shop.models import Cart, CartItem, Order, Voucher
from shop.tests.factories import ADDRESS, CartFactory, CartItemFactory, ProductFactory

pytestmark = pytest.mark.django_db(transaction=True)

OWN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture(autouse=True)
def _counts():
    forget_counts()
    yield
    forget_counts()


@pytest.fixture
def api():
    return ApiClient()


@pytest.fixture
def spring():
    return Voucher.objects.create(code="SPRING", percent=10)


@pytest.fixture
def shopper(client):
    """A guest with two kettles."""
    client.post("/cart/add/", {"product": str(ProductFactory().pk), "quantity": 2}, headers=OWN)
    return client


def type_code(client, code, **more):
    return client.post("/cart/voucher/", {"code": code, "back": "cart"} | more, follow=True)


@pytest.mark.parametrize("code", ["SPRING", "spring", " Spring ", "spring\x00"])
def test_a_voucher_is_entered_in_the_cart_and_shown_to_the_end(shopper, spring, code):
    page = type_code(shopper, code)
    assert page.redirect_chain == [("/cart/", 302)]
    assert "Voucher SPRING" in page.text
    assert "$89.98" in page.text

    fill_in(shopper)
    review = shopper.get("/checkout/payment/")
    assert "Order and pay $89.98" in review.text
    pay_page = shopper.post("/checkout/payment/", {**form_of(review), "network": "BTC"}, follow=True)

    order = Order.objects.get()
    assert (order.total_minor, order.voucher_code) == (8_998, "SPRING")
    pages = [pay_page, shopper.get(f"/orders/{order.number}/"), shopper.get(f"/orders/{order.number}/receipt/")]
    for page in pages:
        assert "Voucher SPRING" in page.text
        assert "−$10.00" in page.text
        assert "$89.98" in page.text


def test_a_voucher_is_entered_at_the_checkout(shopper, spring):
    fill_in(shopper)
    page = type_code(shopper, "SPRING", back="payment")
    assert page.redirect_chain == [("/checkout/payment/", 302)]
    assert "Order and pay $89.98" in page.text


def test_an_unknown_voucher_is_refused_with_a_sentence(shopper):
    assert "There is no voucher with the code SPRING." in type_code(shopper, "spring").text
    assert Cart.objects.get().voucher_code == ""


def test_a_voucher_is_removed(shopper, spring):
    type_code(shopper, "SPRING")
    page = shopper.post("/cart/voucher/", {"remove": "1", "back": "cart"}, follow=True)
    assert "Voucher SPRING" not in page.text
    assert "$99.98" in page.text


def test_a_cart_whose_voucher_has_ended_says_so_and_cannot_be_ordered(shopper, spring):
    type_code(shopper, "SPRING")
    spring.delete()
    page = shopper.get("/cart/")
    assert "There is no voucher with the code SPRING. Please remove the voucher or enter another one." in page.text
    assert shopper.get("/checkout/").status_code == 302


def test_a_visitor_without_a_cart_can_send_the_form(client, spring):
    assert type_code(client, "SPRING").redirect_chain == [("/cart/", 302)]


def test_codes_cannot_be_tried_out(shopper, settings):
    settings.RATE_LIMIT_CHECKOUT = "2/15minutes"
    assert [type_code(shopper, code).status_code for code in ("A1", "A2", "A3")] == [200, 200, 429]


def test_codes_cannot_be_tried_out_over_the_api(api, settings):
    settings.RATE_LIMIT_CHECKOUT = "2/15minutes"
    items = [{"productId": str(ProductFactory().pk), "quantity": 1}]
    answers = [api.post("/api/checkout/quote", {"items": items, "voucher": code}) for code in ("A1", "A2", "A3")]
    assert [answer.status_code for answer in answers] == [409, 409, 429]
    assert answers[0].json()["error"]["message"] == "There is no voucher with the code A1."
    assert api.post("/api/checkout/quote", {"items": items}).status_code == 200


@pytest.mark.parametrize(("guests", "own", "kept"), [("SPRING", "", "SPRING"), ("", "SUMMER", "SUMMER"), ("SPRING", "SUMMER", "SPRING")])
def test_the_voucher_of_a_guest_goes_into_the_account_with_the_cart(guests, own, kept):
    mine = CartFactory(user=UserFactory(), voucher_code=own)
    merge_carts(CartItemFactory(cart__voucher_code=guests).cart, mine.user)
    assert Cart.objects.get().voucher_code == kept


def test_the_api_quotes_and_orders_with_a_voucher(api, spring):
    items = [{"productId": str(ProductFactory().pk), "quantity": 2}]
    less = {"subtotal": "99.98", "discount": "10.00", "voucher": "SPRING", "totalAmount": "89.98"}

    quote = api.post("/api/checkout/quote", {"items": items, "voucher": "spring"}).json()["data"]
    order = {"items": items, "voucher": "spring", "email": "ada@example.com", "cryptocurrency": "BTC", "shippingAddress": ADDRESS}
    placed = api.post("/api/orders", order)

    assert placed.status_code == 201, placed.text
    assert {name: quote[name] for name in less} == {name: placed.json()["data"][name] for name in less} == less


def test_an_order_without_a_voucher_has_no_discount_in_the_api(api):
    items = [{"productId": str(ProductFactory().pk), "quantity": 1}]
    quote = api.post("/api/checkout/quote", {"items": items}).json()["data"]
    assert (quote["subtotal"], quote["discount"], quote["voucher"], quote["totalAmount"]) == ("49.99", "0.00", None, "49.99")


@pytest.fixture
def owner(client):
    client.force_login(StaffFactory(is_superuser=True))
    return client


ROWS = {"goods-TOTAL_FORMS": "0", "goods-INITIAL_FORMS": "0"}
ADD = "/admin/shop/voucher/add/"


def test_staff_add_a_voucher_and_the_audit_log_tells_it(owner):
    answer = owner.post(ADD, {"code": "spring", "amount": "5.00", "minimum": "20", "most_uses": "10", "is_active": "on", **ROWS})

    assert answer.status_code == 302, answer.context["errors"]
    spring = Voucher.objects.get()
    assert (spring.code, spring.percent, spring.amount_minor, spring.minimum_minor, spring.most_uses) == ("SPRING", 0, 500, 2_000, 10)
    assert Entry.objects.filter(action="add").exists()


def test_a_code_that_is_left_empty_is_made(owner):
    owner.post(ADD, {"percent": "10", "is_active": "on", **ROWS})
    assert len(Voucher.objects.get().code) == 10


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"percent": "10", "amount": "5"}, "Enter either percent or an amount."),
        ({}, "Enter either percent or an amount."),
        ({"percent": "101"}, "Enter 100 percent or less."),
        ({"percent": "10", "code": "é!"}, "Use 3 or more of the letters A to Z, digits and hyphens."),
        ({"percent": "10", "code": "old"}, "already exists"),
    ],
)
def test_a_voucher_that_makes_no_sense_is_refused(owner, values, words):
    Voucher.objects.create(code="OLD", percent=1)
    answer = owner.post(ADD, {"is_active": "on", **ROWS, **values})
    assert words in answer.text
    assert Voucher.objects.count() == 1


def test_saving_a_voucher_keeps_uses_that_were_counted_in_between(owner, spring, monkeypatch):
    """The form was read before an order used the voucher."""
    page = reverse("admin:shop_voucher_change", args=[spring.pk])
    monkeypatch.setattr("shop.admin.vouchers.VoucherForm.clean_percent", lambda form: Voucher.objects.update(uses=3) * 20)

    assert owner.post(page, {"percent": "20", "is_active": "on", **ROWS}).status_code == 302

    spring.refresh_from_db()
    assert (spring.percent, spring.uses) == (20, 3)


def test_the_cart_in_the_api_has_the_voucher(spring):
    user = UserFactory()
    item = CartItemFactory(cart__user=user, cart__voucher_code="SPRING", quantity=2)
    data = ApiClient(user).get("/api/cart").json()["data"]
    assert (data["subtotal"], data["discount"], data["voucher"], data["total"]) == ("99.98", "10.00", "SPRING", "89.98")
    assert CartItem.objects.get() == item


def test_staff_who_may_only_look_at_vouchers_see_their_amounts(client):
    spring = Voucher.objects.create(code="SPRING", amount_minor=1_234, minimum_minor=5_678)
    staff = StaffFactory(is_superuser=False)
    staff.user_permissions.add(Permission.objects.get(codename="view_voucher"))
    client.force_login(staff)

    page = client.get(reverse("admin:shop_voucher_change", args=[spring.pk]))

    assert "$12.34" in page.text
    assert "$56.78" in page.text


@pytest.mark.parametrize(("more", "discount"), [({}, "10.00"), ({"voucher": ""}, "0.00")])
def test_an_empty_code_in_the_api_leaves_out_the_voucher_of_the_cart(spring, more, discount):
    user = UserFactory()
    CartItemFactory(cart__user=user, cart__voucher_code="SPRING", quantity=2)
    api = ApiClient(user)

    quote = api.post("/api/checkout/quote", more)
    placed = api.post("/api/orders", {"cryptocurrency": "BTC", "shippingAddress": ADDRESS, **more})

    assert (quote.json()["data"]["discount"], placed.json()["data"]["discount"]) == (discount, discount)
