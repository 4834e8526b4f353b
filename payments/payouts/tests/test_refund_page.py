"""The buyer's page behind the signed link: what it offers, what it refuses, what it stores."""

import logging
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core import signing
from django.test import Client
from structlog.stdlib import ProcessorFormatter

from cryptons.api.limits import forget_counts
from payments.models import Payout
from payments.payouts.refund_links import GOOD_FOR, SALT, refund_path
from payments.payouts.workflow import approve_payout, draft_payout, withdraw_payout
from payments.tests.factories import DUE, NOW, InvoiceFactory, PaymentFactory, PayoutFactory

pytestmark = pytest.mark.django_db(transaction=True)

HOME = "bcrt1qqyqszqgpqyqszqgpqyqszqgpqyqszqgpvxat9t"


@pytest.fixture(autouse=True)
def _settings(settings):
    settings.FIXED_RATES = {"BTC": Decimal("50000.00")}
    settings.PAYOUT_LIMIT, settings.PAYOUT_DAILY_LIMIT, settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal(1000), Decimal(5000), Decimal(100)
    forget_counts()


def paid(status="expired", **more):
    return PaymentFactory(status="settled", height=1, option__invoice__status=status, **more).invoice


def asked(invoice, **more):
    """A payout that staff drafted and whose buyer is asked where to."""
    return draft_payout(invoice.pk, **{"kind": "refund", "network": "BTC", "actor": "grace", "at": NOW, **more})


def answer(client, invoice, text=HOME, network="BTC", **more):
    return client.post(refund_path(invoice.pk), {"network": network, "destination": text}, **more)


# --- The link -----------------------------------------------------------------------------------------------------------------


def test_an_expired_refund_link_is_not_found_and_says_so(client, monkeypatch):
    path = refund_path(paid().pk)
    monkeypatch.setattr("django.core.signing.time.time", lambda real=signing.time.time: real() + GOOD_FOR.total_seconds() + 1)
    page = client.get(path)
    assert page.status_code == 404
    assert "too old" in page.content.decode()


def test_a_refund_link_that_was_changed_is_not_found(client):
    invoice = paid()
    path = refund_path(invoice.pk)
    page = client.get(path[:-3] + ("xx/" if not path.endswith("xx/") else "yy/"))
    assert page.status_code == 404
    assert "not complete" in page.content.decode()


def test_a_signature_made_for_another_purpose_is_not_found(client):
    foreign = signing.dumps(str(paid().pk), salt=f"{SALT}.other")
    assert client.get(f"/refund/{foreign}/").status_code == 404


def test_a_refund_link_of_a_deleted_invoice_is_not_found_and_says_so(client):
    page = client.get(refund_path(InvoiceFactory.build().pk), follow=True)
    assert page.status_code == 404
    assert "no longer stored" in page.content.decode()


def test_the_refund_page_forbids_indexing_caching_and_referrers(client):
    page = client.get(refund_path(paid().pk), follow=True)
    assert page["X-Robots-Tag"] == "noindex, nofollow"
    assert page["Referrer-Policy"] == "same-origin"
    assert "no-store" in page["Cache-Control"]


def test_the_key_of_a_refund_link_is_in_the_address_once(client):
    """Links in mails work on each device, and the page's own address opens nothing for anybody else."""
    invoice = paid()
    link = refund_path(invoice.pk)

    for device in (client, Client()):
        first = device.get(f"{link}?change=1")
        assert (first.status_code, first.url) == (302, f"/refund/{invoice.pk}/?change=1")
        page = device.get(first.url)
        assert page.status_code == 200
        assert link.split("/")[2] not in page.text

    stranger = Client().get(f"/refund/{invoice.pk}/")
    assert stranger.status_code == 404
    assert "not complete" in stranger.text


def test_a_remembered_refund_link_ends_when_the_link_does(client, monkeypatch):
    invoice = paid()
    page = client.get(refund_path(invoice.pk)).url
    monkeypatch.setattr("django.core.signing.time.time", lambda real=signing.time.time: real() + GOOD_FOR.total_seconds() + 1)
    assert client.get(page).status_code == 404


def test_a_refund_request_without_a_csrf_token_is_refused():
    invoice = paid()
    assert answer(Client(enforce_csrf_checks=True), invoice).status_code == 403
    assert not Payout.objects.exists()


def test_too_many_refund_requests_are_rate_limited(client):
    invoice = paid()
    assert [answer(client, invoice, "x").status_code for _ in range(31)] == [400] * 30 + [429]


def test_the_log_does_not_contain_the_key_of_the_refund_link(client, caplog):
    invoice = paid()
    answer(client, invoice, "x")
    formatter = next(handler.formatter for handler in logging.getLogger().handlers if isinstance(handler.formatter, ProcessorFormatter))
    told = "".join(formatter.format(record) for record in caplog.records)
    assert "Bad Request" in told
    assert refund_path(invoice.pk).split("/")[2].partition(":")[0] not in told


# --- What it offers -----------------------------------------------------------------------------------------------------------


def test_an_unpaid_invoice_has_nothing_to_refund(client):
    page = client.get(refund_path(InvoiceFactory(status="expired").pk), follow=True).content.decode()
    assert "nothing to refund" in page
    assert "<form method" not in page.partition("<h1")[2].partition("</main>")[0]


def test_unconfirmed_money_cannot_be_requested_yet(client):
    invoice = PaymentFactory(status="seen", option__invoice__status="expired").invoice
    assert "waiting for the network to confirm it" in client.get(refund_path(invoice.pk), follow=True).content.decode()
    answer(client, invoice)
    assert not Payout.objects.exists()


@pytest.mark.parametrize("status", ["new", "processing", "settled"])
def test_money_that_pays_the_order_cannot_be_requested(client, status):
    invoice = paid(status)
    answer(client, invoice)
    assert not Payout.objects.exists()


def test_the_buyer_can_request_a_refund_of_late_money(client):
    invoice = paid()

    assert "We can refund 0.00200000 BTC" in client.get(refund_path(invoice.pk), follow=True).content.decode()
    page = answer(client, invoice, follow=True).content.decode()

    payout = Payout.objects.get()
    assert (payout.kind, payout.amount_base, payout.destination, payout.created_by, payout.status) == ("late", DUE, HOME, "buyer", "draft")
    assert "We received your request" in page


def test_the_buyer_can_request_a_refund_of_an_excess(client):
    answer(client, paid("settled", amount_base=DUE * 3 // 2))
    payout = Payout.objects.get()
    assert (payout.kind, payout.amount_base) == ("excess", DUE // 2)


def test_two_refund_requests_make_one_payout(client):
    invoice = paid()
    answer(client, invoice)
    answer(client, invoice)
    assert Payout.objects.count() == 1


def test_the_buyer_sets_the_destination_of_a_payout_that_staff_drafted(client):
    invoice = paid("settled")
    payout = asked(invoice, amount_base=DUE // 2)

    answer(client, invoice)

    payout.refresh_from_db()
    assert (payout.destination, payout.amount_base, Payout.objects.count()) == (HOME, DUE // 2, 1)


def test_the_buyers_destination_goes_to_the_draft_that_lacks_one(client):
    invoice = paid("settled")
    waiting = asked(invoice, amount_base=DUE // 4)
    asked(invoice, amount_base=DUE // 2, destination="bcrt1qstaffsaid", at=NOW + timedelta(hours=1))
    answer(client, invoice)
    waiting.refresh_from_db()
    assert waiting.destination == HOME


def test_the_buyer_can_change_the_address_until_the_payout_is_approved(client):
    invoice = paid()
    answer(client, invoice)
    assert "Change the address" in client.get(refund_path(invoice.pk), follow=True).content.decode()
    answer(client, invoice, "bcrt1qqgpqyqszqgpqyqszqgpqyqszqgpqyqszazmwwa")
    payout = Payout.objects.get()
    assert payout.destination == "bcrt1qqgpqyqszqgpqyqszqgpqyqszqgpqyqszazmwwa"

    approve_payout(payout.pk, actor="grace", at=NOW)
    answer(client, invoice, "bcrt1qr8r8r8r8r8r8r8r8r8r8r8r8r8r8r8r8stap5p")

    payout.refresh_from_db()
    assert payout.destination == "bcrt1qqgpqyqszqgpqyqszqgpqyqszqgpqyqszazmwwa"
    page = client.get(refund_path(invoice.pk) + "?change=1", follow=True).content.decode()
    assert "On its way" in page
    assert 'name="destination"' not in page


def test_the_first_of_two_approvals_already_fixes_the_destination(client, settings):
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal(1)
    invoice = paid()
    answer(client, invoice)
    approve_payout(Payout.objects.get().pk, actor="grace", at=NOW)
    answer(client, invoice, "bcrt1qr8r8r8r8r8r8r8r8r8r8r8r8r8r8r8r8stap5p")
    assert Payout.objects.get().destination == HOME


def test_the_buyer_can_request_a_refund_again_after_a_withdrawal(client):
    invoice = paid()
    answer(client, invoice)
    withdraw_payout(Payout.objects.get().pk, actor="grace", reason="a slip", at=NOW)
    answer(client, invoice, "bcrt1qqgpqyqszqgpqyqszqgpqyqszqgpqyqszazmwwa")
    assert list(Payout.objects.order_by("created_at").values_list("status", "destination")) == [
        ("withdrawn", HOME),
        ("draft", "bcrt1qqgpqyqszqgpqyqszqgpqyqszqgpqyqszazmwwa"),
    ]


def test_a_sent_refund_is_shown_and_asks_for_no_address(client):
    invoice = paid()
    PayoutFactory(invoice=invoice, status="sent", reference="ab" * 32, sent_at=NOW)
    page = client.get(refund_path(invoice.pk), follow=True).content.decode()
    assert "We sent you 0.00200000 BTC on" in page
    assert 'name="destination"' not in page


def test_money_that_came_after_a_payout_can_be_requested(client):
    payment = PaymentFactory(status="settled", height=1, option__invoice__status="expired")
    PayoutFactory(invoice=payment.invoice, status="sent", sent_at=NOW)
    PaymentFactory(option=payment.option, status="settled", height=2)

    assert "We can refund 0.00200000 BTC" in client.get(refund_path(payment.invoice_id), follow=True).content.decode()
    answer(client, payment.invoice)

    assert sorted(Payout.objects.values_list("status", flat=True)) == ["draft", "sent"]


# --- What it refuses ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["short", "no address at all!", ""])
def test_an_invalid_address_is_refused_and_stays_in_the_form(client, text):
    page = answer(client, paid(), text)
    assert page.status_code == 400
    assert text in page.content.decode()
    assert not Payout.objects.exists()


def test_an_address_of_the_shop_is_refused_in_any_spelling(client):
    payment = PaymentFactory(status="settled", height=1, option__invoice__status="expired")
    for own in (payment.option.destination, payment.option.destination.upper(), f"BITCOIN:{payment.option.destination.upper()}?amount=1"):
        page = answer(client, payment.invoice, own)
        assert "address of this shop" in page.content.decode()
    assert not Payout.objects.exists()


@pytest.mark.parametrize("network", ["LTC", "XRP", "nonsense"])
def test_a_refund_in_another_coin_than_was_paid_is_refused(client, network):
    assert answer(client, paid(), network=network).status_code == 400
    assert not Payout.objects.exists()


def test_markup_in_the_buyers_input_is_escaped(client):
    page = answer(client, paid(), "<script>alert(1)</script>").content.decode()
    assert "<script>alert(1)" not in page
