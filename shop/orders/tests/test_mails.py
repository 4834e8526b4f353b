"""What the buyer is told about money, once each, with links that lead on without a login; and what staff are told."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone, translation

from cryptons.mail.models import Mail
from payments.invoices.opening import override_invoice
from payments.models import Invoice
from payments.payouts.refund_links import read_token
from shop.models import Order, Product
from shop.orders.lifecycle import change_status
from shop.tests.paying import LATE, NOW, TIP, TOO_LATE, open_order, pay, placed, run_out, tell

pytestmark = pytest.mark.django_db(transaction=True)


def told():
    """The occasions, oldest first, that of the order left out."""
    return [key.partition(":")[0] for key in Mail.objects.order_by("created_at", "pk").values_list("key", flat=True)][1:]


def mail_of(occasion):
    return Mail.objects.get(key__startswith=occasion)


def links_in(mail, settings):
    """The same in text and HTML, without the shop's address. A refund's link is new each time, so its token stands for an invoice."""
    links = [re.findall(rf'{settings.PUBLIC_URL}(/[^\s"<]*)', part.replace("&amp;", "&")) for part in (mail.text, mail.html)]

    def plain(link):
        return f"/refund/{read_token(link.split('/')[2])}/" if link.startswith("/refund/") else link

    text, html = ({plain(link) for link in found} for found in links)
    assert text == html
    return text


def expected_links(order, *pages):
    invoice = Invoice.objects.get()
    key = f"?order={order.access_token}"
    links = {
        "quote": f"/pay/{invoice.pk}/quote/{key}",
        "pay": f"/pay/{invoice.pk}/{key}",
        "refund": f"/refund/{invoice.pk}/",
        "order": f"/orders/{order.access_token}/",
    }
    return {links[page] for page in pages}


def test_a_mail_greets_the_buyer_by_name_and_repeats_the_address_once_the_order_is_paid():
    order = placed()
    tell(order, percent=60, height=TIP - 1)
    run_out(order)
    pay(order, reference="b" * 64 + ":0")
    for occasion, is_named in (("order-received", False), ("payment_underpaid", False), ("payment-confirmed", True)):
        mail = mail_of(occasion)
        assert ("Hello Ada Lovelace," in mail.text, "Hello Ada Lovelace," in mail.html) == (is_named, is_named)
    assert "12 Example Road" in mail_of("payment-confirmed").text
    assert "12 Example Road" in mail_of("payment-confirmed").html
    assert "London" not in mail_of("order-received").text + mail_of("payment_underpaid").text


def test_the_buyer_of_an_underpaid_order_is_mailed_when_the_quote_expires(settings):
    order = placed()
    tell(order, percent=60, height=TIP - 1)
    assert told() == []
    run_out(order)
    run_out(order)
    assert told() == ["payment_underpaid"]

    mail = mail_of("payment_underpaid")
    assert (mail.to, mail.subject) == ("ada@example.com", f"Order {order.number} is not fully paid yet")
    assert f"We received 0.00092289 BTC for order {order.number}: $59.98 of $99.98 arrived" in mail.text
    assert links_in(mail, settings) == expected_links(order, "quote", "refund", "order")


def test_the_buyer_is_mailed_about_a_late_payment_that_waits_for_a_decision(settings):
    order = placed()
    run_out(order)
    tell(order, height=TIP - 1, seen_at=TOO_LATE, at=TOO_LATE)
    tell(order, height=TIP - 2, seen_at=TOO_LATE, at=TOO_LATE)
    assert told() == ["order-expired", "payment_late"]
    mail = mail_of("payment_late")
    assert f"We received 0.00153816 BTC for order {order.number}" in mail.text
    assert links_in(mail, settings) == expected_links(order, "quote", "refund", "order")


def test_a_late_payment_that_is_accepted_automatically_is_not_mailed_as_late():
    order = placed()
    run_out(order)
    pay(order, seen_at=LATE, at=LATE)
    assert told() == ["order-expired", "payment-confirmed"]


def test_a_partial_and_then_a_late_payment_make_two_mails():
    order = placed()
    tell(order, percent=60, height=TIP - 1)
    run_out(order)
    tell(order, percent=40, height=TIP - 1, seen_at=TOO_LATE, at=TOO_LATE, reference="b" * 64 + ":0")
    tell(order, percent=1, height=TIP - 1, seen_at=TOO_LATE, at=TOO_LATE, reference="c" * 64 + ":0")
    assert told() == ["payment_underpaid", "payment_late"]
    assert "0.00092289 BTC and 0.00061526 BTC" in mail_of("payment_late").text


def test_the_buyer_of_an_overpaid_order_is_mailed(settings):
    order = placed()
    pay(order, percent=150)
    tell(order)
    pay(order, percent=150)
    assert told() == ["payment-confirmed", "payment_overpaid", "payment_reorged", "payment-confirmed"]
    mail = mail_of("payment_overpaid")
    assert "is paid. You overpaid by $49.99" in mail.text
    assert links_in(mail, settings) == expected_links(order, "refund", "order")


def test_the_buyer_is_mailed_about_a_payment_for_a_cancelled_order(settings):
    order = placed()
    change_status(order.pk, "cancelled", actor="grace", at=NOW)
    assert told() == ["order-cancelled"]
    tell(order)
    tell(order, height=TIP - 1)
    assert told() == ["order-cancelled", "money_back"]
    assert links_in(mail_of("money_back"), settings) == expected_links(order, "refund", "order")


def test_the_buyer_is_mailed_when_staff_cancel_a_paid_order():
    order = placed()
    pay(order)
    change_status(order.pk, "cancelled", actor="grace", at=NOW, reason="It broke.", note="Eve dropped it.")
    assert told() == ["payment-confirmed", "money_back", "order-cancelled"]
    mail = mail_of("order-cancelled")
    assert "Reason: It broke." in mail.text
    assert "We refund what you paid." in mail.text
    assert "Eve" not in mail.text


def test_the_buyer_is_mailed_when_staff_close_a_payment_as_invalid():
    order = placed()
    tell(order)
    override_invoice(Invoice.objects.get().pk, "invalid", actor="grace", reason="no", at=NOW)
    assert told() == ["money_back"]


def test_the_buyer_is_mailed_once_about_a_double_spent_payment(settings):
    order = placed()
    tell(order)
    tell(order, present=False, conflicted=True)
    assert told() == ["payment_double_spent"]
    run_out(order)
    run_out(order)
    assert told() == ["payment_double_spent"]
    mail = mail_of("payment_double_spent")
    assert mail.subject == f"Your payment for order {order.number} was replaced"
    assert links_in(mail, settings) == expected_links(order, "pay", "order")
    assert "Ada" not in mail.text + mail.html


def test_the_buyer_is_mailed_when_a_confirmed_payment_is_not_any_more_and_when_it_is_again(settings):
    order = placed()
    pay(order)
    tell(order)
    tell(order)
    assert told() == ["payment-confirmed", "payment_reorged"]
    mail = mail_of("payment_reorged")
    assert mail.subject == f"Your payment for order {order.number} is not confirmed any more"
    for words in ("we write to you when it is confirmed again.", "We do not ship before that."):
        assert words in mail.text
        assert words in mail.html
    assert links_in(mail, settings) == expected_links(order, "order")
    pay(order)
    assert told() == ["payment-confirmed", "payment_reorged", "payment-confirmed"]


def test_a_payment_that_a_reorg_removed_for_good_can_be_paid_again(settings):
    order = placed()
    pay(order)
    tell(order, present=False, at=TOO_LATE)
    mail = mail_of("payment_reorged")
    assert "It has left the network." in mail.text
    assert links_in(mail, settings) == expected_links(order, "quote", "order")


def test_the_buyer_of_an_order_that_nobody_paid_in_time_gets_one_mail_with_a_new_quote(settings):
    order = placed()
    Order.objects.update(language="de")
    run_out(order)
    run_out(order)
    assert told() == ["order-expired"]
    mail = mail_of("order-expired")
    assert mail.to == "ada@example.com"
    assert f"/de/pay/{Invoice.objects.get().pk}/quote/?order={order.access_token}" in mail.text
    assert "Ada" not in mail.text + mail.html


def test_an_order_that_cannot_get_a_new_quote_expires_without_a_mail(monkeypatch):
    monkeypatch.setattr("payments.invoices.requoting.MOST_QUOTES", 1)
    run_out(placed())
    assert told() == []


def test_an_order_whose_first_mail_was_over_the_limit_of_its_address_expires_without_a_mail(settings):
    settings.RATE_LIMIT_ORDER_MAILS = "1/day"
    first, second = placed(), placed(product=Product.objects.get())
    for order in (second, first):
        run_out(order)
    assert set(Mail.objects.values_list("key", flat=True)) == {f"order-received:{first.pk}", f"order-expired:{first.pk}"}


def test_no_counter_is_asked_while_an_order_expires(monkeypatch):
    order = placed()
    monkeypatch.setattr("shop.orders.mail_limits.count", None)
    run_out(order)
    assert told() == ["order-expired"]


def test_the_mail_of_an_order_says_how_much_until_when_and_where(settings):
    order = placed()
    mail = mail_of("order-received")
    assert "Please pay 0.00153816 BTC until 1 November 2026, 12:15 UTC." in mail.text
    assert "<strong>0.00153816 BTC</strong> until <strong>1 November 2026, 12:15 UTC</strong>" in mail.html
    assert links_in(mail, settings) == expected_links(order, "pay", "order")


def test_the_mail_of_a_confirmed_payment_names_the_coins():
    pay(placed())
    assert "We received 0.00153816 BTC." in mail_of("payment-confirmed").text


@pytest.mark.parametrize("occasion", ["quote", "order"])
def test_the_links_in_a_mail_work_without_a_login(client, settings, occasion):
    order = placed(at=timezone.now() - timedelta(days=1))
    tell(order, percent=60, height=TIP - 1)
    run_out(order)
    (link,) = expected_links(order, occasion)
    assert link in links_in(mail_of("payment_underpaid"), settings)
    page = client.get(link, follow=True).text
    assert "$40.00" in page or order.number in page


def test_the_first_mail_links_a_pay_page_that_offers_a_new_quote(client, settings):
    open_order()
    link = next(link for link in links_in(mail_of("order-received"), settings) if link.startswith("/pay/"))
    assert "Get a new quote" in client.get(link, follow=True).text


def test_staff_cannot_follow_the_buyers_links_of_a_mail_that_they_read(admin_client):
    order = placed()
    pay(order, percent=150)
    mail = mail_of("payment_overpaid")
    (token,) = set(re.findall(r"/refund/([^/]+)/", mail.text))
    quote = Mail.objects.create(key="q", to="a@example.com", subject="s", text=f"/pay/1/?order={order.access_token}&x=1", html="<p></p>")

    pages = [admin_client.get(f"/admin/mail/mail/{each.pk}/change/").text for each in (mail, quote)]

    assert "You overpaid by $49.99" in pages[0]
    assert pages[0].count("/refund/…/") == 2  # in the text and in the HTML
    assert "/pay/1/?order=…&amp;x=1" in pages[1]
    assert token not in pages[0]
    assert all(order.access_token not in page for page in pages)


def test_staff_are_mailed_when_a_paid_order_is_out_of_stock(settings):
    settings.STAFF_EMAIL = ["grace@example.com"]
    order = placed()
    run_out(order)
    Product.objects.update(stock=0)
    pay(order)
    pay(order, reference="b" * 64 + ":0")
    mail = mail_of("order-held")
    assert (mail.to, mail.subject) == ("grace@example.com", f"Order {order.number} is on hold")
    assert "Paid, but out of stock. Copper Kettle is sold out." in mail.text


def test_staff_are_mailed_about_a_reorg_after_settlement(settings):
    settings.STAFF_EMAIL = ["grace@example.com"]
    order = placed()
    pay(order)
    tell(order)
    assert "A payment that had settled was taken back" in mail_of("exception").text


@pytest.mark.parametrize(("language", "prefix", "amount"), [("de", "/de", "59,98\u00a0$"), ("", "", "$59.98")])
def test_a_mail_is_written_in_the_language_of_the_order(language, prefix, amount, settings):
    order = placed()
    Order.objects.update(language=language)
    with translation.override("en" if language else "de"):
        tell(order, percent=60, height=TIP - 1)
        run_out(order)

    mail = mail_of("payment_underpaid")
    assert amount in mail.text
    assert f"{settings.PUBLIC_URL}{prefix}/orders/{order.access_token}/" in mail.text


def test_staff_are_told_of_an_order_when_it_is_paid_and_only_then(settings):
    settings.STAFF_EMAIL = ["grace@example.com"]
    order = placed()
    tell(order)
    assert not Mail.objects.filter(key__startswith="order-paid").exists()
    pay(order)
    pay(order)
    mail = mail_of("order-paid")
    assert (mail.to, mail.subject) == ("grace@example.com", f"Order {order.number} is paid: $99.98")
    assert "2 × Copper Kettle (KETTLE)" in mail.text
    assert f"/admin/shop/order/{order.pk}/change/" in mail.text
    assert "ada@" not in mail.text
