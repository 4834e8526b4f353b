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

HOME = "bcrt1qhome00000000000000"


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


def test_a_link_that_is_too_old_says_what_to_do(client, monkeypatch):
    path = refund_path(paid().pk)
    monkeypatch.setattr("django.core.signing.time.time", lambda real=signing.time.time: real() + GOOD_FOR.total_seconds() + 1)
    page = client.get(path)
    assert page.status_code == 404
    assert "too old" in page.content.decode()


def test_a_link_that_was_changed_opens_nothing(client):
    invoice = paid()
    path = refund_path(invoice.pk)
    page = client.get(path[:-3] + ("xx/" if not path.endswith("xx/") else "yy/"))
    assert page.status_code == 404
    assert "not complete" in page.content.decode()


def test_a_signature_made_for_something_else_opens_nothing(client):
    foreign = signing.dumps(str(paid().pk), salt=f"{SALT}.other")
    assert client.get(f"/refund/{foreign}/").status_code == 404


def test_the_link_of_an_invoice_that_is_gone_says_so(client):
    page = client.get(refund_path(InvoiceFactory.build().pk))
    assert page.status_code == 404
    assert "no longer stored" in page.content.decode()


def test_nobody_else_learns_the_page(client):
    page = client.get(refund_path(paid().pk))
    assert page["X-Robots-Tag"] == "noindex, nofollow"
    assert page["Referrer-Policy"] == "same-origin"
    assert "no-store" in page["Cache-Control"]


def test_the_form_of_another_site_is_refused():
    invoice = paid()
    assert answer(Client(enforce_csrf_checks=True), invoice).status_code == 403
    assert not Payout.objects.exists()


def test_a_guesser_is_slowed_down(client):
    invoice = paid()
    assert [answer(client, invoice, "x").status_code for _ in range(31)] == [400] * 30 + [429]


def test_the_log_does_not_have_the_key(client, caplog):
    invoice = paid()
    answer(client, invoice, "x")
    formatter = next(handler.formatter for handler in logging.getLogger().handlers if isinstance(handler.formatter, ProcessorFormatter))
    told = "".join(formatter.format(record) for record in caplog.records)
    assert "Bad Request" in told
    assert refund_path(invoice.pk).split("/")[2].partition(":")[0] not in told


# --- What it offers -----------------------------------------------------------------------------------------------------------


def test_without_money_there_is_nothing_to_send_back(client):
    page = client.get(refund_path(InvoiceFactory(status="expired").pk)).content.decode()
    assert "nothing to refund" in page
    assert "<form method" not in page.partition("<h1")[2].partition("</main>")[0]


def test_money_that_is_only_seen_waits_for_the_network(client):
    invoice = PaymentFactory(status="seen", option__invoice__status="expired").invoice
    assert "waiting for the network to confirm it" in client.get(refund_path(invoice.pk)).content.decode()
    answer(client, invoice)
    assert not Payout.objects.exists()


@pytest.mark.parametrize("status", ["new", "processing", "settled"])
def test_money_that_pays_the_order_is_not_offered(client, status):
    invoice = paid(status)
    answer(client, invoice)
    assert not Payout.objects.exists()


def test_the_buyer_asks_for_late_money(client):
    invoice = paid()

    assert "We can refund 0.00200000 BTC" in client.get(refund_path(invoice.pk)).content.decode()
    page = answer(client, invoice, follow=True).content.decode()

    payout = Payout.objects.get()
    assert (payout.kind, payout.amount_base, payout.destination, payout.created_by, payout.status) == ("late", DUE, HOME, "buyer", "draft")
    assert "We received your request" in page


def test_the_buyer_asks_for_what_they_paid_too_much(client):
    answer(client, paid("settled", amount_base=DUE * 3 // 2))
    payout = Payout.objects.get()
    assert (payout.kind, payout.amount_base) == ("excess", DUE // 2)


def test_the_buyer_asks_twice_and_gets_one(client):
    invoice = paid()
    answer(client, invoice)
    answer(client, invoice)
    assert Payout.objects.count() == 1


def test_what_staff_drafted_is_filled_in_by_the_buyer(client):
    invoice = paid("settled")
    payout = asked(invoice, amount_base=DUE // 2)

    answer(client, invoice)

    payout.refresh_from_db()
    assert (payout.destination, payout.amount_base, Payout.objects.count()) == (HOME, DUE // 2, 1)


def test_a_draft_that_waits_for_the_buyer_stands_before_a_newer_one(client):
    invoice = paid("settled")
    waiting = asked(invoice, amount_base=DUE // 4)
    asked(invoice, amount_base=DUE // 2, destination="bcrt1qstaffsaid", at=NOW + timedelta(hours=1))
    answer(client, invoice)
    waiting.refresh_from_db()
    assert waiting.destination == HOME


def test_the_buyer_may_change_it_until_somebody_agreed(client):
    invoice = paid()
    answer(client, invoice)
    assert "Change the address" in client.get(refund_path(invoice.pk)).content.decode()
    answer(client, invoice, "bcrt1qnewhome000000")
    payout = Payout.objects.get()
    assert payout.destination == "bcrt1qnewhome000000"

    approve_payout(payout.pk, actor="grace", at=NOW)
    answer(client, invoice, "bcrt1qthief000000000")

    payout.refresh_from_db()
    assert payout.destination == "bcrt1qnewhome000000"
    page = client.get(refund_path(invoice.pk) + "?change=1").content.decode()
    assert "On its way" in page
    assert 'name="destination"' not in page


def test_the_first_of_two_people_already_fixes_where_to(client, settings):
    settings.PAYOUT_SECOND_PERSON_ABOVE = Decimal(1)
    invoice = paid()
    answer(client, invoice)
    approve_payout(Payout.objects.get().pk, actor="grace", at=NOW)
    answer(client, invoice, "bcrt1qthief000000000")
    assert Payout.objects.get().destination == HOME


def test_after_a_withdrawal_the_link_asks_anew(client):
    invoice = paid()
    answer(client, invoice)
    withdraw_payout(Payout.objects.get().pk, actor="grace", reason="a slip", at=NOW)
    answer(client, invoice, "bcrt1qsecond00000000")
    assert list(Payout.objects.order_by("created_at").values_list("status", "destination")) == [
        ("withdrawn", HOME),
        ("draft", "bcrt1qsecond00000000"),
    ]


def test_what_was_sent_is_told_with_its_transaction(client):
    invoice = paid()
    PayoutFactory(invoice=invoice, status="sent", reference="ab" * 32, sent_at=NOW)
    page = client.get(refund_path(invoice.pk)).content.decode()
    assert "We sent you 0.00200000 BTC on" in page
    assert 'name="destination"' not in page


def test_money_that_came_after_a_payout_can_be_asked_for(client):
    payment = PaymentFactory(status="settled", height=1, option__invoice__status="expired")
    PayoutFactory(invoice=payment.invoice, status="sent", sent_at=NOW)
    PaymentFactory(option=payment.option, status="settled", height=2)

    assert "We can refund 0.00200000 BTC" in client.get(refund_path(payment.invoice_id)).content.decode()
    answer(client, payment.invoice)

    assert sorted(Payout.objects.values_list("status", flat=True)) == ["draft", "sent"]


# --- What it refuses ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["short", "no address at all!", ""])
def test_a_wrong_address_keeps_what_was_typed(client, text):
    page = answer(client, paid(), text)
    assert page.status_code == 400
    assert text in page.content.decode()
    assert not Payout.objects.exists()


def test_the_shops_own_address_is_refused_in_capitals_too(client):
    payment = PaymentFactory(status="settled", height=1, option__invoice__status="expired")
    for own in (payment.option.destination, payment.option.destination.upper(), f"BITCOIN:{payment.option.destination.upper()}?amount=1"):
        page = answer(client, payment.invoice, own)
        assert "address of this shop" in page.content.decode()
    assert not Payout.objects.exists()


@pytest.mark.parametrize("network", ["LTC", "XRP", "nonsense"])
def test_a_coin_that_did_not_come_is_refused(client, network):
    assert answer(client, paid(), network=network).status_code == 400
    assert not Payout.objects.exists()


def test_what_the_buyer_types_is_no_markup(client):
    page = answer(client, paid(), "<script>alert(1)</script>").content.decode()
    assert "<script>alert(1)" not in page
