"""Staff at work on orders."""

import re

import pytest
from django.contrib.auth.models import Permission

from accounts.tests.factories import StaffFactory, UserFactory
from cryptons.events.models import Event
from cryptons.mail.models import Mail
from payments.models import Invoice
from payments.payouts.workflow import draft_payout
from shop.models import Order, Product
from shop.tests.factories import ADDRESS, NOW, OrderFactory, OrderLineFactory
from shop.tests.paying import LATE, TXID, pay, placed, run_out, tell

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/shop/order/"


@pytest.fixture
def grace(client):
    grace = StaffFactory(username="grace")
    client.force_login(grace)
    return grace


def page_of(client, order):
    return client.get(f"{LIST}{order.pk}/change/").text


def press(client, order, act, **fields):
    return client.post(f"{LIST}{order.pk}/{act}/do/", {"confirmed": "1", **fields}, follow=True)


def choose(client, act, *orders, **fields):
    return client.post(LIST, {"action": f"{act}_selected", "_selected_action": [order.pk for order in orders], **fields}, follow=True)


def status(order):
    order.refresh_from_db()
    return order.status


def test_a_paid_order_can_be_marked_as_shipped_and_delivered_with_buttons(client, grace):
    order = placed()
    pay(order)
    assert f"{LIST}{order.pk}/ship/do/" in page_of(client, order)
    assert "Mark this order as shipped?" in client.get(f"{LIST}{order.pk}/ship/do/").text
    assert status(order) == "processing"

    assert f"1 order shipped: {order.number}" in press(client, order, "ship").text
    assert status(order) == "shipped"
    assert press(client, order, "deliver").status_code == 200

    assert status(order) == "delivered"
    assert list(Event.objects.filter(subject_id=order.pk, actor="grace").order_by("seq").values_list("type", flat=True)) == [
        "order.shipped",
        "order.delivered",
    ]
    assert "Shipped" in client.get(f"/orders/{order.access_token}/", follow=True).text


def test_shipping_an_order_on_hold_is_refused_with_the_reason(client, grace):
    order = placed()
    pay(order)
    tell(order)
    assert f"{order.number}: This order is on hold: A chain reorganisation removed" in press(client, order, "ship").text
    assert status(order) == "processing"


def test_a_hold_can_be_released_with_a_button(client, grace):
    order = placed()
    run_out(order)
    Product.objects.update(stock=0)
    pay(order, at=LATE)
    assert f"{LIST}{order.pk}/release/do/" in page_of(client, order)
    assert "Copper Kettle is sold out." in press(client, order, "release").text
    Product.objects.update(stock=2)

    press(client, order, "release")

    order.refresh_from_db()
    assert (order.on_hold, order.holds_stock) == (False, True)


def test_cancelling_an_order_stores_the_reason(client, grace):
    order = placed()
    press(client, order, "cancel", reason="customer\x00 rang <b>up</b>")
    assert status(order) == "cancelled"
    assert Event.objects.get(type="order.cancelled").data["reason"] == "customer rang <b>up</b>"
    assert "customer rang &lt;b&gt;up&lt;/b&gt;" in page_of(client, order)


def test_an_action_that_the_status_forbids_has_no_button_and_is_refused(client, grace):
    order = OrderFactory()
    assert "/ship/do/" not in page_of(client, order)
    assert "The status cannot change from Pending to Shipped." in press(client, order, "ship").text


def test_shipping_many_orders_says_why_some_cannot_be_shipped(client, grace):
    ready, pending = OrderFactory(status="processing", payment_status="paid"), OrderFactory()
    asked = choose(client, "ship", ready, pending)
    assert "Mark these 2 orders as shipped?" in asked.text
    assert status(ready) == "processing"

    text = choose(client, "ship", ready, pending, confirmed="1").text

    assert (status(ready), status(pending)) == ("shipped", "pending")
    assert f"1 order shipped: {ready.number}" in text
    assert f"{pending.number}: The status cannot change from Pending to Shipped." in text


@pytest.mark.parametrize(
    ("act", "start", "end"), [("deliver", "shipped", "delivered"), ("cancel", "pending", "cancelled"), ("release", "pending", "pending")]
)
def test_each_action_works_on_many_orders(client, grace, act, start, end):
    orders = OrderFactory.create_batch(2, status=start, on_hold=True, hold_reason="because")
    choose(client, act, *orders, confirmed="1", reason="because")
    assert [status(order) for order in orders] == [end, end]
    assert Order.objects.filter(on_hold=False).count() == (0 if act == "deliver" else 2)


def test_staff_with_view_permission_only_see_no_buttons(client):
    clerk = UserFactory(is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_order"))
    client.force_login(clerk)
    order = OrderFactory(status="processing")
    text = page_of(client, order)
    assert order.number in text
    assert "/do/" not in text
    assert "ship_selected" not in client.get(LIST).text
    assert press(client, order, "ship").status_code == 403
    choose(client, "ship", order, confirmed="1")
    assert status(order) == "processing"


@pytest.mark.parametrize("make", [UserFactory, lambda: UserFactory(is_staff=True)])
def test_users_without_permission_see_no_orders(client, make):
    client.force_login(make())
    order = OrderFactory(status="processing")
    assert client.get(LIST).status_code in (302, 403)
    assert client.post(f"{LIST}{order.pk}/ship/do/").status_code in (302, 403)
    assert status(order) == "processing"


def test_an_unknown_action_is_refused(client, grace):
    order = OrderFactory()
    assert client.post(f"{LIST}{order.pk}/burn/do/").status_code == 403
    assert client.get(f"{LIST}01a20be8-13d8-725c-a615-7ea7be2899ed/ship/do/").status_code == 404


def test_orders_cannot_be_added_deleted_or_edited_except_for_the_note(client, grace):
    order = placed()
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.post(f"{LIST}{order.pk}/delete/").status_code == 403
    edit = {"note": "fragile", "status": "delivered", "total_minor": "1", "payment_status": "paid", "email": "eve@example.com"}
    client.post(f"{LIST}{order.pk}/change/", {**edit, "lines-TOTAL_FORMS": "0", "lines-INITIAL_FORMS": "0"})
    order.refresh_from_db()
    assert (order.note, order.status, order.total_minor, order.payment_status, order.email) == (
        "fragile", "pending", 9_998, "unpaid", "ada@example.com",
    )  # fmt: skip


def test_saving_a_note_keeps_changes_made_at_the_same_time(client, grace, monkeypatch):
    order = placed()
    save = Order.full_clean

    def pay_meanwhile(self, *args, **more):
        save(self, *args, **more)
        pay(order)

    monkeypatch.setattr(Order, "full_clean", pay_meanwhile)
    client.post(f"{LIST}{order.pk}/change/", {"note": "fragile", "lines-TOTAL_FORMS": "0", "lines-INITIAL_FORMS": "0"})
    order.refresh_from_db()
    assert (order.note, order.status, order.payment_status) == ("fragile", "processing", "paid")


def test_the_order_page_shows_payments_lines_and_history(client, grace):
    order = placed()
    pay(order, percent=150)
    text = page_of(client, order)
    for words in (f"{TXID}:0", "0.00230724 BTC", "Copper Kettle", "$99.98", "Order placed", "Paid: we are preparing your order", "London"):
        assert words in text
    assert re.search(r"/admin/payments/invoice/[0-9a-f-]+/change/", text)
    assert f"/orders/{order.access_token}/" in text


def test_who_may_only_read_orders_gets_no_key_to_act_as_the_buyer(client):
    order = placed()
    clerk = StaffFactory(is_superuser=False)
    clerk.user_permissions.add(Permission.objects.get(codename="view_order"))
    client.force_login(clerk)
    assert order.access_token not in page_of(client, order)
    assert client.get(LIST, {"access_token__startswith": order.access_token[:1]}).status_code in (302, 400)
    assert client.get(LIST, {"status__exact": "pending"}).status_code == 200


@pytest.mark.parametrize("by", ["number", "email", "transaction_hash"])
def test_orders_can_be_found_by_number_email_and_transaction(client, grace, by):
    order = placed()
    pay(order)
    other = OrderFactory(email="bob@example.com")
    text = client.get(LIST, {"q": getattr(order, by)}).text
    assert order.number in text
    assert other.number not in text


def test_an_order_can_be_found_by_its_second_payment(client, grace):
    order = placed()
    tell(order, percent=50)
    tell(order, percent=50, reference="c" * 64 + ":1", seen_at=order.created_at.replace(minute=2))
    other = OrderFactory()
    text = client.get(LIST, {"q": "c" * 64}).text
    assert order.number in text
    assert other.number not in text


@pytest.mark.parametrize("query", ["\x00", "😀", "‮", "%", "x" * 5000, "'"])
def test_odd_order_searches_cause_no_error(client, grace, query):
    OrderFactory()
    assert client.get(LIST, {"q": query}, follow=True).status_code == 200


def test_the_order_list_can_be_filtered_by_what_is_to_do(client, grace):
    OrderFactory(number="WAITING")
    OrderFactory(number="READY", status="processing")
    OrderFactory(number="HELD", status="processing", on_hold=True, hold_reason="because")

    def numbers(work):
        return re.findall(r"/change/[^>]*>(WAITING|READY|HELD)<", client.get(LIST, {"work": work}).text)

    assert numbers("ship") == ["READY"]
    assert numbers("hold") == ["HELD"]


def test_a_long_order_list_needs_as_few_queries_as_a_short_one(client, grace, django_assert_max_num_queries):
    OrderFactory.create_batch(30, user=grace, created_at=NOW)
    client.get(LIST)
    with django_assert_max_num_queries(12):
        client.get(LIST)


def test_the_order_page_shows_its_refunds(client, grace):
    order = placed()
    pay(order)
    invoice = Invoice.objects.get()
    assert f"/admin/payments/payout/draft/{invoice.pk}/refund/" in page_of(client, order)
    payout = draft_payout(invoice.pk, kind="refund", network="BTC", actor="grace", at=NOW)

    page = page_of(client, order)
    assert f"/admin/payments/payout/{payout.pk}/change/" in page
    assert "The buyer was asked where to send it." in page
    assert "/payout/draft/" not in page

    staff = UserFactory(is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename="view_order"))
    client.force_login(staff)
    assert f"/admin/payments/payout/{payout.pk}/change/" not in page_of(client, order)
    assert payout.amount_text in page_of(client, order)


def test_an_action_on_many_orders_returns_to_the_list_with_its_filters(client, grace):
    orders = OrderFactory.create_batch(2, status="processing", payment_status="paid")
    values = {"action": "ship_selected", "_selected_action": [order.pk for order in orders]}
    page = client.post(f"{LIST}?work=ship", values)
    assert f'<a class="closelink" href="{LIST}?work=ship">' in page.text

    assert client.post(f"{LIST}?work=ship", {**values, "confirmed": "1"})["Location"] == f"{LIST}?work=ship"
    assert [status(order) for order in orders] == ["shipped", "shipped"]


def test_cancelling_with_a_reason_that_is_too_long_is_refused(client, grace):
    order = placed()
    answer = press(client, order, "cancel", reason="x" * 201)
    assert (answer.status_code, status(order)) == (400, "pending")
    assert "at most 200 characters" in answer.text


@pytest.mark.parametrize(
    ("act", "start", "end"), [("process", "pending", "processing"), ("ship", "processing", "shipped"), ("deliver", "shipped", "delivered")]
)
def test_an_order_that_is_not_safely_paid_is_moved_on_only_with_a_reason(client, grace, act, start, end):
    order = OrderFactory(status=start)
    assert "Reason (the order is not safely paid)" in client.get(f"{LIST}{order.pk}/{act}/do/").text
    assert press(client, order, act).status_code == 400
    assert status(order) == start

    press(client, order, act, reason="She pays <b>cash</b>")

    assert status(order) == end
    event = Event.objects.get(subject_id=order.pk)
    assert (event.actor, event.data["reason"]) == ("grace", "She pays <b>cash</b>")
    assert "She pays &lt;b&gt;cash&lt;/b&gt;" in page_of(client, order)


def test_shipping_many_orders_asks_for_a_reason_if_one_is_not_safely_paid_and_stores_it_for_that_one(client, grace):
    paid, unpaid = OrderFactory(status="processing", payment_status="paid"), OrderFactory(status="processing")
    assert "not safely paid" not in choose(client, "ship", paid).text
    assert "not safely paid" in choose(client, "ship", paid, unpaid).text
    assert choose(client, "ship", paid, unpaid, confirmed="1").status_code == 400
    assert (status(paid), status(unpaid)) == ("processing", "processing")

    choose(client, "ship", paid, unpaid, confirmed="1", reason="A regular")

    assert (status(paid), status(unpaid)) == ("shipped", "shipped")
    reasons = dict(Event.objects.filter(type="order.shipped").values_list("subject_id", "data"))
    assert "reason" not in reasons[paid.pk]
    assert reasons[unpaid.pk]["reason"] == "A regular"


def test_the_buyer_reads_the_reason_of_a_cancellation_and_only_staff_the_note(client, grace):
    order = placed()
    press(client, order, "cancel", reason="The kettle broke <b>here</b>", note="Eve dropped it")
    mail = Mail.objects.get(key__startswith="order-cancelled")
    assert (mail.to, mail.subject) == ("ada@example.com", f"Your order {order.number} is cancelled")
    assert "Reason: The kettle broke <b>here</b>" in mail.text
    assert "Reason: The kettle broke &lt;b&gt;here&lt;/b&gt;" in mail.html
    assert "You do not have to pay anything for it." in mail.text
    assert "Eve" not in mail.text + mail.html
    page = page_of(client, order)
    assert "The kettle broke" in page
    assert "Eve dropped it" in page
    assert "Eve" not in client.get(f"/orders/{order.access_token}/", follow=True).text


def test_the_order_page_links_its_invoice_only_for_those_who_may_see_it(client):
    order = placed()
    packer = UserFactory(is_staff=True)
    packer.user_permissions.add(Permission.objects.get(codename="view_order"))
    client.force_login(packer)
    assert "/admin/payments/invoice/" not in page_of(client, order)
    packer.user_permissions.add(Permission.objects.get(codename="view_invoice"))
    assert "/admin/payments/invoice/" in page_of(client, order)


@pytest.mark.parametrize("query", ["ada", "Lovelace Ada", "example road", "united kingdom", "kettle", "copper KETTLE", "sku-of-it"])
def test_an_order_is_found_by_its_buyer_and_its_goods(client, grace, query):
    order = OrderFactory(shipping_address={**ADDRESS, "name": "Ada Lovelace"})
    OrderLineFactory(order=order, name="Copper Kettle", sku="SKU-OF-IT")
    other = OrderFactory(email="bob@example.com", shipping_address={"name": "Bob", "country": "DE"})
    OrderLineFactory(order=other, name="Apron", sku="APRON")

    text = client.get(LIST, {"q": query}).text

    assert order.number in text
    assert "Ada Lovelace" in text
    assert "2 × Copper Kettle" in text
    assert other.number not in text


@pytest.mark.parametrize("written", ["ABCDE-FGHJK", "abcdefghjk", "order_ABCDE-FGHJK"])
def test_an_order_is_found_by_its_number_however_it_is_written(client, grace, written):
    order, other = OrderFactory(number="ABCDE-FGHJK"), OrderFactory()

    text = client.get(LIST, {"q": written}).text

    assert order.number in text
    assert other.number not in text


def test_the_search_of_orders_stays_within_the_filters_of_the_list(client, grace):
    shipped = OrderFactory(status="shipped", shipping_address={**ADDRESS, "name": "Ada Lovelace"})
    waiting = OrderFactory(shipping_address={**ADDRESS, "name": "Ada Byron"})

    text = client.get(LIST, {"q": "ada", "status__exact": "shipped"}).text

    assert shipped.number in text
    assert waiting.number not in text


def test_the_list_shows_a_hold_next_to_the_status(client, grace):
    OrderFactory(on_hold=True, hold_reason="Its payment is gone.")

    text = client.get(LIST).text

    assert '<span class="badge badge--danger">On hold</span>' in text
    assert "Its payment is gone." in text
