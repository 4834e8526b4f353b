"""Orders above the limits need a verified buyer, on pages and in the API, and also when an order gets another invoice."""

from decimal import Decimal

import pytest
from django.urls import reverse

from accounts.tests.factories import ApiClient, UserFactory
from accounts.verification.errors import OrderRefused, ScreeningUnavailable, VerificationNeeded
from accounts.verification.gate import FREE, admit
from accounts.verification.models import CountedOrder, SanctionsHit, SpendingSum, Verification
from cryptons.audit.models import Entry
from cryptons.mail.models import Mail
from payments.models import Invoice
from shop.cart.contents import SESSION_KEY
from shop.checkout.placing import place_order
from shop.checkout.requoting import requote_order
from shop.models import Cart, CartItem, Order, Product
from shop.orders.lifecycle import cancel_own_order
from shop.tests.factories import ADDRESS, NOW, CartItemFactory, ProductFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def limits(settings):
    """Two kettles (99.98) a day, three a month."""
    settings.VERIFICATION_PROVIDER = "manual"
    settings.VERIFICATION_DAILY_LIMIT, settings.VERIFICATION_MONTHLY_LIMIT = Decimal(100), Decimal(160)


def place(quantity=2, *, user=None, email="ada@example.com", **address):
    cart = CartItemFactory(quantity=quantity).cart
    return place_order(cart, email=email, user=user, address={**ADDRESS, **address}, network="BTC", at=NOW).order


def approve(user):
    return Verification.objects.create(user=user, provider="manual", status=Verification.Status.APPROVED)


def totals():
    return sorted(SpendingSum.objects.values_list("total_minor", flat=True))


def test_without_the_setting_nothing_is_asked_and_nothing_counted(settings, django_assert_num_queries):
    settings.VERIFICATION_LIMIT = Decimal(1)
    order = place()

    with django_assert_num_queries(0):
        assert admit(None, order.email, ADDRESS, 10**9, at=NOW, order_id=order.pk) is FREE
    assert totals() == []


def test_an_order_above_the_limit_of_one_order_needs_a_verified_buyer(limits, settings):
    settings.VERIFICATION_LIMIT, user = Decimal(90), UserFactory()

    with pytest.raises(VerificationNeeded, match=r"Orders of more than \$90.00 need a verified buyer. Please verify your identity at http"):
        place(user=user)
    assert (Order.objects.count(), Invoice.objects.count(), CartItem.objects.count(), Product.objects.get().stock) == (0, 0, 1, 10)

    approve(user)
    place(user=user)
    assert totals() == []


@pytest.mark.parametrize(
    ("second", "is_same"),
    [
        ({"email": "ADA@example.com", "street": "1 Other Road", "postalCode": "N2 2BB"}, True),
        ({"email": "bob@example.com", "street": "example road, 12", "city": "LONDON", "name": "Bob"}, True),
        ({"email": "bob@example.com", "street": "14 Example Road"}, False),
    ],
)
def test_orders_of_a_day_are_summed_by_mail_address_and_by_delivery_address(limits, second, is_same):
    place()

    if is_same:
        with pytest.raises(VerificationNeeded, match=r"in one day need a verified buyer. Please log in or make an account"):
            place(1, **second)
    else:
        place(1, **second)


def test_a_guest_with_the_mail_address_of_an_account_uses_up_nothing_of_its_owner(limits):
    owner = UserFactory(email="ada@example.com", verified_email="ada@example.com")
    place(email="ada+x@example.com")
    elsewhere = {"street": "14 Example Road", "postalCode": "N2 2BB"}

    place(user=owner, **elsewhere)

    with pytest.raises(VerificationNeeded):
        place(1, user=owner, street="16 Example Road")
    with pytest.raises(VerificationNeeded):
        place(1, street="18 Example Road")
    assert max(totals()) == 2 * 9_998


def test_a_mail_address_that_the_account_has_not_confirmed_shares_its_sum_with_guests(limits):
    place()

    with pytest.raises(VerificationNeeded):
        place(1, user=UserFactory(email="ada@example.com", verified_email=""), street="14 Example Road")


def test_accounts_that_confirmed_addresses_of_one_mailbox_share_a_sum(limits):
    first, second = (UserFactory(email=f"ada+{tag}@example.com", verified_email=f"ada+{tag}@example.com") for tag in "12")
    place(user=first, email=first.email)

    with pytest.raises(VerificationNeeded):
        place(1, user=second, email=second.email, street="14 Example Road")


def test_an_order_that_is_cancelled_unpaid_no_longer_counts(limits):
    order = place(user=UserFactory())
    assert totals() == [9_998] * 6

    cancel_own_order(order.pk, at=NOW)

    assert (totals(), CountedOrder.objects.count()) == ([0] * 6, 0)
    place()


def test_another_invoice_needs_a_verified_buyer_unless_the_order_is_counted(limits, settings):
    counted = place()
    requote_order(counted.pk, "LTC", at=NOW)
    settings.VERIFICATION_PROVIDER = "off"
    older = place()
    settings.VERIFICATION_PROVIDER = "manual"

    with pytest.raises(VerificationNeeded):
        requote_order(older.pk, "LTC", at=NOW)

    assert set(totals()) == {9_998}
    assert Order.objects.get(pk=older.pk).network == "BTC"


def test_the_api_answers_403_with_the_page_to_go_to(limits, settings):
    settings.VERIFICATION_LIMIT, user = Decimal("49.98"), UserFactory()
    items = [{"productId": str(ProductFactory().pk), "quantity": 1}]
    body = {"items": items, "cryptocurrency": "BTC", "shippingAddress": ADDRESS}

    answer = ApiClient(user).post("/api/orders", body)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (403, "VERIFICATION_REQUIRED")
    assert error["details"] == [{"field": "verification", "message": f"{settings.PUBLIC_URL}/account/verification/"}]

    approve(user)
    assert ApiClient(user).post("/api/orders", body).status_code == 201


def test_the_checkout_says_what_to_do_and_keeps_the_cart(limits, settings, client):
    settings.VERIFICATION_LIMIT = Decimal(1)
    cart = CartItemFactory().cart
    session = client.session
    session[SESSION_KEY] = str(cart.pk)
    session.save()
    first = client.get("/checkout/")
    client.post("/checkout/", {"email": "ada@example.com", **ADDRESS})
    page = client.get("/checkout/payment/")

    for warned in (first, page):
        assert "Please log in or make an account, and verify your identity" in warned.text
    assert (SpendingSum.objects.count(), first.status_code, page.status_code) == (0, 200, 200)
    form = {"token": page.context["token"], "agreed": page.context["cart"].agreed, "network": "BTC"}
    answer = client.post("/checkout/payment/", form)

    text = answer.content.decode()
    assert answer.status_code == 403
    assert "Please log in or make an account, and verify your identity" in text
    assert f'href="{settings.PUBLIC_URL}/account/verification/"' in text
    assert Cart.objects.get().items.exists()


@pytest.mark.parametrize(("quantity", "is_warned"), [(2, False), (3, True)])
def test_a_guest_of_whom_nothing_is_known_yet_sees_the_checkout(limits, client, quantity, is_warned):
    session = client.session
    session[SESSION_KEY] = str(CartItemFactory(quantity=quantity).cart.pk)
    session.save()

    page = client.get("/checkout/")

    assert (page.status_code, "Please log in or make an account" in page.text) == (200, is_warned)


def test_who_is_on_the_sanctions_list_cannot_order_and_staff_are_told_once(settings, tmp_path):
    settings.SANCTIONS_LIST, settings.STAFF_EMAIL = str(tmp_path / "list.txt"), ["grace@example.com"]
    (tmp_path / "list.txt").write_text("Lovelace, Ada\n", encoding="utf-8")

    for _ in range(2):
        with pytest.raises(OrderRefused, match=r"^We cannot take this order. Please contact us.$"):
            place()

    assert Order.objects.count() == 0
    assert [mail.subject for mail in Mail.objects.all()] == ["An order matches the sanctions list"]
    assert Entry.objects.filter(action="sanctions hit").count() == 2
    place(name="Grace Hopper")


@pytest.mark.django_db(transaction=True)  # a refused step undoes its transaction
def test_a_match_that_staff_cleared_stays_cleared_for_this_person_and_this_entry(settings, tmp_path, admin_client):
    settings.SANCTIONS_LIST, listed = str(tmp_path / "list.txt"), tmp_path / "list.txt"
    listed.write_text("Lovelace, Ada\n", encoding="utf-8")
    for _ in range(2):
        with pytest.raises(OrderRefused):
            place(email="ada@example.com")
    hit = SanctionsHit.objects.get()
    page = reverse("admin:verification_sanctionshit_change", args=[hit.pk])
    assert "clear the match" in admin_client.get(page).text

    clear = reverse("admin:verification_sanctionshit_act", args=[hit.pk, "clear"])
    assert admin_client.post(clear, {"reason": "Born in another year."}).status_code == 302
    assert admin_client.post(clear, {"reason": "Again."}).status_code == 409
    place(email="Ada@example.com")
    entry = Entry.objects.get(action="clear sanctions hit")
    assert (entry.person, entry.changes["reason"][1]) == ("admin", "Born in another year.")

    with pytest.raises(OrderRefused):
        place(email="another@example.com")
    listed.write_text("Ada Lovelace\nAda Lovelace of Minsk\nAda\nExample Road 12, London\n", encoding="utf-8")
    with pytest.raises(OrderRefused):
        place(email="ada@example.com")
    hits = SanctionsHit.objects.filter(email="ada@example.com").order_by("entry")
    assert [row.entry for row in hits] == ["Example Road 12, London", "Lovelace, Ada"]

    admin_client.post(reverse("admin:verification_sanctionshit_act", args=[hit.pk, "restore"]), {"reason": "The same after all."})
    listed.write_text("Ada Lovelace\n", encoding="utf-8")
    with pytest.raises(OrderRefused):
        place(email="ada@example.com")


def test_an_account_whose_mail_address_is_on_the_sanctions_list_cannot_order_with_another_one(settings, tmp_path):
    settings.SANCTIONS_LIST, user = str(tmp_path / "list.txt"), UserFactory()
    (tmp_path / "list.txt").write_text(f"{user.email}\n", encoding="utf-8")

    with pytest.raises(OrderRefused):
        place(user=user, email="somebody.else@example.com")

    place(email="somebody.else@example.com")


def test_a_sanctions_list_that_cannot_be_read_stops_all_orders(settings, tmp_path):
    settings.SANCTIONS_LIST, settings.STAFF_EMAIL = str(tmp_path / "none"), ["grace@example.com"]

    with pytest.raises(ScreeningUnavailable, match="cannot be taken right now"):
        place()

    assert [mail.subject for mail in Mail.objects.all()] == ["The sanctions list cannot be read"]
